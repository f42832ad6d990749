"""How far episodes come: reached, grasped, lifted, placed, success."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vlm4vla.reports.figures.drawing import LINE, WIDTH, label, label_width, svg


@dataclass(frozen=True)
class Bar:
    """A count out of a total."""

    label: str
    count: int
    total: int


def funnel(bars: Sequence[Bar]) -> str:
    """SVG: horizontal bars with their counts written at the end."""
    left, right = label_width([bar.label for bar in bars]), WIDTH - 58
    parts = []
    for row, bar in enumerate(bars):
        y = LINE * row + 4
        width = (right - left) * (bar.count / bar.total if bar.total else 0.0)
        parts.append(label(bar.label, left, y + 9))
        parts.append(
            f'<rect class="rail" x="{left:.1f}" y="{y}" width="{right - left:.1f}" height="18"/>'
            f'<rect class="bar" x="{left:.1f}" y="{y}" width="{width:.1f}" height="18"/>'
            f'<text class="count" x="{right + 6:.1f}" y="{y + 13}">{bar.count}/{bar.total}</text>'
        )
    return svg(LINE * len(bars) + 4, parts, "How many episodes reached each stage")
