"""Values with their limits, and differences around zero: a row each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from vlm4vla.reports.figures import drawing as draw


@dataclass(frozen=True)
class Interval:
    """A value, or the difference of two, with its limits, in the unit of the metric."""

    label: str
    value: float
    low: float
    high: float
    note: str = ""
    """In small letters below the label."""
    bounds: tuple[float, float] | None = None
    """Where the value would lie if every error were a failure, or a success."""
    hollow: bool = False
    """Of a run that a sequential comparison stopped; of a difference, not separable from zero."""


def intervals(
    points: Sequence[Interval], rate: bool, chance: float | None = None, ax: Axes | None = None
) -> Axes:
    """Dots with whiskers; a dashed line marks chance, a bracket what errors leave open.

    The axis of a `rate` runs from 0 to 100 %; otherwise from 0 (or a round number below the lowest)
    to a round number beyond the highest. Without `ax`, on a sheet of its own.
    """
    top = 1.0 if rate else draw.round_up(max(point.high for point in points))
    least = min(point.low for point in points)
    base = 0.0 if rate or least >= 0 else -draw.round_up(-least)
    line = draw.TALL if any(point.note for point in points) else draw.LINE
    labels, notes = [point.label for point in points], [point.note for point in points]
    ax = draw.rows(ax, "Values with 95 % intervals", labels, notes, line)
    draw.scale(ax, base, top, rate)
    if chance is not None:
        draw.chance_line(ax, chance)
    for row, point in enumerate(points):
        if point.bounds is not None:
            low, high = point.bounds
            (bracket,) = ax.plot(
                (low, low, high, high), [row + part / line for part in (5, 10, 10, 5)],
                color=draw.SOFT, linewidth=1.5, clip_on=False, solid_joinstyle="miter",
            )  # fmt: skip
            draw.tip(bracket, "if every error were a failure, or a success")
        _dot(ax, row, point, base, top)
    return ax


def differences(points: Sequence[Interval], rate: bool, ax: Axes | None = None) -> Axes:
    """Dots with whiskers around a line at zero: one run less another each, at least one.

    Of a `rate` they are differences of fractions, shown in points.
    """
    reach = draw.round_up(max(max(abs(point.low), abs(point.high)) for point in points))
    reach = min(reach, 1.0) if rate else reach
    labels, notes = [point.label for point in points], [point.note for point in points]
    ax = draw.rows(ax, "Paired differences with 95 % intervals", labels, notes, draw.TALL)
    draw.scale(ax, -reach, reach, rate, signed=True)
    ax.axvline(0, color=draw.INK, linewidth=1, clip_on=False)
    for row, point in enumerate(points):
        _dot(ax, row, point, -reach, reach)
    return ax


def _dot(ax: Axes, row: int, point: Interval, base: float, top: float) -> None:
    draw.whisker(ax, row, max(point.low, base), min(point.high, top))
    size, face = (9, "white") if point.hollow else (10, draw.COLOURS[0])
    ax.plot(min(max(point.value, base), top), row, "o", markersize=size, color=draw.COLOURS[0],
            clip_on=False, markerfacecolor=face,
            markeredgewidth=2 if point.hollow else 0)  # fmt: skip
