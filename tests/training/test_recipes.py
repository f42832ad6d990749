"""The numbers of paper and code, and conventions that fit the simulators they are named after."""

from __future__ import annotations

import numpy as np
import pytest

from tests.demonstrations import layouts
from vlm4vla.core.conventions import CONVENTIONS
from vlm4vla.core.convert import action_converter
from vlm4vla.simulators import plugin
from vlm4vla.simulators.registry import names
from vlm4vla.training.plan import resolve
from vlm4vla.training.recipes import RECIPES, recipe, schedule
from vlm4vla.training.settings import TrainSettings

# VLM4VLA section 7 and 9: recipe, preset, backbone -> lr, steps, epochs, clipping.
TABLE = [
    ("calvin", "paper", "qwen3vl-4b", 2e-5, 30_000, None, 0.0),
    ("calvin", "code", "qwen3vl-4b", 2e-5, None, 5, 0.0),
    ("bridge", "paper", "qwen3vl-4b", 5e-5, 50_000, None, 0.0),
    ("bridge", "code", "qwen3vl-4b", 2e-5, 50_000, None, 0.0),
    ("bridge", "code", "paligemma-1", 5e-5, 50_000, None, 0.0),
    ("libero", "code", "qwen2.5vl-3b", 2e-5, 50_000, None, 0.0),
    ("fractal", "code", "qwen2.5vl-3b", 5e-5, 50_000, None, 0.0),
    ("calvin", "default", "kosmos-2", 2e-5, 30_000, None, 1.0),
]


@pytest.mark.parametrize(("name", "preset", "backbone", "lr", "steps", "epochs", "clip"), TABLE)
def test_schedules(name, preset, backbone, lr, steps, epochs, clip):
    found = schedule(recipe(name), preset, backbone)
    assert (found.lr, found.steps, found.epochs, found.clip_gradients) == (lr, steps, epochs, clip)
    assert found.warmup_epochs == 0.25


def test_chunks_and_batches():
    assert {name: (r.chunk, r.batch) for name, r in RECIPES.items() if name != "emoji"} == {
        "calvin": (10, 128), "bridge": (4, 512), "fractal": (4, 512), "libero": (4, 512),
    }  # fmt: skip


def test_the_recipe_reaches_the_plan(tmp_path):
    """CALVIN: stored scaling kept, ten actions, five epochs under `code`, flat positions."""
    layouts.calvin(tmp_path / "task_ABC_D")
    plan = resolve(
        TrainSettings("toy", (tmp_path / "task_ABC_D",), tmp_path / "o", preset="code", batch=4)
    )
    assert plan.config.chunk == 10 and plan.config.statistics is None
    assert plan.steps == 15 and plan.warmup == 1  # 12 samples, 3 steps an epoch
    assert plan.augmenter.shift == pytest.approx(10 / 224) and plan.config.centre_crop == 1.0
    assert plan.config.setup.mrope == "flat" and plan.config.gripper_loss_weight == 0.01
    assert plan.config.camera.name == "static" and plan.config.camera.height == 200
    data = (tmp_path / "task_ABC_D",)
    paper = resolve(TrainSettings("toy", data, tmp_path / "o", preset="paper"))
    assert paper.config.gripper_loss_weight == 1.0 and paper.steps == 30_000
    given = TrainSettings(
        "toy", data, tmp_path / "o", preset="paper",
        model={"gripper_loss_weight": 0.5, "mrope": "native"},
    )  # fmt: skip
    assert resolve(given).config.gripper_loss_weight == 0.5
    assert resolve(given).config.setup.mrope == "native"


@pytest.mark.parametrize("name", sorted({"calvin", "libero"} & set(names())))
def test_a_convention_is_the_simulators_own(name):
    """What a policy learns from the files drives the simulator without a conversion."""
    theirs = plugin(name).describe({})
    actions = np.random.default_rng(0).uniform(-1, 1, (20, 7))
    actions[:, 6] = np.sign(actions[:, 6])
    converted = action_converter(CONVENTIONS[name], theirs.action)(actions)
    assert np.allclose(converted, actions)
    from vlm4vla.demonstrations import calvin, libero

    cameras = {"calvin": calvin.CAMERAS, "libero": libero.CAMERAS}[name]
    assert theirs.observation.cameras[0].name in cameras
