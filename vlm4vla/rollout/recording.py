"""A list of actions in place of a policy."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vlm4vla.core.episode import EpisodeKey
from vlm4vla.core.policy import ActionChunk
from vlm4vla.core.simulator import Floats, Frames, Observation

INSTRUCTIONS = "instructions.jsonl"
"""Beside the pictures: `[step, text]`, a line for each new instruction."""
STATES = "proprio.jsonl"
"""Beside them: `[step, numbers]`, a line a query, where proprioception was asked for."""


@dataclass(frozen=True)
class Recording:
    """What to play."""

    actions: Floats
    """(T, A) in the simulator's own convention."""
    query_steps: Sequence[int] = (0,)
    """When to look again, ascending from 0."""
    frames: str = ""
    """Folder for the pictures, `CAMERA/STEP.png`, a query each; nothing is written if empty."""
    declared: int | None = None
    """The action with which the policy declared its first instruction done (`INSTRUCTED_AT`)."""


class Player:
    """Answers queries from a recording; the episode ends with it."""

    def __init__(self, recording: Recording) -> None:
        """Start at the first action."""
        self._recording = recording
        self._instruction = ""

    def reset(self, key: EpisodeKey, fresh: bool) -> None:
        """A new instruction does not rewind the list."""

    def act(self, observation: Observation) -> ActionChunk:
        """The actions up to the next query."""
        if self._recording.frames:
            for camera, frames in observation.images.items():
                name = f"{observation.step:05}.png"
                _save(frames[-1], Path(self._recording.frames) / camera / name)
            self._note(observation)
        rest = self._recording.actions[observation.step :]
        until = (q for q in self._recording.query_steps if q > observation.step)
        chunk = rest[: next(until, len(self._recording.actions)) - observation.step]
        last = observation.step + len(chunk) - 1
        over = len(chunk) == len(rest) or last == self._recording.declared
        return ActionChunk(chunk, len(chunk) if over else None)

    def _note(self, observation: Observation) -> None:
        """Write down from which step on an instruction holds, and what the robot says of itself."""
        if observation.instruction != self._instruction:
            self._instruction = observation.instruction
            self._add(INSTRUCTIONS, observation.step, observation.instruction)
        if observation.proprio is not None:
            self._add(STATES, observation.step, observation.proprio.tolist())

    def _add(self, name: str, *row: object) -> None:
        folder = Path(self._recording.frames)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / name).open("a") as file:
            file.write(json.dumps(row) + "\n")


def _save(frame: Frames, path: Path) -> None:
    """Write (H, W, 3); Pillow packs tighter, but a simulator's own Python need not have it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        from PIL import Image
    except ImportError:
        path.write_bytes(_png(frame))
    else:
        Image.fromarray(frame).save(path)


def _png(frame: Frames) -> bytes:
    """A PNG of 8-bit RGB (PNG specification, section 11), each row as its change from the last."""
    height, width, _ = frame.shape
    rows = frame.reshape(height, width * 3)
    changes = np.diff(rows, axis=0, prepend=np.zeros_like(rows[:1]))  # filter 2, `Up`: modulo 256
    lines = np.insert(changes, 0, 2, axis=1)

    def block(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    packed = zlib.compress(lines.tobytes())
    return (
        b"\x89PNG\r\n\x1a\n" + block(b"IHDR", header) + block(b"IDAT", packed) + block(b"IEND", b"")
    )
