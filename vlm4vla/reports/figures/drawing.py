"""Drawings: axes on a sheet of their own, saved as PDF, PNG or SVG, and what they share.

That is colours and marks, names at the left, numbers below, a key. Whatever comes from a run is
text, never mathematics: `$` is a sign like others.
"""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal, TypeVar
from xml.etree import ElementTree

from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vlm4vla.core.errors import BadInput

WIDTH = 360.0
"""Of a sheet in points; rows and letters are in the same unit."""

_SILENT = {"svg": ("Creator", "Date", "Format", "Type"), "pdf": ("CreationDate",), "png": ()}
"""What a file would say of when and by what it was made: the same drawing is the same file."""

_TIP = "tip "
_STYLE = 'background:#fff;font-family:system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif'
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What no XML may hold, however it is written."""
_PLACES = ("d", "x", "y", "transform")

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

A = TypeVar("A", bound=Artist)


class Drawing(Axes):
    """Axes on a sheet of their own: a notebook shows them, `save` writes them."""

    pixels: int | None = None
    """Width of the SVG text; by default that of the sheet."""

    @property
    def svg(self) -> str:
        """An SVG text that stands on its own."""
        return svg_text(self, alone=True, pixels=self.pixels)

    def _repr_svg_(self) -> str:
        """What a notebook shows."""
        return self.svg

    def save(self, path: str | Path) -> Path:
        """Write it as PDF, PNG or SVG, as the name says. Raises BadInput where that cannot be."""
        where = Path(path)
        kind = where.suffix.lower().removeprefix(".")
        if kind not in _SILENT:
            raise BadInput(
                f"{where} names no format that a drawing has.", "Name it .pdf, .png or .svg."
            )
        try:
            if kind == "svg":
                where.write_text(self.svg, encoding="utf-8")
            else:
                silent = dict.fromkeys(_SILENT[kind])
                with rc_context({"pdf.fonttype": 42}):  # letters as letters: what journals ask for
                    _figure(self).savefig(where, format=kind, dpi=200, metadata=silent)
        except OSError as error:
            raise BadInput(f"{where} cannot be written: {error.strerror}.") from error
        return where


def blank(height: float, name: str, width: float = WIDTH) -> Drawing:
    """Empty axes; sizes in points, `name` is what a screen reader says."""
    figure = Figure(figsize=(width / 72, height / 72), layout="constrained")
    ax = figure.add_subplot(axes_class=Drawing)
    assert isinstance(ax, Drawing)
    ax.set_label(name)
    return ax


def tip(artist: A, text: str) -> A:
    """The same artist, which says `text` where the pointer rests on it (SVG alone knows how)."""
    artist.set_gid(_TIP + text)
    return artist


def svg_text(ax: Axes, salt: str = "", alone: bool = False, pixels: int | None = None) -> str:
    """The sheet of `ax` as SVG: letters stay letters, and nothing in it depends on the clock.

    `salt` begins its ids, to tell them from those of other drawings in the same page. To be set
    into HTML or, if `alone`, with its name space and size: so many `pixels` wide, or as the sheet.
    """
    out = io.StringIO()
    with rc_context({"svg.fonttype": "none"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # who shows the text has fonts of their own
        silent = dict.fromkeys(_SILENT["svg"])
        _figure(ax).savefig(out, format="svg", transparent=True, metadata=silent)
    root = ElementTree.fromstring(_NO_XML.sub("", out.getvalue()))
    for parent in list(root.iter()):
        _plain(parent)
        for child in list(parent):
            if child.tag.endswith(("}metadata", "}style")):
                parent.remove(child)
    _number(root, salt)
    width, height = (float(root.attrib.pop(n).removesuffix("pt")) for n in ("width", "height"))
    root.attrib |= {"role": "img", "aria-label": str(ax.get_label())}
    if alone:
        scale = (pixels or width) / width
        size = {"width": f"{scale * width:.0f}", "height": f"{scale * height:.0f}"}
        root.attrib |= {"xmlns": "http://www.w3.org/2000/svg", "style": _STYLE} | size
    return ElementTree.tostring(root, encoding="unicode")


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


def _figure(ax: Axes) -> Figure:
    figure = ax.get_figure(root=True)
    assert figure is not None
    return figure


def _number(root: ElementTree.Element, salt: str) -> None:
    """Ids that are counted, where matplotlib's are made of random or of the last digit."""
    named = [element for element in root.iter() if "id" in element.attrib]
    ids = {one.attrib["id"]: f"{salt or 'd'}-{number}" for number, one in enumerate(named)}
    for element in root.iter():
        for name in {"id", "href", "clip-path"} & element.attrib.keys():
            old = element.attrib[name].removeprefix("url(").rstrip(")").removeprefix("#")
            element.set(name, element.attrib[name].replace(old, ids[old]))


def _plain(element: ElementTree.Element) -> None:
    """Without name spaces and idle digits, with its tip, in the letters of what is around it."""
    element.tag = element.tag.rpartition("}")[2]
    attributes = {name.rpartition("}")[2]: value for name, value in element.attrib.items()}
    for name in _PLACES & attributes.keys():
        attributes[name] = re.sub(
            r"\d+\.\d+", lambda n: f"{round(float(n[0]), 2):g}", attributes[name]
        )
    if attributes.get("transform", "").startswith("rotate(-0 "):
        del attributes["transform"]
    if element.tag == "text":
        styles = attributes["style"].split("; ")
        attributes["style"] = ";".join(s for s in styles if not s.startswith("font-family"))
    if element.tag == "g":
        name = attributes.pop("id", "")
        if name.startswith(_TIP):
            title = ElementTree.Element("title")
            title.text = name.removeprefix(_TIP)
            element.insert(0, title)
    element.attrib = attributes
    element.tail = None
    if element.tag not in ("text", "title"):
        element.text = None
