"""Numbers of a training as they come: `metrics.csv`, and TensorBoard where it is installed."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

FILE = "metrics.csv"


class Metrics:
    """Appends a line at a time; continues a file by dropping what lies beyond `step`.

    Columns are whatever is told, in the order in which it first was.
    """

    def __init__(self, folder: Path, step: int) -> None:
        """`step`: how many steps the training has behind it."""
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
        """The whole file anew, never seen half done."""
        draft = self._path.with_suffix(".part")
        with draft.open("w", newline="") as file:
            writer = csv.DictWriter(file, self._columns)
            writer.writeheader()
            writer.writerows(rows)
        draft.replace(self._path)

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
