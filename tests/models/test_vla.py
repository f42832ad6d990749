"""Loss, prediction and presets of the whole model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.models.build import INSTRUCTIONS, config, frames, targets, vla
from vlm4vla.core.errors import BadInput, OutOfRange, UnknownName
from vlm4vla.core.specs import ActionSpec, Gripper
from vlm4vla.core.statistics import NAMED
from vlm4vla.models.config import LoRA, Setup
from vlm4vla.models.reading import Targets
from vlm4vla.models.registry import apply_preset, backbone_class, entries, entry


def losses(model, actions, mask):
    return model.loss(model.prepare(frames(3), INSTRUCTIONS), Targets(actions, mask))


def test_losses_are_masked_means_by_hand():
    model = vla("toy", "", gripper_loss_weight=0.3)
    actions = torch.rand(3, 3, 7) * 2 - 1
    mask = torch.tensor([[1, 1, 1], [1, 0, 0], [0, 0, 0]]).bool()
    out = losses(model, actions, mask)
    arm, logits = model.decoder(model.states(model.prepare(frames(3), INSTRUCTIONS)).last)
    wanted = (actions[..., :6].clamp(-0.65, 0.65) / 0.65)[mask]
    error = (arm[mask] - wanted).abs()
    huber = torch.where(error < 1, error**2 / 2, error - 0.5).mean()
    probability = logits.sigmoid()[mask]
    opens = (actions[..., 6] > 0)[mask]
    entropy = -torch.where(opens, probability.log(), (1 - probability).log()).mean()
    torch.testing.assert_close(out["arm"], huber)
    torch.testing.assert_close(out["gripper"], entropy)
    torch.testing.assert_close(out["loss"], huber + 0.3 * entropy)
    squared = losses(vla("toy", "", arm_loss="mse"), actions, mask)["arm"]
    torch.testing.assert_close(squared, (error**2).mean())


def test_what_the_mask_hides_has_no_say():
    model = vla("toy", "")
    actions, mask = torch.rand(3, 3, 7), torch.ones(3, 3) > 0
    mask[:, 2] = False
    before = losses(model, actions, mask)["loss"]
    actions[:, 2] = 1e6
    assert torch.equal(losses(model, actions, mask)["loss"], before)
    assert losses(model, actions, torch.zeros(3, 3) > 0)["loss"] == 0


def test_predictions_are_in_the_datasets_units():
    action = ActionSpec(gripper=Gripper(open=0.0, closed=1.0), statistics="bridge_orig")
    model = vla("toy", "", action=action, statistics=NAMED["bridge_orig"])
    with torch.no_grad():
        model.decoder.arm[-1].bias.fill_(50.0)  # the arm's upper end
    found = model.predict(frames(3), INSTRUCTIONS).numpy()
    low, high = (np.array(x) for x in (NAMED["bridge_orig"].q01, NAMED["bridge_orig"].q99))
    np.testing.assert_allclose(
        found[..., :6], np.broadcast_to(low + 0.825 * (high - low), (3, 3, 6)), atol=1e-5
    )
    assert set(np.unique(found[..., 6])) <= {0.0, 1.0} and found.dtype == np.float32


def test_evaluation_sees_the_middle_of_the_frame():
    whole, cropped = (vla("toy", "", centre_crop=share) for share in (1.0, 0.5))
    cropped.load_state_dict(whole.state_dict())
    images = frames(3)
    painted = images.copy()
    painted[:, :8] = painted[:, -8:] = painted[:, :, :8] = painted[:, :, -8:] = 0
    assert not torch.equal(
        whole.predict(images, INSTRUCTIONS), whole.predict(painted, INSTRUCTIONS)
    )
    assert torch.equal(
        cropped.predict(images, INSTRUCTIONS), cropped.predict(painted, INSTRUCTIONS)
    )


def test_training_learns_a_handful_of_actions():
    model = vla("toy", "").train()
    inputs = model.prepare(frames(3), INSTRUCTIONS)
    actions = torch.rand(3, 3, 7) - 0.5
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3)
    for _ in range(150):
        optimiser.zero_grad()
        out = model(inputs, targets(actions))
        out["loss"].backward()
        optimiser.step()
    assert out["arm"] < 0.01 and out["gripper_accuracy"] == 1
    found = model.eval().predict(frames(3), INSTRUCTIONS)
    assert (found - actions)[..., :6].abs().max() < 0.2


@pytest.mark.parametrize(
    ("preset", "mrope", "attention", "weight"),
    [
        ("default", "native", "native", 0.01),
        ("paper", "flat", "image", 1.0),
        ("code", "flat", "causal", 0.01),
    ],
)
def test_presets(preset, mrope, attention, weight):
    made = apply_preset(config("paligemma-1", "x"), preset)
    assert (made.setup.mrope, made.setup.attention) == (mrope, attention)
    assert (made.decoder.gripper_loss_weight, made.clip_norm, made.preset) == (weight, 0.65, preset)
    assert made.batch_independent == (preset == "default")


def test_presets_that_concern_one_backbone_only():
    moe = config("qwen3vl-30b-a3b", "x")
    assert apply_preset(moe, "code").setup.options["deepstack"] is False
    assert "deepstack" not in apply_preset(moe, "paper").setup.options
    chosen = replace(moe, setup=Setup(options={"deepstack": True}))
    assert apply_preset(chosen, "code").setup.options["deepstack"] is True  # the user's word wins
    assert apply_preset(config("kosmos-2", "x"), "code").setup.options == {
        "phrase": "p",
        "image": "first",
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"chunk": 0},
        {"clip_norm": 0.0},
        {"clip_norm": 1.5},
        {"gripper_loss_weight": -1.0},
        {"gripper_loss_weight": float("nan")},
        {"image_size": 8},
        {"centre_crop": 0.0},
    ],
)
def test_numbers_that_no_model_can_have_are_refused(changes):
    with pytest.raises(OutOfRange):
        config("toy", "", **changes)
    with pytest.raises(OutOfRange, match="rank"):
        LoRA(rank=0)


@pytest.mark.parametrize(
    "action",
    [ActionSpec(gripper=None), ActionSpec(rotation="quat_wxyz"), ActionSpec(rotation="none")],
)
def test_actions_that_no_head_predicts_are_refused(action):
    with pytest.raises(BadInput, match="translation"):
        config("toy", "", action=action)


def test_backbones_by_name():
    names = {"qwen2.5vl-3b", "qwen2.5vl-7b", "qwen3vl-2b", "qwen3vl-4b", "qwen3vl-8b",
             "qwen3vl-30b-a3b", "paligemma-1", "paligemma-2", "kosmos-2"}  # fmt: skip
    assert names < set(entries())
    for name in names:
        assert backbone_class(name).known_options is not None and entry(name).source
    with pytest.raises(UnknownName, match="qwen3vl-4b"):
        entry("qwen3-vl-4b")
    assert backbone_class("vlm4vla.models.toy:ToyBackbone") is backbone_class("toy")
    with pytest.raises(BadInput, match="is not a backbone"):
        backbone_class("json:loads")
