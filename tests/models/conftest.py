"""Tiny checkpoints of every backbone class, made once a session."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("transformers")

from tests.models import tiny


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Backbone name -> folder as the hub would hold it."""
    folder = tmp_path_factory.mktemp("backbones")
    return {name: tiny.make(name, folder / name) for name in tiny.CONFIGS}
