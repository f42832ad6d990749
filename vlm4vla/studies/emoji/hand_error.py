"""How far a predicted hand is from the demonstrated one, in numbers that mean something.

A loss says whether a network still learns; these say whether it would grasp, and at which card it
would arrive. No simulator is asked: a chunk's movements add up to a path.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vlm4vla.core.specs import ActionSpec
from vlm4vla.studies.emoji.path import closed, hand_path

ROW = 1
"""The axis of the base frame along which the emoji task lays its three cards: y."""
SAME_CARD = 0.10
"""Metres along the row: half the distance between two cards' centres."""


def hand_errors(
    action: ActionSpec, predicted: Tensor, shown: Tensor, mask: Tensor
) -> dict[str, float]:
    """Compare where two chunks of actions lead the hand.

    Args:
        action: the convention of the actions.
        predicted: (N, chunk, 7), actions as the policy would send them.
        shown: (N, chunk, 7), the demonstrations'.
        mask: (N, chunk) bool, False behind the demonstrations' end.

    Returns:
        `card`: the share whose hand is within `SAME_CARD` of the demonstrated one along the row,
        when the demonstration ends. `grasp_x_mm`, `grasp_y_mm`: mean distances when the
        demonstrated gripper first closes; nan where none does, or all are closed at the start.
    """
    off = (hand_path(action, predicted) - hand_path(action, shown)).abs()
    each = torch.arange(len(off))
    end = torch.where(mask, torch.arange(off.shape[1]), 0).amax(1)
    gripped = closed(action, shown) & mask
    grasps = gripped.any(1) & ~gripped[:, 0]
    at_grasp = 1000 * off[each, gripped.int().argmax(1)][grasps]
    return {
        "card": float((off[each, end, ROW] < SAME_CARD).float().mean()),
        "grasp_x_mm": float(at_grasp[:, 0].mean()),
        "grasp_y_mm": float(at_grasp[:, 1].mean()),
    }
