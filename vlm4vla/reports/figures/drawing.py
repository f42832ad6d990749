"""What the drawings share: their width, their frame, names at the left, an axis below.

Colours and sizes are in `STYLE`: part of the page's style sheet, and brought along by `standalone`
where there is no page.
"""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence

WIDTH = 360
"""Of the view box; rows and letters are in the same unit."""
LINE = 26
"""Height of a row whose name has one line."""
TALL = 34
"""Height of a row whose name has a note below it."""

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe & Ito's: told apart by colour-blind readers; shape or text tells them apart as well."""

STYLE = """
svg { font-size: 12px; }
svg text { fill: #1b1f24; } svg .label { text-anchor: end; }
svg .note { fill: #5b6470; font-size: 10px; }
svg .tick { text-anchor: middle; fill: #5b6470; font-size: 11px; } svg .count { fill: #5b6470; }
svg .grid { stroke: #d5dae0; } svg .zero { stroke: #1b1f24; }
svg .chance { stroke: #d55e00; stroke-dasharray: 4 3; }
svg .whisker { stroke: #0072b2; stroke-width: 3; } svg .dot { fill: #0072b2; }
svg .hollow { fill: #fff; stroke: #0072b2; stroke-width: 2; }
svg .bounds { fill: none; stroke: #5b6470; stroke-width: 1.5; }
svg .rail { fill: #e9edf1; } svg .bar { fill: #0072b2; }
svg .piece { stroke: #fff; stroke-width: 1; } svg text.inside { fill: #fff; }
"""

_LONGEST, _LONGEST_NOTE = 22, 30
_LETTER = 6.4

Scale = Callable[[float], float]


def svg(height: float, parts: Sequence[str], name: str, width: float = WIDTH) -> str:
    """The drawing; `name` is what a screen reader says."""
    return (
        f'<svg viewBox="0 0 {width:g} {height:.0f}" role="img" '
        f'aria-label="{html.escape(name, quote=True)}">{"".join(parts)}</svg>'
    )


def label(text: str, left: float, y: float, note: str = "") -> str:
    """A row's name that ends left of `left`, its note in small letters below."""
    if not note:
        return _line("label", text, left - 8, y + 4)
    below = _line("label note", note, left - 8, y + 10, _LONGEST_NOTE)
    return _line("label", text, left - 8, y - 2) + below


def label_width(texts: Sequence[str], notes: Sequence[str] = ()) -> float:
    """Room that names and their notes need at the left."""
    longest = max([len(_short(text)) for text in texts], default=0)
    below = max([len(_short(text, _LONGEST_NOTE)) for text in notes], default=0)
    return 16 + max(_LETTER * longest, 5.2 * below)


def axis(x: Scale, low: float, high: float, bottom: float, rate: bool, signed: bool = False) -> str:
    """Grid lines and numbers at five equal steps; percent for rates."""
    parts = []
    for i in range(5):
        tick = low + (high - low) * i / 4
        sign = "+" if signed and tick > 0 else ""
        text = f"{100 * tick:.3g}" if rate else f"{tick:.3g}"
        parts.append(
            f'<line class="grid" x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="0" y2="{bottom:.1f}"/>'
            f'<text class="tick" x="{x(tick):.1f}" y="{bottom + 14:.1f}">{sign}{text}</text>'
        )
    return "".join(parts)


def round_up(value: float) -> float:
    """The next round number: 0.03 -> 0.04, 4.3 -> 5."""
    if value <= 0:
        return 1.0
    unit: float = 10.0 ** math.floor(math.log10(value))
    return next(unit * step for step in (1, 2, 4, 5, 8, 10, 20) if unit * step >= value)


def shape(index: int, x: float, y: float, title: str = "", size: float = 5.0) -> str:
    """The mark of the series `index`: circle, square, triangle, diamond, each in its colour."""
    said = f"<title>{html.escape(title)}</title>" if title else ""
    fill = f'fill="{COLOURS[index % len(COLOURS)]}"'
    if index % 4 == 0:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size}" {fill}>{said}</circle>'
    if index % 4 == 1:
        corner = f'x="{x - size * 0.9:.1f}" y="{y - size * 0.9:.1f}"'
        side = f'width="{size * 1.8:.1f}" height="{size * 1.8:.1f}"'
        return f"<rect {corner} {side} {fill}>{said}</rect>"
    turn = "0,-1.2 1.1,0.9 -1.1,0.9" if index % 4 == 2 else "0,-1.2 1.2,0 0,1.2 -1.2,0"
    points = " ".join(
        ",".join(f"{size * float(part):.1f}" for part in pair.split(",")) for pair in turn.split()
    )
    return (
        f'<polygon points="{points}" transform="translate({x:.1f} {y:.1f})" {fill}>{said}</polygon>'
    )


def _line(kind: str, text: str, x: float, y: float, longest: int = _LONGEST) -> str:
    short = _short(text, longest)
    title = f"<title>{html.escape(text)}</title>" if short != text else ""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{html.escape(short)}{title}</text>'


def _short(text: str, longest: int = _LONGEST) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
