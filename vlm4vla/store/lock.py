"""One writer per run."""

from __future__ import annotations

import fcntl
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vlm4vla.core.errors import RunConflict, StoreError


@contextmanager
def run_lock(store: Path, run: str) -> Iterator[None]:
    """Hold `locks/<store>-<run>.lock` beside the store.

    The kernel frees it when the process dies, however it dies; children started with exec do not
    inherit it. The file stays: removing it would let two processes lock two files of one name.

    Raises:
        RunConflict: another process writes this run.
    """
    folder = store.parent / "locks"
    path = folder / f"{store.stem}-{re.sub(r'[^A-Za-z0-9_.-]', '_', run)}.lock"
    try:
        folder.mkdir(exist_ok=True)
        file = path.open("a+")
    except OSError as error:
        raise StoreError(
            f"The lock {path} cannot be written: {error.strerror}.",
            "Give yourself write permission for the store's folder.",
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise RunConflict(
                f"Run {run} is being written by {holder}.",
                "Wait for it, end it, or start another run with --new.",
            ) from error
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        yield
