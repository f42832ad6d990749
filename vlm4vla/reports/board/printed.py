"""Intervals for numbers that others printed, as far as what they printed allows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vlm4vla.stats.aggregate import chain_length_variance
from vlm4vla.stats.intervals import Z95, stratified_rate, wilson
from vlm4vla.store.published import PublishedRow
from vlm4vla.suites.calvin_sequences import LENGTH


@dataclass(frozen=True)
class Printed:
    """A published row with what can be said about its precision."""

    row: PublishedRow
    value: float
    low: float | None
    """95 % interval; None where the trials are not stated."""
    high: float | None
    method: str
    """How the interval was made: `Wilson`, `Wilson by task`, `normal from SR1..5`, or empty."""

    @property
    def standard_error(self) -> float | None:
        """Half the interval over `Z95`, the normal's 97.5 % point; None without an interval."""
        if self.low is None or self.high is None:
            return None
        return (self.high - self.low) / (2 * Z95)


def with_interval(row: PublishedRow, table: Sequence[PublishedRow]) -> Printed | None:
    """The row and its 95 % interval; None for a dash.

    A mean over tasks is taken over their counts where the table prints them; an average length of
    chains has the variance sum((2k-1) p_k) - mean^2 of the five chain rates.

    Args:
        row: one number.
        table: rows among which its tasks and chain rates are looked for.
    """
    value = row.value
    if value is None:
        return None
    if row.n and row.metric == "length":
        return _chain(row, value, row.n, table)
    if not row.n or not row.rate or "conditional" in row.flags:
        return Printed(row, value, None, None, "")
    parts = [part for part in _siblings(row, table) if part.metric == row.metric and part.n]
    tasks = [part for part in parts if part.task != "all" and not part.task.endswith("average")]
    if row.task == "all" and sum(part.n or 0 for part in tasks) == row.n:
        trials = [part.n or 0 for part in tasks]
        counts = [round((part.value or 0) * n) for part, n in zip(tasks, trials, strict=True)]
        found = stratified_rate(counts, trials)
        return Printed(row, value, found.low, found.high, "Wilson by task")
    low, high = wilson(min(value, 1.0) * row.n, row.n)
    return Printed(row, value, float(low), float(high), "Wilson")


def _chain(row: PublishedRow, mean: float, n: int, table: Sequence[PublishedRow]) -> Printed:
    rates = {part.metric: part.value for part in _siblings(row, table)}
    found = [rates.get(f"sr{i}") for i in range(1, LENGTH + 1)]
    p = [rate for rate in found if rate is not None]
    if len(p) < LENGTH:
        return Printed(row, mean, None, None, "")
    half = Z95 * math.sqrt(max(chain_length_variance(p), 0.0) / n)
    return Printed(
        row,
        mean,
        max(mean - half, 0.0),
        min(mean + half, float(LENGTH)),
        f"normal from SR1..{LENGTH}",
    )


def _siblings(row: PublishedRow, table: Sequence[PublishedRow]) -> list[PublishedRow]:
    same = ("source", "table", "model", "variant", "suite", "training_split")
    return [one for one in table if all(getattr(one, name) == getattr(row, name) for name in same)]
