"""Where the hand is after each action of a chunk: what errors that repeat add up to.

Deltas that are each a little off, the same way, end in a missed cube. These terms judge a chunk by
the path that it describes.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vlm4vla.models.config import ARM
from vlm4vla.models.vla import VLA

PATH_UNIT = 0.02
"""Metres that count as 1 in the loss of the path."""
_GRASP = 3
"""Steps with a closed gripper that still count as reaching."""


def closed(model: VLA, actions: Tensor) -> Tensor:
    """Where the gripper is told to be closed, (N, chunk) bool, of actions (N, chunk, 7)."""
    gripper = model.config.action.gripper
    assert gripper is not None
    grips = actions[..., ARM]
    return (grips - gripper.closed).abs() < (grips - gripper.open).abs()


def hand_path(model: VLA, actions: Tensor) -> Tensor:
    """How far the hand has been told to go by the end of each action: (N, chunk, 3) metres.

    From where it was before the first of actions (N, chunk, 7), in the frame of these deltas.
    """
    return (actions[..., :3] * torch.tensor(model.config.action.translation_scale)).cumsum(1)


def reach_steps(model: VLA, actions: Tensor) -> Tensor:
    """Steps up to a moment after the gripper first closes, (N, chunk) bool."""
    return closed(model, actions).cumsum(1) <= _GRASP


def robust(off: Tensor) -> Tensor:
    """Cauchy's loss: a hand 2 mm off counts as with squares, one over the wrong card hardly more.

    With Huber's the 20 cm to the wrong card outweigh every centimetre at the cube.
    """
    return 0.5 * torch.log1p(off.square())


def path_error(model: VLA, error: Tensor, kept: Tensor) -> Tensor:
    """How far the commanded hand is off after each action, metres (B, chunk, 3)."""
    statistics, action = model.config.statistics, model.config.action
    assert statistics is not None
    metres = [
        (high - low) / 2 * model.config.clip_norm * scale
        for low, high, scale in zip(
            statistics.q01, statistics.q99, action.translation_scale, strict=False
        )
    ]
    return (error[..., :3] * torch.tensor(metres) * kept[..., None]).cumsum(1)


def masked_mean(values: Tensor, kept: Tensor) -> Tensor:
    """The mean of `values` where `kept` is 1; 0 where it nowhere is."""
    return (values * kept).sum() / kept.sum().clamp(min=1)
