"""The head of VLM4VLA: a multilayer perceptron with an arm branch and a gripper branch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from vlm4vla.core.policy import Session
from vlm4vla.models.contracts import ARM, Conventions
from vlm4vla.models.decoders.decoder import ActionDecoder
from vlm4vla.models.normalisation import Normaliser
from vlm4vla.models.reading import States, Targets

_TRUNK = 1024
_BRANCH = (1024, 512, 256)


class MLPDecoder(ActionDecoder):
    """VLM4VLA's FCDecoder (appendix, Table 9; `base_policy.py` of its code).

    width -> width/2 -> 1024, then two branches 1024 -> 1024 -> 512 -> 256 -> out with ReLU
    between. Xavier-uniform weights, zero biases.
    """

    def __init__(
        self,
        width: int,
        conventions: Conventions,
        chunk: int,
        arm_loss: Literal["huber", "mse"] = "huber",
        gripper_loss_weight: float = 0.01,
        told: int = 0,
    ) -> None:
        """Fresh weights for states of that width; the rest as `MLPConfig` has it.

        `told` numbers of the present proprioception stand behind each state, as they are.
        """
        super().__init__()
        self._told = told
        width += told
        assert conventions.action.gripper is not None
        self.chunk, self.gripper_loss_weight = chunk, gripper_loss_weight
        self._distance = functional.huber_loss if arm_loss == "huber" else functional.mse_loss
        self.normaliser = Normaliser(
            conventions.statistics, conventions.clip_norm, conventions.action.gripper
        )
        self.trunk = nn.Sequential(
            nn.Linear(width, width // 2), nn.ReLU(), nn.Linear(width // 2, _TRUNK)
        )
        self.arm = _branch(chunk * ARM)
        self.gripper = _branch(chunk)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def forward(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """(B, width) -> arm (B, chunk, 6) in [-1, 1], gripper logits (B, chunk), open > 0."""
        shared = self.trunk(hidden)
        arm: Tensor = self.arm(shared).tanh()
        gripper: Tensor = self.gripper(shared)
        return arm.reshape(-1, self.chunk, ARM), gripper

    def loss(self, states: States, targets: Targets) -> dict[str, Tensor]:
        """Masked means over the chunk: `loss`, `arm`, `gripper` and `gripper_accuracy`."""
        arm, logits = self(self._seen(states))
        wanted, opens = self.normaliser.encode(targets.actions.float())
        arm_loss = masked_mean(self._distance(arm, wanted, reduction="none").mean(-1), targets.mask)
        entropy = functional.binary_cross_entropy_with_logits(logits, opens, reduction="none")
        gripper_loss = masked_mean(entropy, targets.mask)
        right = ((logits > 0) == (opens > 0.5)).float()
        return {
            "loss": arm_loss + self.gripper_loss_weight * gripper_loss,
            "arm": arm_loss.detach(),
            "gripper": gripper_loss.detach(),
            "gripper_accuracy": masked_mean(right, targets.mask).detach(),
        }

    def _seen(self, states: States) -> Tensor:
        """(B, width)."""
        if not self._told or states.proprio is None:
            return states.last
        return torch.cat([states.last, states.proprio[:, -1]], -1)

    def decode(self, states: States, sessions: Sequence[Session]) -> Tensor:
        """See ActionDecoder; nothing here is random."""
        return self.normaliser.decode(*self(self._seen(states)))


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean over what the mask keeps; 0 where it keeps nothing."""
    kept = mask.to(values.dtype)
    return (values * kept).sum() / kept.sum().clamp(min=1)


def _branch(out: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    width = _TRUNK
    for following in _BRANCH:
        layers += [nn.Linear(width, following), nn.ReLU()]
        width = following
    return nn.Sequential(*layers, nn.Linear(width, out))
