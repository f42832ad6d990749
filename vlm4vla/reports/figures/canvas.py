"""Axes on a sheet of their own: shown in a notebook, set into a page, saved as PDF, PNG or SVG."""

from __future__ import annotations

import io
import re
import warnings
from pathlib import Path
from typing import TypeVar
from xml.etree import ElementTree

from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

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
