"""Scatter of backbones with the fitted line: Fig. 3 of VLM4VLA, one suite a drawing."""

from __future__ import annotations

from matplotlib.axes import Axes

from vlm4vla.reports.correlation.correlation import Correlation, Point
from vlm4vla.reports.figures import drawing as draw
from vlm4vla.reports.figures.canvas import blank, tip
from vlm4vla.reports.figures.labels import label_marks
from vlm4vla.reports.tables.numbers import interval_text
from vlm4vla.stats.intervals import Z95

_WIDTH, _HEIGHT = 440.0, 320.0


def scatter(found: Correlation, ax: Axes | None = None) -> Axes:
    """A mark per backbone with the 95 % interval of y, the fit, r with its interval and p."""
    ax = ax or blank(_HEIGHT, f"{found.suite} against {found.vqa}", _WIDTH)
    rate = all(0 <= point.y <= 1 for point in found.points)
    factor = 100.0 if rate else 1.0
    ends = [min(point.x for point in found.points), max(point.x for point in found.points)]
    fit = [factor * (found.intercept + found.slope * end) for end in ends]
    ax.plot(ends, fit, color=draw.SOFT, linewidth=1.5, linestyle=(0, (4, 2)), zorder=1.2)
    families = list(dict.fromkeys(point.family for point in found.points))
    for point in found.points:
        index, reach = families.index(point.family), Z95 * (point.y_error or 0.0)
        limits = [factor * (point.y - reach), factor * (point.y + reach)]
        ax.plot([point.x] * 2, limits, color=draw.colour(index), alpha=0.5, linewidth=1.5,
                zorder=1.4)  # fmt: skip
        draw.mark(ax, index, point.x, factor * point.y, _said(point, factor))
    ax.margins(0.06)
    ax.autoscale_view()
    draw.levels(ax)
    ax.set_xlabel(found.vqa, fontsize=11, color=draw.SOFT, parse_math=False)
    unit = ", %" if rate else ""
    ax.set_ylabel(found.metric.replace("_", " ") + unit, fontsize=11, color=draw.SOFT,
                  parse_math=False)  # fmt: skip
    ax.set_title(
        f"{found.suite}: r = {found.pearson:.2f} {interval_text(found.low, found.high)}, "
        f"p = {found.p:.3g}, n = {found.n}",
        loc="left", fontsize=12, fontweight="bold", color=draw.INK, parse_math=False,
    )  # fmt: skip
    label_marks(ax, [(point.label, point.x, factor * point.y) for point in found.points])
    return ax


def influence(found: Correlation, ax: Axes | None = None) -> Axes:
    """Pearson's r without each backbone and each family, as dots beside the full r."""
    lines = [(f"all {found.n}", found.pearson)]
    lines += [(f"without {point.backbone}", point.without) for point in found.points]
    lines += [
        (f"without {one.family} ({one.members})", one.without)
        for one in found.families
        if one.without is not None and one.members > 1
    ]
    height = 20.0 * len(lines) + draw.BELOW
    ax = ax or blank(height, "Influence of each backbone on r", _WIDTH)
    draw.frame_rows(ax, -0.5, len(lines) - 0.5)
    draw.scale(ax, -1.0, 1.0, rate=False)
    band = ax.axvspan(found.low, found.high, color="#dbe9f3", linewidth=0, zorder=0.5)
    tip(band, "95 % interval of r")
    for row, (text, r) in enumerate(lines):
        draw.name(ax, row, text, bold=row == 0, longest=32)
        draw.mark(ax, 0, r, row, f"{r:.3f}", 9)
    return ax


def _said(point: Point, factor: float) -> str:
    marks = f" ({', '.join(point.marks)})" if point.marks else ""
    return f"{point.backbone}: {point.x:g}, {factor * point.y:.4g}{marks}"
