"""Names beside marks, none upon another as far as there is room."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from vlm4vla.reports.figures.drawing import INK

Box = tuple[float, float, float, float]
"""Left, bottom, right, top; points."""

_LETTER, _HEIGHT = 6.2, 13.5
"""Mean width of a letter of the size used, and its height."""
_AROUND = (
    (9, 0), (-9, 0), (0, 13), (0, -14), (9, 11), (-9, 11), (9, -12), (-9, -12),
    (9, 22), (-9, 22), (9, -23), (-9, -23), (0, 25), (0, -26),
)  # fmt: skip
_PASSES = 4
"""So often each is placed anew, the others being where they are."""


def label_marks(ax: Axes, marks: Sequence[tuple[str, float, float]]) -> None:
    """Write the name of each mark beside it.

    Args:
        ax: limits and everything around the axes are settled.
        marks: name, x and y in the unit of the data.
    """
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
    texts: Sequence[str], marks: Sequence[tuple[float, float]], room: Box
) -> list[tuple[float, float]]:
    """How far from its mark each text goes: the nearest place that hides nothing, or the best.

    Args:
        texts: one for each mark.
        marks: centres, points.
        room: texts stay inside.

    Returns:
        Offset in points for each text, from which it goes right, left, or either way from 0.
    """
    dots: list[Box] = [(x - 6, y - 6, x + 6, y + 6) for x, y in marks]
    choices = [
        [_box(text, x + dx, y + dy, dx) for dx, dy in _AROUND]
        for text, (x, y) in zip(texts, marks, strict=True)
    ]
    chosen = [0] * len(texts)
    for _ in range(_PASSES):
        for one, boxes in enumerate(choices):
            others = [choices[i][at] for i, at in enumerate(chosen) if i != one]
            costs = [
                sum(_overlap(box, other) for other in others)
                + 9 * sum(_overlap(box, dot) for dot in dots)
                + 4 * _outside(box, room)
                + 2 * number  # the nearer the better, all else being equal
                for number, box in enumerate(boxes)
            ]
            chosen[one] = costs.index(min(costs))
    return [_AROUND[at] for at in chosen]


def _box(text: str, x: float, y: float, side: float) -> Box:
    width = _LETTER * len(text)
    left = x - width / 2 if side == 0 else x if side > 0 else x - width
    return left, y - _HEIGHT / 2, left + width, y + _HEIGHT / 2


def _overlap(one: Box, other: Box) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(width, 0.0) * max(height, 0.0)


def _outside(box: Box, room: Box) -> float:
    beyond = (room[0] - box[0], room[1] - box[1], box[2] - room[2], box[3] - room[3])
    return 10 * sum(max(amount, 0.0) for amount in beyond)
