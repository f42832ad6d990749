"""CALVIN as it is distributed: a file a step, and language for stretches of steps.

`training/episode_0000042.npz` holds `rel_actions` (7,), `robot_obs` (15,), `rgb_static` (200, 200,
3) and `rgb_gripper` (84, 84, 3); `training/lang_annotations/auto_lang_ann.npy` says which stretch
(first and last step, both included) fulfils which instruction. Each such stretch is a trajectory.
Layout: mees/calvin, `dataset/README`.
"""

from __future__ import annotations

import io
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vlm4vla.core.conventions import CONVENTIONS, LAYOUTS
from vlm4vla.core.errors import InvalidFile
from vlm4vla.core.simulator import Floats, Frames
from vlm4vla.core.specs import ActionSpec
from vlm4vla.demonstrations.samples import Demonstrations, Trajectory

CAMERAS = {"static": "rgb_static", "gripper": "rgb_gripper"}
"""Our name -> the file's."""
_LANGUAGE = Path("lang_annotations") / "auto_lang_ann.npy"


@dataclass(frozen=True, eq=False)
class CalvinTrajectory(Trajectory):
    """One annotated stretch."""

    folder: Path
    first: int
    """The number of its first step."""

    def actions(self, start: int, stop: int) -> Floats:
        """`rel_actions` of the steps, scaled to [-1, 1] as stored."""
        stored = [self._field(step, "rel_actions") for step in range(start, stop)]
        return np.stack(stored).astype(np.float64)

    def image(self, step: int, camera: str) -> Frames:
        """The step's picture."""
        return np.asarray(self._field(step, CAMERAS[camera]), np.uint8)

    def proprio(self, step: int) -> Floats:
        """The step's `robot_obs`."""
        return np.asarray(self._field(step, "robot_obs"), np.float64)

    def _field(self, step: int, name: str) -> Any:
        path = self.folder / f"episode_{self.first + step:07d}.npz"
        try:
            with np.load(path, allow_pickle=False) as stored:
                return stored[name]
        except (OSError, KeyError, ValueError) as error:
            raise InvalidFile(f"{path} cannot be read: {error}.") from error


def split_folder(path: Path) -> Path | None:
    """The folder with the steps: `path` itself or its `training`, if it is CALVIN's layout."""
    return next((p for p in (path, path / "training") if (p / _LANGUAGE).is_file()), None)


def load(path: Path, named: ActionSpec | None) -> Demonstrations:
    """Read the annotations. Raises InvalidFile where they are not CALVIN's."""
    folder = split_folder(path)
    if folder is None:
        raise InvalidFile(f"{path} has no training/{_LANGUAGE}.")
    annotations = _annotations(folder / _LANGUAGE)
    try:
        texts = [str(text) for text in annotations["language"]["ann"]]
        spans = [(int(first), int(last)) for first, last in annotations["info"]["indx"]]
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidFile(f"{folder / _LANGUAGE} is not CALVIN's: {error!r}.") from error
    if len(texts) != len(spans) or any(last < first for first, last in spans):
        raise InvalidFile(f"{folder / _LANGUAGE}: its texts and stretches do not match.")
    return Demonstrations(
        name=str(path),
        action=named or CONVENTIONS["calvin"],
        cameras=tuple(CAMERAS),
        proprio=LAYOUTS["calvin"],
        trajectories=[
            CalvinTrajectory(text, last - first + 1, range(last - first + 1), folder, first)
            for (first, last), text in zip(spans, texts, strict=True)
        ],
        tail="repeat",
        recipe="calvin",
    )


class _ArraysOnly(pickle.Unpickler):
    """The annotations are a pickle, which may name any function; only arrays are let in."""

    def find_class(self, module: str, name: str) -> Any:
        """Raise UnpicklingError for anything but what numpy's arrays are made of."""
        allowed = {"_reconstruct", "ndarray", "dtype", "scalar", "_frombuffer"}
        if module.partition(".")[0] == "numpy" and name in allowed:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it names {module}.{name}")


def _annotations(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            read = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, _, dtype = read(file)
            if not dtype.hasobject or shape != ():
                raise InvalidFile(f"{path} is not a pickled dictionary.")
            return _ArraysOnly(io.BytesIO(file.read())).load().item()
    except (OSError, ValueError, pickle.UnpicklingError, EOFError) as error:
        raise InvalidFile(f"{path} cannot be read: {error}.") from error
