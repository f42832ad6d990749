"""What the drawings share: colours and marks, names at the left, numbers below, a key.

Whatever comes from a run is text, never mathematics: `$` is a sign like others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any, Literal

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from vlm4vla.reports.figures.canvas import blank, tip

LINE = 26.0
"""Height in points of a row whose name has one line."""
TALL = 34.0
"""Height of a row whose name has a note below it."""
THICK = 18 / 26
"""Of a bar, in rows."""
BELOW = 26.0
"""Height of the numbers or the key below, with the margins of the sheet."""

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe & Ito's: told apart by colour-blind readers; shape or text tells them apart as well."""
MARKERS = ("o", "s", "^", "D")
INK, SOFT, RULE, RAIL, CHANCE = "#1b1f24", "#5b6470", "#d5dae0", "#e9edf1", "#d55e00"


def rows(
    ax: Axes | None, title: str, texts: Sequence[str], notes: Sequence[str] = (),
    line: float = LINE, below: float = BELOW,
) -> Axes:  # fmt: skip
    """A row a name, the first on top: names end left of the axes, notes stand below in small.

    Without `ax` on a sheet of its own: `line` points a row, `below` points besides, and `title`,
    which a screen reader says.
    """
    ax = ax or blank(line * len(texts) + below, title)
    frame_rows(ax, -0.5, len(texts) - 0.5)
    for row, (text, note) in enumerate(zip_longest(texts, notes, fillvalue="")):
        name(ax, row, text, 5 if note else 0)
        if note:
            name(ax, row, note, -7, longest=30, note=True)
    return ax


def frame_rows(ax: Axes, low: float, high: float) -> None:
    """Rows that a lower number puts further up, without a frame."""
    ax.set(ylim=(high, low), yticks=[])
    ax.spines[:].set_visible(False)


def name(
    ax: Axes, y: float, text: str, lift: float = 0, longest: int = 22, bold: bool = False,
    note: bool = False,
) -> None:  # fmt: skip
    """What ends left of the axes at the height `y`, in small if it is a note; cut if too long."""
    text = " ".join(text.split())
    short = text if len(text) <= longest else f"{text[: longest - 1]}…"
    shown = ax.annotate(
        short, (0, y), xycoords=("axes fraction", "data"), xytext=(-8, lift),
        textcoords="offset points", ha="right", va="center", fontsize=10 if note else 12,
        color=SOFT if note else INK, fontweight="bold" if bold else "normal",
        parse_math=False, annotation_clip=False,
    )  # fmt: skip
    if short != text:
        tip(shown, text)


def scale(ax: Axes, low: float, high: float, rate: bool, signed: bool = False) -> None:
    """Grid lines and numbers below at five equal steps; percent for rates."""
    ticks = [low + (high - low) * i / 4 for i in range(5)]
    texts = [f"{100 * tick if rate else tick:.3g}" for tick in ticks]
    signs = ["+" if signed and tick > 0 else "" for tick in ticks]
    ax.set_xlim(low, high)
    ax.set_xticks(ticks, [sign + text for sign, text in zip(signs, texts, strict=True)])
    ax.tick_params(axis="x", length=0, labelsize=11, labelcolor=SOFT, pad=4)
    ax.vlines(
        ticks, 0, 1, RULE, linewidth=1, transform=ax.get_xaxis_transform(), clip_on=False, zorder=0
    )


def levels(ax: Axes) -> None:
    """Horizontal grid lines, numbers on both sides, and no frame."""
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0, labelsize=11, labelcolor=SOFT, pad=7)
    ax.grid(axis="y", color=RULE, linewidth=1)
    ax.set_axisbelow(True)


def above(ax: Axes, x: float, text: str) -> None:
    """A small word on top of the axes."""
    ax.annotate(text, (x, 1), xycoords=("data", "axes fraction"), xytext=(0, 3), ha="center",
                textcoords="offset points", fontsize=11, color=SOFT)  # fmt: skip


def whisker(ax: Axes, y: float, low: float, high: float) -> None:
    """An interval in the colour of the first series."""
    ax.plot((low, high), (y, y), color=COLOURS[0], linewidth=3, clip_on=False,
            solid_capstyle="butt")  # fmt: skip


def colour(index: int) -> str:
    """Of the series `index`."""
    return COLOURS[index % len(COLOURS)]


def mark(ax: Axes, index: int, x: float, y: float, text: str, size: float = 10) -> None:
    """The mark of the series `index`: circle, square, triangle, diamond, each in its colour."""
    tip(ax.add_line(Line2D([x], [y], clip_on=False, **_look(index, size))), text)


def after(ax: Axes, x: float, y: float, text: str) -> None:
    """A number behind the end of a bar."""
    ax.annotate(text, (x, y), xytext=(6, 0), textcoords="offset points", va="center_baseline",
                fontsize=12, color=SOFT, parse_math=False)  # fmt: skip


def chance_line(ax: Axes, value: float, text: str = "chance") -> None:
    """Dashed: what a policy that knows nothing would reach."""
    line = ax.axvline(value, color=CHANCE, linewidth=1, linestyle=(0, (4, 3)), clip_on=False)
    tip(line, text)


def key(
    ax: Axes, handles: Sequence[Artist], columns: int, gap: float = 2,
    side: Literal["left", "right"] = "left",
) -> None:  # fmt: skip
    """What marks or colours mean, in `columns`: `gap` points below the axes, flush with a side."""
    legend = ax.legend(
        handles=handles, loc="upper left" if side == "left" else "upper right",
        bbox_to_anchor=(float(side == "right"), 0), ncols=columns, frameon=False, fontsize=12,
        labelcolor=SOFT, handlelength=0.9, handleheight=0.8, handletextpad=0.4, columnspacing=1.0,
        borderaxespad=gap / 12, borderpad=0,
    )  # fmt: skip
    for text in legend.get_texts():
        text.set_parse_math(False)


def series(index: int, text: str) -> Line2D:
    """The mark of a series for the key."""
    return Line2D([], [], linestyle="none", label=text, **_look(index, 10))


def round_up(value: float) -> float:
    """The next round number: 0.03 -> 0.04, 4.3 -> 5."""
    if value <= 0:
        return 1.0
    unit: float = 10.0 ** math.floor(math.log10(value))
    return next(unit * step for step in (1, 2, 4, 5, 8, 10, 20) if unit * step >= value)


def _look(index: int, size: float) -> dict[str, Any]:
    marker = MARKERS[index % len(MARKERS)]
    scaled = size * {"s": 0.9, "^": 1.1, "D": 0.8}.get(marker, 1.0)
    return {"marker": marker, "color": colour(index), "markersize": scaled, "markeredgewidth": 0}
