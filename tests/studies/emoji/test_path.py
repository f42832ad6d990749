"""The hand's errors, on actions whose sums are known."""

from __future__ import annotations

import math

import pytest
import torch

from vlm4vla.core.specs import ActionSpec, Gripper
from vlm4vla.studies.emoji.path import closed, hand_errors, hand_path, reach_steps

SPEC = ActionSpec("delta", "target", "base", (0.1, 0.2, 0.3), "euler_XYZ", (1.0,) * 3,
                  Gripper(1.0, -1.0, False))  # fmt: skip
STEPS, CLOSES, OPENS, END = 20, 5, 12, 15


def _shown(count=4):
    actions = torch.zeros(count, STEPS, 7)
    actions[..., 6] = 1.0
    actions[:, CLOSES:OPENS, 6] = -1.0
    return actions, (torch.arange(STEPS) < END).repeat(count, 1)


def test_a_demonstration_agrees_with_itself():
    shown, mask = _shown()
    shown[..., :3] = torch.randn(4, STEPS, 3)
    assert hand_errors(SPEC, shown, shown, mask) == {
        "card": 1.0, "grasp_x_mm": 0.0, "grasp_y_mm": 0.0,
    }  # fmt: skip


def test_known_offsets_give_known_numbers():
    """One movement is off before the grasp, another after it; each counts where it should."""
    shown, mask = _shown()
    predicted = shown.clone()
    # 0.1 m a unit in x, 0.2 in y: 4 and 12 mm in x, 6 and 2 mm in y, of four hands.
    predicted[0, 2, 0], predicted[1, CLOSES, 0] = 0.04, -0.12
    predicted[2, 0, 1], predicted[3, CLOSES, 1] = 0.03, -0.01
    # On the way to the card: 98 mm along the row is still the card, 102 is not; x does not matter.
    predicted[0, CLOSES + 1, 1], predicted[1, END - 1, 1] = 0.49, -0.51
    predicted[0, CLOSES + 1, 0] = 9.0
    # Behind the end, and of the gripper or z: nothing.
    predicted[:, END:, :3] = 7.0
    predicted[..., 2], predicted[..., 6] = 1.0, 0.3
    found = hand_errors(SPEC, predicted, shown, mask)
    assert found == {
        "card": 0.75,
        "grasp_x_mm": pytest.approx((4 + 12) / 4, abs=1e-4),
        "grasp_y_mm": pytest.approx((6 + 2) / 4, abs=1e-4),
    }


def test_only_chunks_with_a_grasp_in_them_tell_of_it():
    shown, mask = _shown(2)
    predicted = shown.clone()
    predicted[:, 0, 0] = torch.tensor([0.5, 0.01])
    shown[0, :, 6] = -1.0  # holds the cube from the start
    found = hand_errors(SPEC, predicted, shown, mask)
    assert found["grasp_x_mm"] == pytest.approx(1.0, abs=1e-4)
    shown[1, :END, 6] = 1.0  # never closes before its end
    shown[1, END:, 6] = -1.0
    assert math.isnan(hand_errors(SPEC, predicted, shown, mask)["grasp_x_mm"])


def test_the_path_is_the_sum_of_the_movements_in_metres():
    shown, _ = _shown(1)
    shown[0, :3, :3] = torch.tensor([[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [1.0, 0.0, 2.0]])
    wanted = torch.tensor([[0.1, 0, 0], [0.1, -0.2, 0], [0.2, -0.2, 0.6], [0.2, -0.2, 0.6]])
    assert torch.allclose(hand_path(SPEC, shown)[0, :4], wanted)
    assert closed(SPEC, shown)[0].nonzero().flatten().tolist() == list(range(CLOSES, OPENS))
    # The way to the cube, and three steps with the gripper closed.
    assert reach_steps(SPEC, shown)[0].sum() == CLOSES + 3
