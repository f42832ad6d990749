"""The committed files, unpacked once a session (of each process, with `-n`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.proof.archives import unpack, unpack_store


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folder of the checkpoints that 0.2.0 wrote."""
    with unpack("checkpoints", tmp_path_factory.mktemp("proof")) as folder:
        yield folder


@pytest.fixture(scope="session")
def demonstrations(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folder of the demonstrations that 0.2.0 recorded."""
    with unpack("demonstrations", tmp_path_factory.mktemp("proof")) as folder:
        yield folder


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the store that 0.2.0 filled."""
    return unpack_store(tmp_path_factory.mktemp("store"))
