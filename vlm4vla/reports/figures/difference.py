"""Differences between runs on identical episodes, around zero."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vlm4vla.reports.figures.drawing import TALL, WIDTH, axis, label, label_width, round_up, svg


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


def differences(rows: Sequence[Difference], rate: bool) -> str:
    """SVG: dots with whiskers around a line at zero; hollow where the sign is not established.

    Args:
        rows: what is drawn, at least one.
        rate: values are fractions, shown in points.
    """
    reach = max(max(abs(row.low), abs(row.high)) for row in rows)
    reach = min(round_up(reach), 1.0) if rate else round_up(reach)
    left = label_width([row.label for row in rows], [row.note for row in rows])
    right, bottom = WIDTH - 16, TALL * len(rows) + 6

    def x(value: float) -> float:
        share = (value + reach) / (2 * reach)
        return left + (right - left) * min(max(share, 0.0), 1.0)

    parts = [axis(x, -reach, reach, bottom, rate, signed=True)]
    parts.append(f'<line class="zero" x1="{x(0):.1f}" x2="{x(0):.1f}" y1="0" y2="{bottom}"/>')
    for number, row in enumerate(rows):
        y = TALL * number + TALL / 2 + 3
        kind = "dot hollow" if row.hollow else "dot"
        parts.append(label(row.label, left, y, row.note))
        parts.append(
            f'<line class="whisker" x1="{x(row.low):.1f}" x2="{x(row.high):.1f}" y1="{y}" '
            f'y2="{y}"/><circle class="{kind}" cx="{x(row.value):.1f}" cy="{y}" r="5"/>'
        )
    return svg(bottom + 20, parts, "Paired differences with 95 % intervals")
