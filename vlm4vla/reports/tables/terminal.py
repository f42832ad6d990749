"""Tables as a terminal shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vlm4vla.reports.tables.table import Cell, Column, Exhibit, ResultTable

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table as Drawn
    from rich.text import Text

_MANY, _SCREEN = 8, 80
"""More columns than that may all be broken; a table that fits into so many characters has air."""


def exhibit(shown: Exhibit) -> Group:
    """Every table under its title, its notes below; then warnings and remarks."""
    from rich.console import Group, RenderableType
    from rich.padding import Padding
    from rich.text import Text

    parts: list[RenderableType] = []
    for table in shown.tables:
        if table.title:
            parts.append(Text(table.title, style="bold"))
        notes = Text("; ".join(table.notes), style="dim")
        parts += [drawn(table), Padding(notes, (0, 0, 1, 0)) if table.notes else ""]
    parts += [Text(f"! {warning}", style="bold yellow") for warning in shown.warnings]
    parts += [Text(remark, style="dim") for remark in shown.remarks]
    return Group(*parts)


def drawn(table: ResultTable) -> Drawn:
    """The table itself: something a rich Console prints."""
    from rich import box
    from rich.table import Table as Drawn
    from rich.text import Text

    count = len(table.columns)
    widths = [
        _width(column, [line[number] for line in table.body])
        for number, column in enumerate(table.columns)
    ]
    padding = (0, 1, 0, 0) if sum(widths) + 2 * (count - 1) <= _SCREEN else 0
    rich = Drawn(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=padding)
    for number, column in enumerate(table.columns):
        rich.add_column(
            Text(column.name),
            justify="right" if column.numeric else "left",
            overflow="fold",
            no_wrap=not (column.fold or count > _MANY),
            min_width=min(widths[number], column.least) or None,
        )
    for line in table.body:
        rich.add_row(*map(_stacked, line))
    return rich


def _width(column: Column, cells: Sequence[Cell]) -> int:
    texts = [*column.name.splitlines(), *(text for cell in cells for text in cell.lines)]
    return max(map(len, texts), default=0)


def _stacked(cell: Cell) -> Text:
    from rich.text import Text

    text = Text(cell.line)
    for line in cell.below:
        text.append(f"\n{line}", style="dim")
    return text
