"""Names beside marks, none upon another as far as there is room."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from vlm4vla.reports.figures.drawing import INK
from vlm4vla.stats.intervals import Floats

_LETTER, _HEIGHT = 6.2, 13.5
"""Mean width of a letter of the size used, and its height."""
_AROUND = (
    (9, 0), (-9, 0), (0, 13), (0, -14), (9, 11), (-9, 11), (9, -12), (-9, -12),
    (9, 22), (-9, 22), (9, -23), (-9, -23), (0, 25), (0, -26),
)  # fmt: skip
_PASSES = 4
"""So often each is placed anew, the others being where they are."""


def label_marks(ax: Axes, marks: Sequence[tuple[str, float, float]]) -> None:
    """Write beside each mark (name, x, y) its name; the limits of the axes must be settled."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()  # only then is it known where the axes are
    points = ax.transData.transform([(x, y) for _, x, y in marks]) * 72 / figure.dpi
    x0, y0, x1, y1 = (float(edge) * 72 / figure.dpi for edge in ax.get_window_extent().extents)
    places = place([name for name, _, _ in marks], points.tolist(), (x0, y0, x1, y1))
    for (name, x, y), (dx, dy) in zip(marks, places, strict=True):
        shown = ax.annotate(
            name, (x, y), xytext=(dx, dy), textcoords="offset points", fontsize=10.5, color=INK,
            ha="center" if dx == 0 else "left" if dx > 0 else "right", va="center",
            parse_math=False, zorder=1.6,
            bbox={"facecolor": "white", "alpha": 0.6, "linewidth": 0, "pad": 0},
        )  # fmt: skip
        shown.set_in_layout(False)


def place(
    texts: Sequence[str],
    marks: Sequence[tuple[float, float]],
    room: tuple[float, float, float, float],
) -> list[tuple[float, float]]:
    """How far from its mark each text goes: the nearest place that hides nothing, or the best.

    Args:
        texts: one for each mark.
        marks: centres, points.
        room: left, bottom, right, top: texts stay inside.

    Returns:
        Offset in points for each text, from which it goes right, left, or either way from 0.
    """
    marked, around = np.array(marks), np.array(_AROUND)
    widths = _LETTER * np.array([[len(text)] for text in texts])
    at = marked[:, None] + around
    left = at[..., 0] - widths * (1 - np.sign(around[:, 0])) / 2
    edges = (left, at[..., 1] - _HEIGHT / 2, left + widths, at[..., 1] + _HEIGHT / 2)
    boxes = np.stack(edges, axis=-1)  # (text, place, edge)
    dots = np.hstack([marked - 6, marked + 6])
    beyond = np.maximum(boxes * (-1, -1, 1, 1) - np.multiply(room, (-1, -1, 1, 1)), 0)
    # The nearer the better, all else being equal.
    fixed = 9 * _overlap(boxes[:, :, None], dots) + 40 * beyond.sum(-1) + 2 * np.arange(len(around))
    chosen = np.zeros(len(texts), dtype=int)
    for _ in range(_PASSES):
        for one in range(len(texts)):
            others = np.delete(boxes[np.arange(len(texts)), chosen], one, axis=0)
            chosen[one] = np.argmin(fixed[one] + _overlap(boxes[one][:, None], others))
    return [_AROUND[place] for place in chosen]


def _overlap(boxes: Floats, others: Floats) -> Floats:
    """Of each box with all the others together, in square points."""
    low = np.maximum(boxes[..., :2], others[..., :2])
    sides = np.maximum(np.minimum(boxes[..., 2:], others[..., 2:]) - low, 0)
    shared: Floats = sides.prod(-1).sum(-1)
    return shared
