"""Differences between runs on identical episodes, around zero."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from vlm4vla.reports.figures import drawing as draw
from vlm4vla.reports.figures.canvas import blank


@dataclass(frozen=True)
class Difference:
    """One run less another, in the unit of the metric."""

    label: str
    value: float
    low: float
    high: float
    note: str = ""
    """E.g. pairs, discordant ones and p."""
    hollow: bool = False
    """Not separable from zero."""


def differences(rows: Sequence[Difference], rate: bool, ax: Axes | None = None) -> Axes:
    """Dots with whiskers around a line at zero; hollow where the sign is not established.

    Args:
        rows: what is drawn, at least one.
        rate: values are fractions, shown in points.
        ax: where; by default on a sheet of its own.
    """
    reach = draw.round_up(max(max(abs(row.low), abs(row.high)) for row in rows))
    reach = min(reach, 1.0) if rate else reach
    height = draw.TALL * len(rows) + draw.BELOW
    ax = ax or blank(height, name="Paired differences with 95 % intervals")
    draw.rows(ax, [row.label for row in rows], [row.note for row in rows])
    draw.scale(ax, -reach, reach, rate, signed=True)
    ax.axvline(0, color=draw.INK, linewidth=1, clip_on=False)
    for y, row in enumerate(rows):
        draw.whisker(ax, y, max(row.low, -reach), min(row.high, reach))
        draw.dot(ax, row.value, y, row.hollow)
    return ax
