"""Values with their limits, a row each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from vlm4vla.reports.figures import drawing as draw
from vlm4vla.reports.figures.canvas import blank, tip


@dataclass(frozen=True)
class Interval:
    """A value with its limits, in the unit of the metric."""

    label: str
    value: float
    low: float
    high: float
    note: str = ""
    """In small letters below the label."""
    bounds: tuple[float, float] | None = None
    """Where the value would lie if every error were a failure, or a success."""
    hollow: bool = False
    """Of a run that a sequential comparison stopped."""


def intervals(
    points: Sequence[Interval], rate: bool, chance: float | None = None, ax: Axes | None = None
) -> Axes:
    """Dots with whiskers; a dashed line marks chance, a bracket what errors leave open.

    Args:
        points: what is drawn, at least one.
        rate: the axis runs from 0 to 100 %; otherwise from 0 (or a round number below the lowest)
            to a round number beyond the highest.
        chance: value of a policy that knows nothing.
        ax: where; by default on a sheet of its own.
    """
    top = 1.0 if rate else draw.round_up(max(point.high for point in points))
    least = min(point.low for point in points)
    base = 0.0 if rate or least >= 0 else -draw.round_up(-least)
    notes = [point.note for point in points]
    line = draw.TALL if any(notes) else draw.LINE
    ax = ax or blank(line * len(points) + draw.BELOW, name="Values with 95 % intervals")
    draw.rows(ax, [point.label for point in points], notes)
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
            tip(bracket, "if every error were a failure, or a success")
        draw.whisker(ax, row, max(point.low, base), min(point.high, top))
        draw.dot(ax, min(max(point.value, base), top), row, point.hollow)
    return ax
