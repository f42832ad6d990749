"""LIBERO demonstrations: one hdf5 file a task, as the benchmark distributes them.

`data/demo_K/actions` (T, 7), `data/demo_K/obs/agentview_rgb` (T, H, W, 3), the instruction in the
JSON attribute `problem_info` of `data`. The pictures are stored upside down, as OpenGL gives them;
policies since OpenVLA see them turned by 180 degrees, which is upright and mirrored.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vlm4vla.core.conventions import CONVENTIONS
from vlm4vla.core.errors import InvalidFile, MissingDependency
from vlm4vla.core.simulator import Floats, Frames
from vlm4vla.core.specs import ActionSpec, ProprioPart, opening, orientation, position
from vlm4vla.demonstrations.samples import Demonstrations, Trajectory

CAMERAS = {"agentview": "agentview_rgb", "eye_in_hand": "eye_in_hand_rgb"}
"""Our name -> the file's."""
PROPRIO = {
    "ee_pos": position("world"),
    "ee_ori": orientation("rotvec", "world"),
    "joint_states": ProprioPart("joints", 7, "rad"),
    "gripper_states": ProprioPart("fingers", 2, "m"),
}
"""The file's name -> what it holds; from the two fingers follows how far the gripper is open."""


@dataclass(frozen=True, eq=False)
class LiberoTrajectory(Trajectory):
    """One demonstration in its file."""

    path: Path
    demo: str

    def actions(self, start: int, stop: int) -> Floats:
        """Rows `start` to `stop`."""
        with _open(self.path) as file:
            return np.asarray(file[f"data/{self.demo}/actions"][start:stop], np.float64)

    def image(self, step: int, camera: str) -> Frames:
        """The stored frame, turned upright."""
        with _open(self.path) as file:
            stored = file[f"data/{self.demo}/obs/{CAMERAS[camera]}"][step]
        return np.ascontiguousarray(np.asarray(stored, np.uint8)[::-1])

    def proprio(self, step: int) -> Floats:
        """The parts of PROPRIO in their order, then the distance of the fingers."""
        with _open(self.path) as file:
            told = [file[f"data/{self.demo}/obs/{name}"][step] for name in PROPRIO]
        return np.concatenate([*told, [told[-1][0] - told[-1][1]]]).astype(np.float64)


def load(path: Path, named: ActionSpec | None) -> Demonstrations:
    """Read the index of one file or of every file in a folder. Raises InvalidFile."""
    trajectories: list[LiberoTrajectory] = []
    stored = {*CAMERAS.values(), *PROPRIO}
    for file in files(path):
        found, there = _demos(file)
        trajectories += found
        stored &= there
    parts = (*PROPRIO.values(), opening(0.08, unit="m"))
    return Demonstrations(
        name=str(path),
        action=named or CONVENTIONS["libero"],
        cameras=tuple(ours for ours, theirs in CAMERAS.items() if theirs in stored),
        proprio=parts if stored >= set(PROPRIO) else (),
        trajectories=trajectories,
        tail="zeros",
        flip="horizontal",
        recipe="libero",
    )


def recorded(path: Path, number: int) -> tuple[Floats, Floats]:
    """Actions (T, 7) of one demonstration, and the state (S,) at which it begins.

    Raises InvalidFile where it is not in the file.
    """
    with _open(path) as file:
        try:
            demo = file[f"data/demo_{number}"]
            actions, states = np.asarray(demo["actions"]), np.asarray(demo["states"])
        except KeyError as error:
            raise InvalidFile(
                f"{path} holds no demo_{number} with actions and states.", "Choose another --init."
            ) from error
    return actions.astype(np.float64), states[0].astype(np.float64)


def files(path: Path) -> Sequence[Path]:
    """The hdf5 file itself, or those of a folder; none if it is neither."""
    if path.is_file() and path.suffix in (".hdf5", ".h5"):
        return [path]
    return sorted([*path.glob("*.hdf5"), *path.glob("*.h5")]) if path.is_dir() else []


def _demos(path: Path) -> tuple[list[LiberoTrajectory], set[str]]:
    try:
        with _open(path) as file:
            data = file["data"]
            text = str(json.loads(data.attrs["problem_info"])["language_instruction"])
            names = sorted(data, key=lambda name: int(name.rpartition("_")[2]))
            lengths = [len(data[name]["actions"]) for name in names]
            found = [
                LiberoTrajectory(text, length, range(length), path, name)
                for name, length in zip(names, lengths, strict=True)
            ]
            stored = set.intersection(*(set(data[name]["obs"]) for name in names))
    except (KeyError, ValueError, TypeError) as error:
        raise InvalidFile(
            f"{path} is not a LIBERO demonstration file: {error}.",
            "It must hold data/demo_0/actions, .../obs/agentview_rgb and `problem_info`.",
        ) from error
    return found, stored


def _open(path: Path) -> Any:
    try:
        import h5py
    except ImportError as error:
        raise MissingDependency(
            f"{path} is an hdf5 file; h5py reads it.", 'pip install "vlm4vla[models]"'
        ) from error
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise InvalidFile(f"{path} cannot be read as hdf5: {error}.") from error
