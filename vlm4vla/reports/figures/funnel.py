"""How far episodes come: reached, grasped, lifted, placed, success."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from vlm4vla.reports.figures import drawing as draw
from vlm4vla.reports.figures.canvas import blank


@dataclass(frozen=True)
class Bar:
    """A count out of a total."""

    label: str
    count: int
    total: int


def funnel(bars: Sequence[Bar], ax: Axes | None = None) -> Axes:
    """Horizontal bars on rails as long as the total, counts written at the end."""
    ax = ax or blank(draw.LINE * len(bars) + 6, name="How many episodes reached each stage")
    draw.rows(ax, [bar.label for bar in bars])
    draw.bare(ax, 1)
    places = range(len(bars))
    ax.barh(places, 1.0, draw.THICK, color=draw.RAIL)
    ax.barh(places, [bar.count / max(1, bar.total) for bar in bars], draw.THICK,
            color=draw.COLOURS[0])  # fmt: skip
    for row, bar in enumerate(bars):
        draw.after(ax, 1.0, row, f"{bar.count}/{bar.total}")
    return ax
