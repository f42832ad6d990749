"""What a training measures of itself: losses of the steps, and of what it is not trained on."""

from __future__ import annotations

import time
from collections.abc import Mapping

import torch
from accelerate import Accelerator
from torch import Tensor

from vlm4vla.models.vla import VLA
from vlm4vla.training.batches import Share, held_out
from vlm4vla.training.plan import TrainPlan

_HELD_OUT = 512
"""Most samples that a held-out loss is measured on."""


class Window:
    """Sums of what each micro-batch gave since the last line; they stay on the device."""

    def __init__(self, batch: int) -> None:
        """`batch`: samples a step, for the speed."""
        self._batch = batch
        self._sums: dict[str, Tensor] = {}
        self._steps = 0.0
        self._since = self._began = time.monotonic()

    def add(self, found: Mapping[str, Tensor], accumulate: int) -> None:
        """Take in one of the `accumulate` micro-batches of a step."""
        self._steps += 1 / accumulate
        for name, value in found.items():
            part = value.detach().float() / accumulate
            self._sums[name] = self._sums[name] + part if name in self._sums else part

    def close(self, accelerator: Accelerator, norm: Tensor | float, lr: float) -> dict[str, float]:
        """The means over the window and over all processes; begins the next window."""
        steps = round(self._steps)
        means = {
            name: float(accelerator.reduce(total / steps, "mean"))
            for name, total in self._sums.items()
        }
        now = time.monotonic()
        speed = steps * self._batch / max(now - self._since, 1e-9)
        self._sums, self._steps, self._since = {}, 0.0, now
        return {
            **means,
            "gradient_norm": float(norm),
            "lr": lr,
            "samples_per_s": round(speed, 3),
            "seconds": round(now - self._began, 3),
        }


@torch.no_grad()
def held_out_losses(
    accelerator: Accelerator, plan: TrainPlan, policy: VLA, share: Share
) -> dict[str, float]:
    """Means over samples that are not trained on; nothing where none are held out."""
    if plan.held_out is None:
        return {}
    device = accelerator.device
    sums = torch.zeros(4, device=device)
    policy.eval()  # and not through DDP: processes may have different numbers of batches
    for batch in held_out(plan.held_out, policy, share, _HELD_OUT):
        with accelerator.autocast():
            found = policy(
                {name: tensor.to(device) for name, tensor in batch.inputs.items()},
                batch.actions.to(device),
                batch.mask.to(device),
            )
        size = len(batch.actions)
        losses = [size * found[name].float() for name in ("loss", "arm", "gripper_accuracy")]
        sums += torch.stack([*losses, sums.new_tensor(size)])
    policy.train()
    loss, arm, right, count = accelerator.reduce(sums, "sum").tolist()
    return {
        "held_out_loss": loss / count,
        "held_out_arm": arm / count,
        "held_out_gripper_accuracy": right / count,
    }
