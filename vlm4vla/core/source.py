"""The part of this package that a simulator host imports: its hash, and copies that hold no more.

A simulator may need another Python than the harness runs in. There the hosts find `core`,
`rollout`, `simulators` and the environment files in a folder of the download cache that is named by
their hash: beside the package itself lies whatever else is installed with it, which must not come
along. Another source has another name, so that a run keeps the one it began with.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from vlm4vla.core.assets import CACHE_VARIABLE, cache_folder
from vlm4vla.core.errors import StaleSource
from vlm4vla.core.files import alone

_PACKAGE = Path(__file__).resolve().parents[1]
_ROOMS = ("core", "rollout", "simulators")


def source_hash(package: Path = _PACKAGE) -> str:
    """What identifies the source: 16 hexadecimal digits over its names and contents."""
    digest = hashlib.sha256()
    for name, path in _files(package).items():
        content = path.read_bytes()
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


@functools.cache
def own_hash() -> str:
    """The hash of the source that this process runs from, as it was when first asked for."""
    return source_hash()


def copied_source(wanted: str) -> Path:
    """The folder whose `vlm4vla` has the hash `wanted`; made where it is missing or was altered.

    Raises:
        StaleSource: there is no such copy, and this process runs from another source.
    """
    folder = cache_folder("source") / wanted
    if not _holds(folder, wanted):
        if source_hash() != wanted:
            raise StaleSource(
                f"The source of vlm4vla is {source_hash()} here, and {wanted} was begun with.",
                "Install the same version everywhere, and leave it alone while a run goes on.",
            )
        try:
            with alone(folder):
                if not _holds(folder, wanted):
                    _copy(folder)
        except OSError as error:
            raise StaleSource(
                f"No copy of vlm4vla can be put into {folder.parent}: {error.strerror}.",
                f"Name a folder that you may write to: {CACHE_VARIABLE}",
            ) from error
    return folder


def _files(package: Path) -> dict[str, Path]:
    """Path inside the package -> file."""
    inside = package / "data" / "envs"
    envs = inside if inside.is_dir() else package.parent / "envs"
    files = {"__init__.py": package / "__init__.py"}
    for prefix, folder in [*((room, package / room) for room in _ROOMS), ("data/envs", envs)]:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                files[f"{prefix}/{path.relative_to(folder).as_posix()}"] = path
    return files


def _holds(folder: Path, wanted: str) -> bool:
    try:
        return source_hash(folder / "vlm4vla") == wanted
    except (FileNotFoundError, NotADirectoryError):  # also where it is being replaced just now
        return False


def _copy(folder: Path) -> None:
    """Put a copy there, whole or not at all, in place of an altered one."""
    with tempfile.TemporaryDirectory(prefix=".copying-", dir=folder.parent) as scratch:
        staged = Path(scratch) / "new"
        for name, path in _files(_PACKAGE).items():
            target = staged / "vlm4vla" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        if folder.exists():
            os.rename(folder, Path(scratch) / "altered")
        os.rename(staged, folder)
