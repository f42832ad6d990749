"""What a training measures of itself: losses of the steps, and of what it is not trained on."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence

import torch
from accelerate import Accelerator
from torch import Tensor

from vlm4vla.models.vla import VLA
from vlm4vla.training.batches import Batch


class LossWindow:
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

    def close(self, accelerator: Accelerator) -> tuple[dict[str, float], dict[str, float]]:
        """The mean losses over the window and all processes, then its clocks; begins the next."""
        steps = round(self._steps)
        means = {
            name: float(accelerator.reduce(total / steps, "mean"))
            for name, total in self._sums.items()
        }
        now = time.monotonic()
        speed = steps * self._batch / max(now - self._since, 1e-9)
        self._sums, self._steps, self._since = {}, 0.0, now
        return means, {"samples_per_s": round(speed, 3), "seconds": round(now - self._began, 3)}


def held_out_losses(
    accelerator: Accelerator, policy: VLA, names: Sequence[str], batches: Iterable[Batch]
) -> dict[str, float]:
    """Means of the losses called `names`, over all processes' batches.

    Not through DDP: processes may have different numbers of batches.
    """
    sums = torch.zeros(len(names) + 1, device=accelerator.device)
    for batch in batches:
        with accelerator.autocast():
            there = batch.to(accelerator.device)
            found = policy(there.inputs, there.targets)
        losses = [len(batch) * found[name].float() for name in names]
        sums += torch.stack([*losses, sums.new_tensor(len(batch))])
    *totals, count = accelerator.reduce(sums, "sum").tolist()
    return {f"held_out_{name}": total / count for name, total in zip(names, totals, strict=True)}
