"""The committed checkpoints, demonstrations and store, unpacked."""

from __future__ import annotations

import lzma
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.proof.golden import FIXTURES


@contextmanager
def unpack(name: str, folder: Path) -> Iterator[Path]:
    """`folder/name`, gone again afterwards."""
    with lzma.open(FIXTURES / f"{name}.tar.xz") as packed, tarfile.open(fileobj=packed) as tar:
        tar.extractall(folder, filter="data")
    try:
        yield folder / name
    finally:
        shutil.rmtree(folder / name)


def unpack_store(folder: Path) -> Path:
    """A copy of the store of version 2, for a test of its own to upgrade."""
    path = folder / "bench.db"
    path.write_bytes(lzma.decompress((FIXTURES / "store_v2.sqlite.xz").read_bytes()))
    return path
