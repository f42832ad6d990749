"""Tables as a terminal shows them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from vlm4vla.reports.tables.table import Cell, Column, Exhibit, ResultTable

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table as Drawn
    from rich.text import Text

_MANY, _FEW = 8, 6
"""More columns than the one may all be broken; with fewer than the other there is room between."""


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
    padding = (0, 1, 0, 0) if count < _FEW else 0
    rich = Drawn(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=padding)
    for number, column in enumerate(table.columns):
        rich.add_column(
            Text(column.name),
            justify="right" if column.numeric else "left",
            overflow="fold",
            no_wrap=not (column.fold or count > _MANY),
            min_width=_least(column, (line[number] for line in table.body)),
        )
    for line in table.body:
        rich.add_row(*map(_stacked, line))
    return rich


def _least(column: Column, cells: Iterable[Cell]) -> int | None:
    longest = max((len(text) for cell in cells for text in cell.lines), default=0)
    return min(longest, column.least) or None


def _stacked(cell: Cell) -> Text:
    from rich.text import Text

    text = Text(cell.line)
    for line in cell.below:
        text.append(f"\n{line}", style="dim")
    return text
