"""A folder of demonstrations, whichever layout it has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vlm4vla.core.errors import BadInput
from vlm4vla.core.specs import ActionSpec, ProprioPart
from vlm4vla.demonstrations import calvin, lerobot, libero, ours
from vlm4vla.demonstrations.samples import Demonstrations


def open_demonstrations(
    path: Path, convention: ActionSpec | None = None, proprio: Sequence[ProprioPart] = ()
) -> Demonstrations:
    """Recognise the layout and read its index.

    Args:
        path: a LeRobot folder, LIBERO hdf5 (a file or a folder), or CALVIN's folder.
        convention: what the actions mean, where the files do not say it.
        proprio: likewise the numbers of the proprioception.

    Raises:
        BadInput: it is none of these, or not readable.
    """
    if not path.exists():
        raise BadInput(
            f"There is no data set at {path}.",
            f"Record one: bench demos --suite grinningface_demos --out {path}",
        )
    if (path / lerobot.INFO).is_file():
        return lerobot.load(path, convention, tuple(proprio))
    if calvin.split_folder(path) is not None:
        return calvin.load(path, convention)
    if libero.files(path):
        return libero.load(path, convention)
    if (path / ours.SETTINGS).is_file():
        raise BadInput(
            f"The demonstrations in {path} are not finished.",
            "Give the same bench demos command again; it continues.",
        )
    raise BadInput(
        f"{path} is no layout that is known.",
        "LeRobot v2 or v3 (meta/info.json), LIBERO (*.hdf5), "
        "CALVIN (training/lang_annotations/auto_lang_ann.npy).",
    )
