"""`--backbone module:Class` finds a file in the current folder, as `--policy module:Class` does."""

from __future__ import annotations

import pytest

from tests.bench import bench

pytest.importorskip("transformers")

OWN = """
from dataclasses import dataclass
from typing import Annotated

from vlm4vla.core.options import Bounds
from vlm4vla.models.toy import ToyBackbone


@dataclass(frozen=True)
class MineOptions:
    depth: Annotated[int, Bounds(1, 9)] = 2


class Mine(ToyBackbone):
    known_options = MineOptions


class ByName(ToyBackbone):
    known_options = {"depth": 2}


no_class = 3
"""
SMALL = (
    "--steps", 2, "--batch", 2, "--chunk", 4, "--workers", 0, "--precision", "fp32",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory, ray_session):
    made = tmp_path_factory.mktemp("own")
    (made / "own.py").write_text(OWN)
    words = ("--suite", "toy", "--task", "near", "--episodes", 2, "--frames", 2, "--size", 64)
    assert bench("demos", *words, "--out", "d", cwd=made).code == 0
    return made


def train(folder, backbone, *words):
    data = ("--data", "d", "--out", f"c-{backbone.partition(':')[2]}")
    return bench("train", "--backbone", backbone, *data, *SMALL, *words, cwd=folder)


def test_it_is_trained_and_runs(folder):
    done = train(folder, "own:Mine", "--set", "depth=3")
    assert done.code == 0 and "own:Mine" in done.out, done.err
    words = ("--policy", "vla", "--checkpoint", "c-Mine", "--suite", "toy", "--task", "near")
    assert bench("run", *words, "--init", 0, cwd=folder).code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("own:Nix",), "no attribute 'Nix'"),
        (("nix:Mine",), "No module named 'nix'"),
        (("own:no_class",), "Subclass vlm4vla.models.backbone.Backbone"),
        (("own:Mine", "--set", "depht=3"), "Did you mean depth"),
        (("own:Mine", "--set", "depth=10"), "depth 10 is outside 1..9"),
        (("own:Mine", "--set", "depth=deep"), "depth deep is not a whole number"),
        (("own:ByName", "--set", "depht=3"), "Did you mean depth"),
    ],
)
def test_mistakes_are_told(folder, words, said):
    train(folder, *words, "--dry-run").refused(said)


def test_defaults_by_name_go_on_working(folder):
    assert train(folder, "own:ByName", "--set", "depth=10", "--dry-run").code == 0
