"""What a training measures of itself, and where it is kept: `metrics.csv`, and TensorBoard."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from accelerate import Accelerator
from torch import Tensor

from vlm4vla.core.files import write_whole
from vlm4vla.models.vla import VLA
from vlm4vla.training.batches import Batch

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

FILE = "metrics.csv"


class Metrics:
    """Appends a line at a time to `metrics.csv`, and to TensorBoard where it is installed.

    Columns are whatever is told, in the order in which it first was.
    """

    def __init__(self, folder: Path, step: int) -> None:
        """Continue after `step` steps: what lies beyond them is dropped."""
        self._path = folder / FILE
        kept = [row for row in read(folder) if int(row["step"]) <= step]
        self._columns = list(kept[0]) if kept else ["step"]
        self._write(kept)
        self._board: SummaryWriter | None = None
        if find_spec("tensorboard"):
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """One line; numbers keep every digit, so that two trainings can be compared exactly."""
        new = [name for name in values if name not in self._columns]
        if new:
            self._columns += new
            self._write(read(self._path.parent))
        with self._path.open("a", newline="") as file:
            csv.DictWriter(file, self._columns).writerow({"step": step, **values})
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)

    def _write(self, rows: Sequence[Mapping[str, str]]) -> None:
        """The whole file anew."""
        text = io.StringIO()
        writer = csv.DictWriter(text, self._columns)
        writer.writeheader()
        writer.writerows(rows)
        write_whole(self._path, text.getvalue())

    def close(self) -> None:
        """Flush TensorBoard."""
        if self._board is not None:
            self._board.close()


def read(folder: Path) -> list[dict[str, str]]:
    """The complete lines of a training's metrics; empty if there are none."""
    path = folder / FILE
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        return [row for row in csv.DictReader(file) if None not in row.values()]


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
