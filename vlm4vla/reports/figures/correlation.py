"""Scatter of backbones with the fitted line: Fig. 3 of VLM4VLA, one suite a drawing."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

from vlm4vla.reports.correlation.correlation import Correlation, Point
from vlm4vla.reports.figures.drawing import COLOURS, shape, svg
from vlm4vla.reports.figures.labels import place

WIDTH, HEIGHT = 440, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 26, 40


def scatter(found: Correlation) -> str:
    """SVG: a mark per backbone with the 95 % interval of y, the fit, r with its interval and p."""
    rate = all(0 <= point.y <= 1 for point in found.points)
    factor = 100.0 if rate else 1.0
    half = [1.96 * (point.y_error or 0.0) for point in found.points]
    ys = [p.y + sign * h for p, h in zip(found.points, half, strict=True) for sign in (-1, 1)]
    x = _Scale([point.x for point in found.points], _LEFT, WIDTH - _RIGHT)
    y = _Scale([factor * value for value in ys], HEIGHT - _BOTTOM, _TOP)
    marks = [(x(point.x), y(factor * point.y)) for point in found.points]
    parts = _axes(x, y)
    ends = [min(point.x for point in found.points), max(point.x for point in found.points)]
    fit = [factor * (found.intercept + found.slope * end) for end in ends]
    line = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in zip(ends, fit, strict=True))
    parts.append(
        f'<polyline points="{line}" fill="none" stroke="#5b6470" stroke-width="1.5" '
        'stroke-dasharray="6 3"/>'
    )
    families = list(dict.fromkeys(point.family for point in found.points))
    for point, reach, (px, py) in zip(found.points, half, marks, strict=True):
        index = families.index(point.family)
        low, high = y(factor * (point.y - reach)), y(factor * (point.y + reach))
        parts.append(
            f'<line x1="{px:.1f}" x2="{px:.1f}" y1="{low:.1f}" y2="{high:.1f}" '
            f'stroke="{COLOURS[index % len(COLOURS)]}" stroke-opacity=".5" stroke-width="1.5"/>'
        )
        parts.append(shape(index, px, py, _said(point, factor)))
    names = [point.label for point in found.points]
    for name, (px, py, anchor) in zip(
        names, place(names, marks, (_LEFT, _TOP, WIDTH, HEIGHT - _BOTTOM)), strict=True
    ):
        parts.append(
            f'<text x="{px:.1f}" y="{py:.1f}" text-anchor="{anchor}" font-size="10.5" '
            f'paint-order="stroke" stroke="#fff" stroke-width="3">{html.escape(name)}</text>'
        )
    parts += _titles(found, ", %" if rate else "")
    name = html.escape(f"{found.suite} against {found.vqa}", quote=True)
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{name}">{"".join(parts)}</svg>'
    )


def influence(found: Correlation) -> str:
    """SVG: Pearson's r without each backbone and each family, as dots beside the full r."""
    rows = [(f"all {found.n}", found.pearson)]
    rows += [(f"without {point.backbone}", point.without) for point in found.points]
    rows += [
        (f"without {one.family} ({one.members})", one.without)
        for one in found.families
        if one.without is not None and one.members > 1
    ]
    left, right, height = 178, WIDTH - 16, 20

    def px(r: float) -> float:
        return left + (right - left) * (r + 1) / 2

    bottom = height * len(rows) + 4
    parts = []
    for tick in (-1.0, -0.5, 0.0, 0.5, 1.0):
        parts.append(
            f'<line class="grid" x1="{px(tick):.1f}" x2="{px(tick):.1f}" y1="0" y2="{bottom}"/>'
            f'<text class="tick" x="{px(tick):.1f}" y="{bottom + 14}">{tick:g}</text>'
        )
    parts.append(
        f'<rect x="{px(found.low):.1f}" y="0" fill="#dbe9f3" height="{bottom}" '
        f'width="{px(found.high) - px(found.low):.1f}"><title>95 % interval of r</title></rect>'
    )
    for row, (label, r) in enumerate(rows):
        y = height * row + height / 2 + 2
        weight = ' font-weight="600"' if row == 0 else ""
        parts.append(
            f'<text class="label" x="{left - 8}" y="{y + 4}"{weight}>{html.escape(label)}</text>'
            f'<circle class="dot" cx="{px(r):.1f}" cy="{y}" r="4.5"><title>{r:.3f}</title></circle>'
        )
    return svg(bottom + 20, parts, "Influence of each backbone on r", WIDTH)


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers between `low` and `high`, about `count` of them."""
    span = (high - low) or abs(high) or 1.0
    raw = span / count
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(unit * m for m in (1, 2, 2.5, 5, 10) if unit * m >= raw * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(step * i, 10) for i in range(first, last + 1)]


class _Scale:
    """From data to view box units, with a margin on either side."""

    def __init__(self, values: Sequence[float], start: float, stop: float) -> None:
        margin = 0.06 * ((max(values) - min(values)) or 1.0)
        self.low, self.high = min(values) - margin, max(values) + margin
        self.start, self.stop = start, stop

    def __call__(self, value: float) -> float:
        return self.start + (self.stop - self.start) * (value - self.low) / (self.high - self.low)


def _titles(found: Correlation, unit: str) -> list[str]:
    head = (
        f"{found.suite}: r = {found.pearson:.2f} [{found.low:.2f}, {found.high:.2f}], "
        f"p = {found.p:.3g}, n = {found.n}"
    )
    middle = (HEIGHT - _BOTTOM + _TOP) / 2
    label = found.metric.replace("_", " ") + unit
    return [
        f'<text x="{_LEFT}" y="16" font-weight="600">{html.escape(head)}</text>',
        f'<text class="tick" x="{(WIDTH + _LEFT) / 2:.0f}" y="{HEIGHT - 6}">'
        f"{html.escape(found.vqa)}</text>",
        f'<text class="tick" transform="translate(11 {middle:.0f}) rotate(-90)">'
        f"{html.escape(label)}</text>",
    ]


def _axes(x: _Scale, y: _Scale) -> list[str]:
    parts = [
        f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y(tick):.1f}" '
        f'y2="{y(tick):.1f}"/><text class="tick" x="{_LEFT - 14}" y="{y(tick) + 4:.1f}">'
        f"{tick:g}</text>"
        for tick in ticks(y.low, y.high)
    ]
    parts += [
        f'<text class="tick" x="{x(tick):.1f}" y="{HEIGHT - _BOTTOM + 15}">{tick:g}</text>'
        for tick in ticks(x.low, x.high)
    ]
    return parts


def _said(point: Point, factor: float) -> str:
    marks = f" ({', '.join(point.marks)})" if point.marks else ""
    return f"{point.backbone}: {point.x:g}, {factor * point.y:.4g}{marks}"
