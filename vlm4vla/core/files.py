"""Files: those that ship and where they lie, and what several processes may do to one at once.

Suites, environments and published results, which a user reads and edits, lie at the top of a
checkout and under `vlm4vla/data/` in an installed wheel.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

_PACKAGE = Path(__file__).resolve().parents[1]


def shipped(folder: Literal["benchmarks", "envs", "results"]) -> Path:
    """The folder as it stands in this checkout or installation."""
    installed = _PACKAGE / "data" / folder
    return installed if installed.is_dir() else _PACKAGE.parent / folder


def packaged(package: str, path: str) -> Path | None:
    """A file of an installed package, found without importing it; None if it is not there."""
    spec = find_spec(package)
    file = Path(spec.origin).parent / path if spec is not None and spec.origin else None
    return file if file is not None and file.exists() else None


def write_whole(path: Path, text: str) -> None:
    """Write a file, UTF-8, so that it is never seen half done, wherever the writer is killed."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Make the folder while no other process does; one that waited finds it made.

    Raises OSError where nothing can be written beside it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
