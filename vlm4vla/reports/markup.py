"""HTML by the piece. Whatever comes from a run is escaped here and nowhere else."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping

from vlm4vla.reports.board.grid import Grid


def escape(text: object) -> str:
    """Text as HTML shows it, also inside an attribute."""
    return html.escape(str(text), quote=True)


def anchor(name: str) -> str:
    """An id made of any text."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "part"


def table(grid: Grid) -> str:
    """A table; on a phone each row becomes a card, and each cell is preceded by its column."""
    head = "".join(
        f"<th{' class=number' * numeric}>{escape(name)}</th>"
        for name, numeric in zip(grid.header, grid.numeric, strict=True)
    )
    rows = []
    for line in grid.body:
        cells = []
        for name, numeric, cell in zip(grid.header, grid.numeric, line, strict=True):
            below = "".join(f"<small>{escape(line)}</small>" for line in cell.below)
            cells.append(
                f'<td data-name="{escape(name)}"{" class=number" * numeric}>'
                f"<span>{_score(cell.text)}{below}</span></td>"
            )
        rows.append(f"<tr>{''.join(cells)}</tr>")
    notes = f"<p class=notes>{'; '.join(map(escape, grid.notes))}.</p>" if grid.notes else ""
    return (
        f"<div class=wide><table class=board><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>{notes}"
    )


def _score(text: str) -> str:
    """A value and its interval, which may go below it where there is little room."""
    value, opens, interval = text.partition(" [")
    if not opens:
        return escape(text)
    return f"{escape(value)} <i>[{escape(interval)}</i>"


def figure(caption: str, drawing: str, note: str = "") -> str:
    """A drawing (SVG) under its caption."""
    below = f"<p class=notes>{escape(note)}</p>" if note else ""
    return f"<figure><figcaption>{escape(caption)}</figcaption>{drawing}{below}</figure>"


def side_by_side(figures: Iterable[str]) -> str:
    """Figures in as many columns as fit; nothing if there are none."""
    found = "".join(figures)
    return f"<div class=plots>{found}</div>" if found else ""


def folded(summary: str, body: str) -> str:
    """What most readers skip: closed on the screen, open in print."""
    return f"<details><summary>{escape(summary)}</summary>{body}</details>"


def facts(values: Mapping[str, object]) -> str:
    """Names and values."""
    pairs = (f"<dt>{escape(k)}</dt><dd>{escape(plain(v))}</dd>" for k, v in values.items())
    return f"<dl>{''.join(pairs)}</dl>"


def command(text: str) -> str:
    """Something to type."""
    return f"<pre>{escape(text)}</pre>" if text else ""


def items(texts: Iterable[str]) -> str:
    """A list of plain sentences; nothing if there are none."""
    found = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return f"<ul>{found}</ul>" if found else ""


def plain(value: object) -> str:
    """A value in words."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {plain(item)}" for key, item in value.items()) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if value not in (None, "", ()) else "none"
