"""Scatter of backbones with the fitted line: Fig. 3 of VLM4VLA, one suite a drawing.

Names stand beside their marks, none upon another as far as there is room.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from vlm4vla.reports.correlation.correlation import Correlation, Point
from vlm4vla.reports.figures import drawing as draw
from vlm4vla.reports.tables.numbers import interval_text
from vlm4vla.stats.intervals import Z95, Floats

_WIDTH, _TALL = 440.0, 320.0
_LETTER, _HEIGHT = 6.2, 13.5
"""Mean width of a letter of the size used, and its height."""
_AROUND = (
    (9, 0), (-9, 0), (0, 13), (0, -14), (9, 11), (-9, 11), (9, -12), (-9, -12),
    (9, 22), (-9, 22), (9, -23), (-9, -23), (0, 25), (0, -26),
)  # fmt: skip
_PASSES = 4
"""So often each is placed anew, the others being where they are."""


def scatter(found: Correlation, ax: Axes | None = None) -> Axes:
    """A mark per backbone with the 95 % interval of y, the fit, r with its interval and p."""
    ax = ax or draw.blank(_TALL, f"{found.suite} against {found.vqa}", _WIDTH)
    across, factor = found.scale
    ends = [min(point.x for point in found.points), max(point.x for point in found.points)]
    fit = [factor * (found.intercept + found.slope * end) for end in ends]
    ax.plot(
        [across * end for end in ends],
        fit,
        color=draw.SOFT,
        linewidth=1.5,
        linestyle=(0, (4, 2)),
        zorder=1.2,
    )
    families = list(dict.fromkeys(point.family for point in found.points))
    for point in found.points:
        index, reach = families.index(point.family), Z95 * (point.y_error or 0.0)
        limits = [factor * (point.y - reach), factor * (point.y + reach)]
        ax.plot([across * point.x] * 2, limits, color=draw.colour(index), alpha=0.5, linewidth=1.5,
                zorder=1.4)  # fmt: skip
        draw.mark(ax, index, across * point.x, factor * point.y, _said(point, across, factor))
    ax.margins(0.06)
    ax.autoscale_view()
    draw.levels(ax)
    ax.set_xlabel(found.vqa + found.signs[0], fontsize=11, color=draw.SOFT, parse_math=False)
    ax.set_ylabel(found.metric.replace("_", " ") + found.signs[1], fontsize=11, color=draw.SOFT,
                  parse_math=False)  # fmt: skip
    shown = "" if np.isnan(found.low) else f" {interval_text(found.low, found.high)}"
    ax.set_title(
        f"{found.suite}: r = {found.pearson:.2f}{shown}, "
        f"p = {found.p:.3g}, n = {found.n}",
        loc="left", fontsize=12, fontweight="bold", color=draw.INK, parse_math=False,
    )  # fmt: skip
    _label(ax, [(point.label, across * point.x, factor * point.y) for point in found.points])
    return ax


def influence(found: Correlation, ax: Axes | None = None) -> Axes:
    """Pearson's r without each backbone and each family, as dots beside the full r."""
    lines = [(f"all {found.n}", found.pearson)]
    lines += [(f"without {point.name}", point.without) for point in found.points]
    lines += [
        (f"without {one.family} ({one.members})", one.without)
        for one in found.families
        if one.without is not None and one.members > 1
    ]
    height = 20.0 * len(lines) + draw.BELOW
    ax = ax or draw.blank(height, "Influence of each backbone on r", _WIDTH)
    draw.frame_rows(ax, -0.5, len(lines) - 0.5)
    draw.scale(ax, -1.0, 1.0, rate=False)
    if not np.isnan(found.low):
        band = ax.axvspan(found.low, found.high, color="#dbe9f3", linewidth=0, zorder=0.5)
        draw.tip(band, "95 % interval of r")
    for row, (text, r) in enumerate(lines):
        draw.name(ax, row, text, bold=row == 0, longest=32)
        draw.mark(ax, 0, r, row, f"{r:.3f}", 9)
    return ax


def _said(point: Point, across: float, factor: float) -> str:
    marks = f" ({', '.join(point.marks)})" if point.marks else ""
    return f"{point.name}: {across * point.x:g}, {factor * point.y:.4g}{marks}"


def _label(ax: Axes, marks: Sequence[tuple[str, float, float]]) -> None:
    """Write beside each mark (name, x, y) its name; the limits of the axes must be settled."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()  # only then is it known where the axes are
    points = ax.transData.transform([(x, y) for _, x, y in marks]) * 72 / figure.dpi
    room = np.asarray(ax.get_window_extent().extents) * 72 / figure.dpi
    places = place([name for name, _, _ in marks], points, room)
    for (name, x, y), (dx, dy) in zip(marks, places, strict=True):
        shown = ax.annotate(
            name, (x, y), xytext=(dx, dy), textcoords="offset points", fontsize=10.5,
            ha="center" if dx == 0 else "left" if dx > 0 else "right", va="center",
            color=draw.INK, parse_math=False, zorder=1.6,
            bbox={"facecolor": "white", "alpha": 0.6, "linewidth": 0, "pad": 0},
        )  # fmt: skip
        shown.set_in_layout(False)


def place(texts: Sequence[str], marks: ArrayLike, room: ArrayLike) -> list[tuple[int, int]]:
    """How far from its mark each text goes: the nearest place that hides nothing, or the best.

    `marks` are centres (N, 2) and `room`, in which texts stay, is left, bottom, right, top; an
    offset is what the text goes right from, left from, or either way from where it is 0. In points.
    """
    marked, around = np.asarray(marks, dtype=float), np.array(_AROUND)
    widths = _LETTER * np.array([[len(text)] for text in texts])
    at = marked[:, None] + around
    left = at[..., 0] - widths * (1 - np.sign(around[:, 0])) / 2
    edges = (left, at[..., 1] - _HEIGHT / 2, left + widths, at[..., 1] + _HEIGHT / 2)
    boxes = np.stack(edges, axis=-1)  # (text, place, edge)
    dots = np.hstack([marked - 6, marked + 6])
    beyond = np.maximum((boxes - np.asarray(room)) * (-1, -1, 1, 1), 0)
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
