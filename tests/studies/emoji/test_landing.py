"""What a demonstration's actions say about the picture, on paths made for it and on the robot."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from vlm4vla.core.specs import ActionSpec, Gripper, ObservationRequest
from vlm4vla.studies.emoji import landing


def _convention(scale=0.1):
    return ActionSpec("delta", "target", "base", (scale,) * 3, "euler_XYZ", (1.0,) * 3,
                      Gripper(1.0, -1.0, False))  # fmt: skip


def _episode(steps, closes, opens, move):
    """Actions (1, steps, 7) that move the same way at every step."""
    actions = torch.zeros(1, steps, 7)
    actions[..., :3] = torch.tensor(move)
    actions[..., 6] = 1.0
    actions[:, closes:opens, 6] = -1.0
    return actions


@pytest.mark.grinningface
def test_the_place_is_where_the_gripper_opened_not_where_the_hand_went_then():
    kept = torch.ones(1, 20, dtype=torch.bool)
    found = landing.landings(_convention(), _episode(20, 5, 12, (0.2, -0.1, 0.0)), kept, 448)
    x, y = np.array(landing.REST) + 12 * 0.1 * np.array([0.2, -0.1])
    assert np.allclose(found.numpy(), landing.project(np.array([[x, y, 0.0]]), 448), atol=1e-3)
    smaller = landing.landings(_convention(), _episode(20, 5, 12, (0.2, -0.1, 0.0)), kept, 224)
    assert torch.allclose(found, 2 * smaller, atol=1e-3)


@pytest.mark.grinningface
def test_what_lies_behind_an_episodes_end_does_not_count():
    actions = _episode(20, 5, 20, (0.2, 0.0, 0.0))
    kept = torch.arange(20)[None] < 12
    cut = _episode(20, 5, 12, (0.2, 0.0, 0.0))
    assert torch.equal(
        landing.landings(_convention(), actions, kept, 448),
        landing.landings(_convention(), cut, kept, 448),
    )


@pytest.mark.grinningface
def test_the_hand_rests_where_it_is_said_to():
    from vlm4vla.simulators.registry import plugin
    from vlm4vla.suites.grinningface import episodes

    options = {"robot": "panda"}
    world = plugin("grinningface").create(options)
    episode = episodes("x", {"split": "demos", "count": 1, "seed": 1}, options)[0]
    world.reset(replace(episode, setup={**episode.setup, "arm_noise": [0.0] * 7}))
    hand = world.observe(ObservationRequest(privileged=True)).privileged["tcp"]
    world.close()
    assert hand[:2] == pytest.approx(landing.REST, abs=1e-3)


def test_the_error_is_least_for_the_map_that_is_wanted():
    centres = torch.stack(torch.meshgrid(torch.arange(8) * 16.0, torch.arange(6) * 16.0,
                                         indexing="xy"), -1)  # fmt: skip
    wanted = landing.wanted_maps(torch.tensor([[64.0, 32.0], [20.0, 70.0]]), centres, 448)
    assert torch.allclose(wanted.sum((1, 2)), torch.ones(2))
    assert wanted[0].flatten().argmax() == 2 * 8 + 4
    logits = landing.SHARPER * wanted.clamp(min=1e-9).log()
    best = landing.place_error(logits[:, None].repeat(1, 2, 1, 1), wanted)
    for other in (logits.flip(0), torch.ones_like(logits), logits.flip(2), logits / 2, 2 * logits):
        assert landing.place_error(other[:, None], wanted) > best
