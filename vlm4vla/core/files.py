"""Files: where those that ship lie, and what several processes may do to one at once.

Suites, environments and published results, which a user reads and edits, lie at the top of a
checkout and under `vlm4vla/data/` in an installed wheel.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

_PACKAGE = Path(__file__).resolve().parents[1]


def shipped(folder: Literal["benchmarks", "envs", "results"]) -> Path:
    """The folder as it stands in this checkout or installation."""
    installed = _PACKAGE / "data" / folder
    return installed if installed.is_dir() else _PACKAGE.parent / folder


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
