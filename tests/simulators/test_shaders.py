"""SAPIEN's shaders without the table of environment light: the same pictures, sooner."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.grinningface

PICTURE = """
import sys
from tests.simulators.emoji_task import EVERYTHING, _digest, episode, simulator
from vlm4vla.simulators.grinningface import view
if sys.argv[1] == "default":
    view.without_environment = lambda: "default"
world = simulator("panda")
world.reset(episode("panda", init=1))
print(_digest(world.observe(EVERYTHING).image("view")))
"""


def test_pictures_are_those_of_sapiens_own_shaders():
    digests = {
        subprocess.run(
            [sys.executable, "-c", PICTURE, pack],
            capture_output=True, text=True, timeout=120, check=True,
        ).stdout
        for pack in ("default", "without")
    }  # fmt: skip
    assert len(digests) == 1 and len(digests.pop()) == 17


def test_they_are_written_once_and_not_where_that_is_impossible(tmp_path, monkeypatch):
    from vlm4vla.simulators import shaders

    monkeypatch.setenv("VLM4VLA_CACHE", str(tmp_path / "cache"))
    first = shaders.without_environment()
    written = sorted((tmp_path / "cache").rglob("*.*"))
    assert first.endswith("/default") and any(path.name == "deferred.frag" for path in written)
    assert all("samplerBRDFLUT" not in path.read_text() for path in written if path.is_file())
    assert shaders.without_environment() == first
    assert sorted((tmp_path / "cache").rglob("*.*")) == written
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("VLM4VLA_CACHE", str(tmp_path / "file" / "cache"))
    assert shaders.without_environment() == "default"


def test_other_shaders_are_left_alone(monkeypatch):
    from vlm4vla.simulators import shaders

    monkeypatch.setattr(shaders, "_READ", "texture(samplerBRDFLUT, elsewhere)")
    assert shaders.without_environment() == "default"
