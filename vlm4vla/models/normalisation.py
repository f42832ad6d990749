"""Actions as a dataset holds them <-> numbers a network predicts.

Two stages, as in VLM4VLA: the dataset's quantiles to [-1, 1] (where it has statistics), then the
arm's numbers clipped to +-clip_norm and rescaled to [-1, 1]. The gripper becomes 1 (open) or 0.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from vlm4vla.core.errors import UnknownName
from vlm4vla.core.specs import Gripper
from vlm4vla.models.config import ARM, Statistics

NAMED = {
    # OpenVLA's dataset statistics as VLM4VLA ships them, dims 0-5.
    "bridge_orig": Statistics(
        "bridge_orig",
        (-0.02873, -0.0417, -0.02609, -0.08092, -0.09289, -0.20718),
        (0.02831, 0.04086, 0.04016, 0.08192, 0.07793, 0.20383),
    ),
    "fractal20220817_data": Statistics(
        "fractal20220817_data",
        (-0.22454, -0.1482, -0.23159, -0.3518, -0.4193, -0.43643),
        (0.17825, 0.14938, 0.21842, 0.58927, 0.35273, 0.44797),
    ),
    "libero_10_no_noops": Statistics(
        "libero_10_no_noops",
        (-0.63482, -0.77411, -0.76339, -0.0975, -0.1482, -0.27429),
        (0.77143, 0.84643, 0.9375, 0.13929, 0.15964, 0.32464),
    ),
}
"""Published statistics by name; a dataset's own are computed by `of_actions`."""


def named(name: str) -> Statistics | None:
    """The published statistics of that name, None for `none`. Raises UnknownName."""
    if name == "none":
        return None
    if name not in NAMED:
        raise UnknownName("statistics", name, ["none", *NAMED])
    return NAMED[name]


def of_actions(name: str, actions: ArrayLike) -> Statistics:
    """q01 and q99 of a dataset's actions (N, 6 or 7)."""
    low, high = np.quantile(np.asarray(actions, np.float64)[:, :ARM], [0.01, 0.99], axis=0)
    return Statistics(name, tuple(low.tolist()), tuple(high.tolist()))


class Normaliser:
    """Both stages and their inverse, on tensors of any device."""

    def __init__(self, statistics: Statistics | None, clip_norm: float, gripper: Gripper) -> None:
        """`gripper` says which of the dataset's values are open and closed."""
        self._clip, self._gripper = clip_norm, gripper
        identity = Statistics("none", (-1.0,) * 6, (1.0,) * 6)
        chosen = statistics or identity
        low, high = torch.tensor(chosen.q01), torch.tensor(chosen.q99)
        self._middle, self._half = (low + high) / 2, (high - low) / 2

    def encode(self, actions: Tensor) -> tuple[Tensor, Tensor]:
        """(..., 7) in the dataset's units -> arm (..., 6) in [-1, 1], gripper (...) in {0, 1}.

        An axis that never moves in the dataset (q01 = q99) becomes 0.
        """
        middle, half = self._middle.to(actions.device), self._half.to(actions.device)
        moves = half > 0
        arm = (actions[..., :ARM] - middle) / torch.where(moves, half, 1.0)
        arm = torch.where(moves, arm, 0.0).clamp(-self._clip, self._clip) / self._clip
        value = actions[..., ARM]
        nearer_open = (value - self._gripper.open).abs() < (value - self._gripper.closed).abs()
        return arm, nearer_open.to(arm.dtype)

    def decode(self, arm: Tensor, gripper_logits: Tensor) -> Tensor:
        """Arm (..., 6) and logits (...) -> actions (..., 7) in the dataset's units."""
        middle, half = self._middle.to(arm.device), self._half.to(arm.device)
        moved = arm.float() * self._clip * half + middle
        opens = gripper_logits > 0  # sigmoid > 0.5
        gripper = torch.where(opens, self._gripper.open, self._gripper.closed)
        return torch.cat([moved, gripper[..., None].to(moved)], -1)
