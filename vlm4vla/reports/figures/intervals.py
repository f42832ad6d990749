"""Values with their limits, a row each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vlm4vla.reports.figures.drawing import (
    LINE,
    TALL,
    WIDTH,
    axis,
    label,
    label_width,
    round_up,
    svg,
)


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


def intervals(points: Sequence[Interval], rate: bool, chance: float | None = None) -> str:
    """SVG: dots with whiskers; a dashed line marks chance, a bracket what errors leave open.

    Args:
        points: what is drawn, at least one.
        rate: the axis runs from 0 to 100 %; otherwise from 0 (or a round number below the lowest)
            to a round number beyond the highest.
        chance: value of a policy that knows nothing.
    """
    top = 1.0 if rate else round_up(max(point.high for point in points))
    least = min(point.low for point in points)
    base = 0.0 if rate or least >= 0 else -round_up(-least)
    notes = [point.note for point in points]
    line = TALL if any(notes) else LINE
    left, right = label_width([point.label for point in points], notes), WIDTH - 14
    bottom = line * len(points) + 6

    def x(value: float) -> float:
        return left + (right - left) * min(max((value - base) / (top - base), 0.0), 1.0)

    parts = [axis(x, base, top, bottom, rate)]
    if chance is not None:
        parts.append(f'<line class="chance" x1="{x(chance):.1f}" x2="{x(chance):.1f}" y1="0" '
                     f'y2="{bottom}"><title>chance</title></line>')  # fmt: skip
    for row, point in enumerate(points):
        y = line * row + line / 2 + 3
        parts.append(label(point.label, left, y, point.note))
        if point.bounds is not None:
            low, high = point.bounds
            parts.append(
                f'<path class="bounds" d="M{x(low):.1f} {y + 5}v5H{x(high):.1f}v-5">'
                "<title>if every error were a failure, or a success</title></path>"
            )
        kind = "dot hollow" if point.hollow else "dot"
        parts.append(
            f'<line class="whisker" x1="{x(point.low):.1f}" x2="{x(point.high):.1f}" y1="{y}" '
            f'y2="{y}"/><circle class="{kind}" cx="{x(point.value):.1f}" cy="{y}" r="5"/>'
        )
    return svg(bottom + 20, parts, "Values with 95 % intervals")
