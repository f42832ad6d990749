"""Two small drawings. Colours and fonts come from the page's style sheet."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 360
LINE = 26
"""Height of one row, viewBox units."""


@dataclass(frozen=True)
class Interval:
    """A value with its limits, in the unit of the metric."""

    label: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Bar:
    """A count out of a total."""

    label: str
    count: int
    total: int


def intervals(points: Sequence[Interval], rate: bool, chance: float | None = None) -> str:
    """Dots with whiskers, a row each; a dashed line marks chance.

    Args:
        points: what is drawn.
        rate: the axis runs from 0 to 100 %; otherwise from 0 to a round number beyond the highest.
        chance: value of a policy that knows nothing.
    """
    top = 1.0 if rate else _round_up(max(point.high for point in points))
    left, right = _label_width([point.label for point in points]), WIDTH - 14
    bottom = LINE * len(points) + 6

    def x(value: float) -> float:
        return left + (right - left) * min(max(value / top, 0.0), 1.0)

    parts = []
    for i in range(5):
        tick = top * i / 4
        text = f"{100 * tick:.0f}" if rate else f"{tick:g}"
        parts.append(f'<line class="grid" x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="0" '
                     f'y2="{bottom}"/>')  # fmt: skip
        parts.append(f'<text class="tick" x="{x(tick):.1f}" y="{bottom + 14}">{text}</text>')
    if chance is not None:
        parts.append(f'<line class="chance" x1="{x(chance):.1f}" x2="{x(chance):.1f}" y1="0" '
                     f'y2="{bottom}"><title>chance</title></line>')  # fmt: skip
    for row, point in enumerate(points):
        y = LINE * row + LINE / 2 + 3
        parts.append(_label(point.label, left, y))
        parts.append(
            f'<line class="whisker" x1="{x(point.low):.1f}" x2="{x(point.high):.1f}" y1="{y}" '
            f'y2="{y}"/><circle class="dot" cx="{x(point.value):.1f}" cy="{y}" r="5"/>'
        )
    return _svg(bottom + 20, parts, "Values with 95 % intervals")


def funnel(bars: Sequence[Bar]) -> str:
    """Horizontal bars with their counts written at the end."""
    left, right = _label_width([bar.label for bar in bars]), WIDTH - 52
    parts = []
    for row, bar in enumerate(bars):
        y = LINE * row + 4
        width = (right - left) * (bar.count / bar.total if bar.total else 0.0)
        parts.append(_label(bar.label, left, y + 9))
        parts.append(
            f'<rect class="rail" x="{left}" y="{y}" width="{right - left}" height="18"/>'
            f'<rect class="bar" x="{left}" y="{y}" width="{width:.1f}" height="18"/>'
            f'<text class="count" x="{right + 6}" y="{y + 13}">{bar.count}/{bar.total}</text>'
        )
    return _svg(LINE * len(bars) + 4, parts, "How many episodes reached each stage")


def _svg(height: float, parts: Sequence[str], name: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{name}">'
        f"{''.join(parts)}</svg>"
    )


def _label(text: str, left: float, y: float) -> str:
    short = text if len(text) <= 18 else f"{text[:17]}…"
    return (
        f'<text class="label" x="{left - 8}" y="{y + 4}">{html.escape(short)}'
        f"<title>{html.escape(text)}</title></text>"
    )


def _label_width(labels: Sequence[str]) -> int:
    return 16 + 7 * min(18, max(len(label) for label in labels))


def _round_up(value: float) -> float:
    if value <= 0:
        return 1.0
    unit: float = 10.0 ** math.floor(math.log10(value))
    return next(unit * step for step in (1, 2, 4, 5, 8, 10, 20) if unit * step >= value)
