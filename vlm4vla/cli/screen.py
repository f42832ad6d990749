"""What verbs print to, and as what: tables and JSON."""

from __future__ import annotations

import sys

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from vlm4vla.reports.tables import text
from vlm4vla.reports.tables.selection import TableFormat
from vlm4vla.reports.tables.table import Cell, Exhibit, ResultTable

WIDTH = 100
"""Of a pipe or file, which has none of its own."""
_MANY, _SCREEN = 8, 80
"""More columns than that may all be broken; a table that fits into so many characters has air."""


def screen() -> Console:
    """As wide as the terminal; colours only there."""
    console = Console(highlight=False, soft_wrap=False, markup=False)
    if not console.is_terminal:
        console.width = WIDTH
    return console


def print_json(value: object) -> None:
    """Print records, mappings and numbers as JSON that every program reads."""
    sys.stdout.write(text.strict_json(value))


def present(shown: Exhibit, written: TableFormat) -> None:
    """Print tables in the format that was asked for."""
    if written == "table":
        screen().print(rendered(shown))
    else:
        sys.stdout.write(text.text(shown, written))


def rendered(shown: Exhibit) -> Group:
    """Every table under its title, its notes below; then warnings and remarks."""
    parts: list[RenderableType] = []
    for table in shown.tables:
        if table.title:
            parts.append(Text(table.title, style="bold"))
        notes = Text("; ".join(table.notes), style="dim")
        parts += [drawn(table), Padding(notes, (0, 0, 1, 0)) if table.notes else ""]
    parts += [Text(f"! {warning}", style="bold yellow") for warning in shown.warnings]
    parts += [Text(remark, style="dim") for remark in shown.remarks]
    return Group(*parts)


def drawn(table: ResultTable) -> Table:
    """The table itself: something a rich Console prints."""
    widths = [
        max(map(len, (*column.name.splitlines(), *(text for cell in cells for text in cell.lines))))
        for column, *cells in zip(table.columns, *table.body, strict=True)
    ]
    count = len(widths)
    padding = (0, 1, 0, 0) if sum(widths) + 2 * (count - 1) <= _SCREEN else 0
    rich = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=padding)
    for column, width in zip(table.columns, widths, strict=True):
        rich.add_column(
            Text(column.name),
            justify="right" if column.numeric else "left",
            overflow="fold",
            no_wrap=not (column.fold or count > _MANY),
            min_width=min(width, column.least) or None,
        )
    for line in table.body:
        rich.add_row(*map(_stacked, line))
    return rich


def _stacked(cell: Cell) -> Text:
    return Text.assemble(cell.line, *((f"\n{line}", "dim") for line in cell.below))


def clock(seconds: float) -> str:
    """`1:02:03`."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
