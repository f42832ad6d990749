"""`bench leaderboard`: the table."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from vlm4vla.cli.options import JsonOption, Spread, StoreOption
from vlm4vla.core.errors import BadInput
from vlm4vla.reports.tables.selection import Selection, TableFormat


def leaderboard(
    asked: Annotated[Selection, Spread(but=("narrow",))],
    decomposition: Annotated[bool, "The emoji task as execution x recognition, by split."] = False,
    table: Annotated[
        str, "Another table: an installed one's name, or module:function."
    ] = "leaderboard",
    format_: Annotated[TableFormat, "What to print."] = TableFormat.TABLE,
    json_: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Show every policy's scores with their 95 % intervals."""
    # What --help, which shows no table, can do without: the store and its SQL.
    from vlm4vla.cli.screen import present
    from vlm4vla.reports.tables.registry import opened, table_maker

    written = TableFormat.JSON if json_ else format_
    asked = replace(asked, narrow=written is TableFormat.TABLE)
    make = table_maker(_table(asked, decomposition, table))
    with opened(store, asked) as read:
        present(make(read, asked), written)


def _table(selection: Selection, decomposition: bool, table: str) -> str:
    asked = ["campaign"] * bool(selection.campaign) + ["literature"] * selection.literature
    asked += ["decomposition"] * decomposition
    if table not in ("leaderboard", *asked):
        asked.append(table)
    if len(asked) > 1:
        raise BadInput(f"{' and '.join(asked)} are {len(asked)} tables.", "Ask for one at a time.")
    if asked == ["campaign"] and not selection.campaign:
        raise BadInput("Whose table? No campaign is named.", "Add --campaign NAME or FILE.")
    return asked[0] if asked else table
