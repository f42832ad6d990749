"""Actions as a dataset holds them <-> numbers a network predicts.

Two stages, as in VLM4VLA: the dataset's quantiles to [-1, 1] (where it has statistics), then the
arm's numbers clipped to +-clip_norm and rescaled to [-1, 1]. The gripper becomes 1 (open) or 0.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vlm4vla.core.specs import Gripper
from vlm4vla.core.statistics import ActionStatistics
from vlm4vla.models.contracts import ARM


class Normaliser:
    """Both stages and their inverse, on tensors of any device."""

    def __init__(
        self, statistics: ActionStatistics | None, clip_norm: float, gripper: Gripper
    ) -> None:
        """`gripper` says which of the dataset's values are open and closed."""
        self._clip, self._gripper = clip_norm, gripper
        chosen = statistics or ActionStatistics("none", (-1.0,) * 6, (1.0,) * 6)
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
