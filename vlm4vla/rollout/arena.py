"""Memory that a simulator host and a policy server on the same node share.

Pushing a frame through a socket costs two copies by the kernel and, since it exceeds the socket's
buffer, several changes between the processes. A host instead puts its frames here and sends only
the header. One request is under way at a time, so one place for it is enough; the server copies
what it takes out, for a policy may keep what it saw.
"""

from __future__ import annotations

import mmap
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SHARED = Path("/dev/shm")
LEAST = 1 << 14
"""Bytes below which a socket is as good."""


class Arena:
    """One mapped file, without a name once both sides have it."""

    def __init__(self, file: Path, size: int, create: bool) -> None:
        """Map `size` bytes of `file`; raises OSError where memory or rights are lacking."""
        flags = os.O_RDWR | (os.O_CREAT | os.O_EXCL if create else 0)
        descriptor = os.open(file, flags, 0o600)
        try:
            if create:
                os.posix_fallocate(descriptor, 0, size)  # or a full disk would kill us later
            self._map = mmap.mmap(descriptor, size)
        finally:
            os.close(descriptor)
        self.name, self.size = file.name, size
        self._bytes = np.frombuffer(self._map, np.uint8)

    @classmethod
    def create(cls, folder: str, size: int) -> Arena | None:
        """A fresh arena in the server's folder, or None where there is no room for it."""
        try:
            return cls(Path(folder) / secrets.token_hex(8), size, create=True)
        except OSError:
            return None

    @classmethod
    def attach(cls, folder: str, name: str, size: int) -> Arena:
        """The server's end; takes the file's name away, so that nothing can be left behind."""
        file = Path(folder) / Path(name).name
        arena = cls(file, size, create=False)
        file.unlink()
        return arena

    def put(self, arrays: Sequence[NDArray[np.generic]]) -> None:
        """Lay the arrays down one after the other."""
        offset = 0
        for array in arrays:
            end = offset + array.nbytes
            self._bytes[offset:end] = array.reshape(-1).view(np.uint8)
            offset = end

    def take(self, offset: int, count: int) -> NDArray[np.uint8]:
        """A copy of `count` bytes."""
        return self._bytes[offset : offset + count].copy()
