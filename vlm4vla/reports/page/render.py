"""From what the page is made of to its text: the templates, and what they may call.

Templates escape whatever they are given; only drawings and the page's own style and script are
taken as they are.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.axes import Axes

from vlm4vla.reports import marks
from vlm4vla.reports.commands import environment, repeat
from vlm4vla.reports.correlation.sentences import sentences
from vlm4vla.reports.figures.canvas import svg_text
from vlm4vla.reports.page import plots
from vlm4vla.reports.page.content import Content
from vlm4vla.reports.summary import configuration

_HERE = Path(__file__).parent
_KINDS = {".png": "image/png", ".webp": "image/webp", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}


@dataclass(frozen=True)
class Sheet:
    """A picture for the page: what the policy saw."""

    title: str
    path: Path
    suite: str = ""
    """Shown with this suite; otherwise in a section of its own."""


def render(content: Content, sheets: Sequence[Sheet] = ()) -> str:
    """The text of the page. Raises OSError if a picture cannot be read."""
    suites = [part.suite for part in content.suites]
    script = (_HERE / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    numbers = count()

    def svg(ax: Axes) -> Markup:
        return Markup(svg_text(ax, salt=f"d{next(numbers)}"))

    surroundings = Environment(
        loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    surroundings.filters |= {"anchor": anchor, "plain": plain, "data_uri": data_uri, "svg": svg}
    surroundings.globals |= {
        "plots": plots, "marks": marks, "sentences": sentences,
        "repeat": repeat, "environment": environment, "configuration": configuration,
    }  # fmt: skip
    return surroundings.get_template("page.html").render(
        content=content,
        sheets=sheets,
        others=[sheet for sheet in sheets if sheet.suite not in suites],
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        style=Markup((_HERE / "page.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_hash=f"sha256-{digest}",
    )


def anchor(name: str) -> str:
    """An id made of any text."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "part"


def plain(value: object) -> str:
    """A value in words."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {plain(item)}" for key, item in value.items()) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if value not in (None, "", ()) else "none"


def data_uri(path: Path) -> str:
    """The picture itself as an address."""
    kind = _KINDS.get(path.suffix.lower(), "image/png")
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
