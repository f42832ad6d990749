"""A list of actions in place of a policy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vlm4vla.core.episode import EpisodeKey
from vlm4vla.core.policy import ActionChunk
from vlm4vla.core.simulator import Floats, Frames, Observation


@dataclass(frozen=True)
class Recording:
    """What to play."""

    actions: Floats
    """(T, A) in the simulator's own convention."""
    horizon: int
    """Actions per query: as many as the recorded policy executed."""
    frames: str = ""
    """Folder for one PNG per query of the first camera requested; nothing is written if empty."""


class Player:
    """Answers queries from a recording; the episode ends with it."""

    def __init__(self, recording: Recording) -> None:
        """Start at the first action."""
        self._recording = recording

    def reset(self, key: EpisodeKey, fresh: bool) -> None:
        """A new instruction does not rewind the list."""

    def act(self, observation: Observation) -> ActionChunk:
        """The next `horizon` actions."""
        if self._recording.frames and observation.images:
            frame = next(iter(observation.images.values()))[-1]
            _save(frame, Path(self._recording.frames) / f"{observation.step:05}.png")
        rest = self._recording.actions[observation.step :]
        chunk = rest[: self._recording.horizon]
        return ActionChunk(chunk, len(chunk) if len(chunk) == len(rest) else None)


def _save(frame: Frames, path: Path) -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(frame).save(path)
