"""Where the hand is after each action of a chunk: what errors that repeat add up to.

Deltas that are each a little off, the same way, end in a missed cube. So a chunk is judged by the
path that it describes: in the loss, and in numbers that say more than a loss does, whether the hand
would grasp and at which card it would arrive. No simulator is asked.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vlm4vla.core.specs import ActionSpec
from vlm4vla.models.contracts import ARM, Conventions

PATH_UNIT = 0.02
"""Metres that count as 1 in the loss of the path."""
ROW = 1
"""The axis of the base frame along which the emoji task lays its three cards: y."""
SAME_CARD = 0.10
"""Metres along the row: half the distance between two cards' centres."""
_GRASP = 3
"""Steps with a closed gripper that still count as reaching."""


def closed(action: ActionSpec, actions: Tensor) -> Tensor:
    """Where the gripper is told to be closed, (N, chunk) bool, of actions (N, chunk, 7)."""
    assert action.gripper is not None
    grips = actions[..., ARM]
    return (grips - action.gripper.closed).abs() < (grips - action.gripper.open).abs()


def hand_path(action: ActionSpec, actions: Tensor) -> Tensor:
    """How far the hand has been told to go by the end of each action: (N, chunk, 3) metres.

    From where it was before the first of actions (N, chunk, 7), in the frame of these deltas.
    """
    return (actions[..., :3] * torch.tensor(action.translation_scale)).cumsum(1)


def reach_steps(action: ActionSpec, actions: Tensor) -> Tensor:
    """Steps up to a moment after the gripper first closes, (N, chunk) bool."""
    return closed(action, actions).cumsum(1) <= _GRASP


def robust(off: Tensor) -> Tensor:
    """Cauchy's loss: a hand 2 mm off counts as with squares, one over the wrong card hardly more.

    With Huber's the 20 cm to the wrong card outweigh every centimetre at the cube.
    """
    return 0.5 * torch.log1p(off.square())


def path_error(conventions: Conventions, error: Tensor, kept: Tensor) -> Tensor:
    """How far the commanded hand is off after each action, metres (B, chunk, 3).

    Args:
        conventions: of the actions, with their quantiles.
        error: (B, chunk, 6) of normalised actions.
        kept: (B, chunk), 0 where an action does not count.
    """
    statistics = conventions.statistics
    assert statistics is not None
    metres = [
        (high - low) / 2 * conventions.clip_norm * scale
        for low, high, scale in zip(
            statistics.q01, statistics.q99, conventions.action.translation_scale, strict=False
        )
    ]
    scale = torch.tensor(metres, device=error.device)
    return (error[..., :3] * scale * kept[..., None]).cumsum(1)


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
