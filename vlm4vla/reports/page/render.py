"""The page as a file: from what it is made of, by templates.

Templates escape whatever they are given; only drawings and the page's own style and script are
taken as they are.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.axes import Axes

from vlm4vla.core import __version__
from vlm4vla.core.errors import BadInput
from vlm4vla.reports import marks
from vlm4vla.reports.correlation.correlation import sentences
from vlm4vla.reports.figures.correlation import influence, scatter
from vlm4vla.reports.figures.drawing import svg_text
from vlm4vla.reports.page import plots
from vlm4vla.reports.page.content import Content
from vlm4vla.reports.summary import configuration, environment, repeat

_HERE = Path(__file__).parent
_KINDS = {".webp": "webp", ".jpg": "jpeg", ".jpeg": "jpeg"}


@dataclass(frozen=True)
class Sheet:
    """A picture for the page: what the policy saw."""

    title: str
    path: Path
    suite: str = ""
    """Shown with this suite; otherwise in a section of its own."""


def write_page(content: Content, out: Path, sheets: Sequence[Sheet] = ()) -> Path:
    """Write the page to `out`, whose folder is made. BadInput if that or a picture fails."""
    try:
        text = _render(content, sheets)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(
            f"The report cannot be made: {error.filename or out}: {error.strerror}.",
            "Name a file that you may write to with --out.",
        ) from error
    return out


def _render(content: Content, sheets: Sequence[Sheet]) -> str:
    suites = [part.suite for part in content.suites]
    script = (_HERE / "page.js").read_text(encoding="utf-8")
    numbers = count()

    def svg(ax: Axes) -> Markup:
        return Markup(svg_text(ax, salt=f"d{next(numbers)}"))

    surroundings = Environment(
        loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    surroundings.filters |= {"anchor": _anchor, "plain": _plain, "data_uri": _data_uri, "svg": svg}
    return surroundings.get_template("page.html").render(
        content=content,
        sheets=sheets,
        others=[sheet for sheet in sheets if sheet.suite not in suites],
        made=f"{datetime.now(UTC):%Y-%m-%d %H:%M UTC} by vlm4vla {__version__}",
        style=Markup((_HERE / "page.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_hash=f"sha256-{b64encode(hashlib.sha256(script.encode()).digest()).decode()}",
        plots=plots, marks=marks, sentences=sentences, scatter=scatter, influence=influence,
        repeat=repeat, environment=environment, configuration=configuration,
    )  # fmt: skip


def _anchor(name: str) -> str:
    """An id made of any text."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "part"


def _plain(value: object) -> str:
    """A value in words."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items()) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if value not in (None, "", ()) else "none"


def _data_uri(path: Path) -> str:
    kind = _KINDS.get(path.suffix.lower(), "png")
    return f"data:image/{kind};base64,{b64encode(path.read_bytes()).decode()}"
