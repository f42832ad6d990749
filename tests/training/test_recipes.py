"""The numbers of paper and code, and conventions that fit the simulators they are named after."""

from __future__ import annotations

import numpy as np
import pytest

from tests.demonstrations import layouts
from vlm4vla.core.conventions import CONVENTIONS
from vlm4vla.core.convert import action_converter
from vlm4vla.core.errors import BadInput, InvalidFile, UnknownName
from vlm4vla.models.config import LoRA
from vlm4vla.models.contracts import ReaderMismatch
from vlm4vla.models.decoders.config import MLPConfig
from vlm4vla.simulators import plugin
from vlm4vla.simulators.registry import names
from vlm4vla.training.plan import resolve
from vlm4vla.training.recipes import NotCarriedOut, recipe, recipe_names
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
    found = recipe(name).stage(preset, backbone)
    assert (found.lr, found.steps, found.epochs, found.clip_gradients) == (lr, steps, epochs, clip)
    assert found.warmup_epochs == 0.25


def test_chunks_and_batches():
    found = {name: recipe(name) for name in recipe_names()}
    assert {name: (r.decoder.chunk, r.stages[0].batch) for name, r in found.items()} == {
        "calvin": (10, 128), "bridge": (4, 512), "fractal": (4, 512), "libero": (4, 512),
        "emoji": (4, 64),
    }  # fmt: skip
    assert {name: (r.statistics, r.augment, r.execution) for name, r in found.items()} == {
        "calvin": ("none", "shift", "chunk"),
        "bridge": ("bridge_orig", "openvla", "chunk+votes2"),
        "fractal": ("fractal20220817_data", "openvla", "chunk+sticky2"),
        "libero": ("libero_10_no_noops", "openvla", "chunk"),
        "emoji": ("own", "none", "chunk"),
    }


def test_the_recipe_reaches_the_plan(tmp_path):
    """CALVIN: stored scaling kept, ten actions, five epochs under `code`, flat positions."""
    layouts.calvin(tmp_path / "task_ABC_D")
    plan = resolve(
        TrainSettings("toy", (tmp_path / "task_ABC_D",), tmp_path / "o", preset="code", batch=4)
    )
    assert plan.config.chunk == 10 and plan.config.statistics is None
    assert plan.steps == 15 and plan.warmup == 1  # 12 samples, 3 steps an epoch
    assert plan.source.augmenter.shift == pytest.approx(10 / 224) and plan.config.centre_crop == 1.0
    assert plan.config.setup.mrope == "flat" and plan.config.decoder.gripper_loss_weight == 0.01
    assert plan.config.cameras[0].name == "static" and plan.config.cameras[0].height == 200
    data = (tmp_path / "task_ABC_D",)
    paper = resolve(TrainSettings("toy", data, tmp_path / "o", preset="paper"))
    assert paper.config.decoder.gripper_loss_weight == 1.0 and paper.steps == 30_000
    given = TrainSettings(
        "toy", data, tmp_path / "o", preset="paper",
        model={"gripper_loss_weight": 0.5, "mrope": "native"},
    )  # fmt: skip
    assert resolve(given).config.decoder.gripper_loss_weight == 0.5
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


OWN = """
summary: ours
decoder: {kind: mlp, chunk: 3, arm_loss: mse, gripper_loss_weight: 0.5}
cameras: [static, gripper]
statistics: own
augment: none
execution: half
stages:
  - {epochs: 2, batch: 4, lr: 1e-3, decay: cosine, warmup_epochs: 0, clip_gradients: 0.5,
     trained: {vision: none, language: {rank: 2}}, weight_decay: {language: 0.1}}
"""


def own(tmp_path, text=OWN, **settings):
    layouts.calvin(tmp_path / "task_ABC_D")
    (tmp_path / "own.yaml").write_text(text)
    given = TrainSettings(
        "toy", (tmp_path / "task_ABC_D",), tmp_path / "o", recipe=str(tmp_path / "own.yaml"),
        **settings,
    )  # fmt: skip
    return resolve(given)


def test_a_recipe_of_ones_own_is_a_file(tmp_path):
    plan = own(tmp_path, OWN.replace("cameras: [static, gripper]", ""))
    config = plan.config
    assert config.decoder == MLPConfig(chunk=3, arm_loss="mse", gripper_loss_weight=0.5)
    assert config.trained == {"vision": "none", "language": LoRA(2)}
    assert (plan.steps, plan.batch, plan.lr, plan.decay) == (6, 4, 1e-3, "cosine")
    assert (plan.warmup, plan.clip_gradients, config.execution) == (0, 0.5, "half")
    assert plan.weight_decay == {"language": 0.1} and config.statistics is not None


def test_what_is_typed_wins_over_the_recipe(tmp_path):
    text = OWN.replace("cameras: [static, gripper]", "")
    plan = own(tmp_path, text, chunk=2, lr=0.1, frozen=("language",), model={"arm_loss": "huber"})
    assert plan.config.decoder == MLPConfig(chunk=2, gripper_loss_weight=0.5)
    assert plan.lr == 0.1 and plan.config.trained == {"language": "none"}


def test_more_cameras_than_a_backbone_reads_are_refused_before_it_is_loaded(tmp_path):
    with pytest.raises(ReaderMismatch, match="2 pictures would stand in one sequence"):
        own(tmp_path)


STAGE = "  - {steps: 1, batch: 1, lr: 0}\n"


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (lambda t: t + STAGE, NotCarriedOut, "2 stages"),
        (lambda t: t.replace("epochs: 2,", "epochs: 2, data: {a: 1.0},"), NotCarriedOut, "mix"),
        (lambda t: t.replace("epochs: 2,", "epochs: 2, loss: text,"), NotCarriedOut, "text"),
        (lambda t: t.replace("epochs: 2", "epochs: 2, steps: 3"), InvalidFile, "steps or epochs"),
        (lambda t: t.replace("batch: 4", "batches: 4"), InvalidFile, r"stages\.0\.batch"),
        (lambda t: t.replace("chunk: 3", "chunks: 3"), InvalidFile, "Did you mean chunk"),
        (lambda t: t.replace("kind: mlp", "kind: mpl"), UnknownName, "Did you mean mlp"),
        (lambda t: t.replace("kind: mlp", "kind: json:loads"), BadInput, "no decoder"),
        (lambda t: t.replace("vision: none", "visin: none"), InvalidFile, "visin"),
        (lambda t: "format: 7\n" + t, InvalidFile, "format 7"),
        (lambda t: t.replace("summary: ours", "summary: [ours"), InvalidFile, "cannot be read"),
    ],
)
def test_a_recipe_that_says_what_cannot_be_is_refused(tmp_path, change, error, says):
    with pytest.raises(error, match=says):
        own(tmp_path, change(OWN))
