"""`bench leaderboard`: the table."""

from __future__ import annotations

from typing import Annotated

from vlm4vla.cli.options import JsonOption, StoreOption
from vlm4vla.core.errors import BadInput
from vlm4vla.reports.tables.table import TableFormat


def leaderboard(
    suite: Annotated[tuple[str, ...], "Only this suite (repeatable)."] = (),
    policy: Annotated[tuple[str, ...], "Only this policy (repeatable)."] = (),
    by_task: Annotated[bool, "A line for each task too."] = False,
    all_: Annotated[bool, "Every run, not only the latest of its kind."] = False,
    published: Annotated[bool, "Set the papers' rows beside ours."] = False,
    paper: Annotated[
        tuple[str, ...], "Only papers whose name holds this text (repeatable); with --published."
    ] = (),
    imported: Annotated[bool, "Set imported results beside ours."] = False,
    campaign: Annotated[str | None, "A campaign's table, the paper's row above ours."] = None,
    decomposition: Annotated[bool, "The emoji task as execution x recognition, by split."] = False,
    table: Annotated[
        str, "Another table: an installed one's name, or module:function."
    ] = "leaderboard",
    format_: Annotated[TableFormat, "What to print."] = TableFormat.TABLE,
    json_: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Show every policy's scores with their 95 % intervals."""
    from vlm4vla.cli.screen import present
    from vlm4vla.reports.tables.registry import Selection, opened, table_maker

    written = TableFormat.JSON if json_ else format_
    asked = Selection(
        suites=suite,
        policies=policy,
        papers=paper,
        all_runs=all_,
        by_task=by_task,
        published=published,
        imported=imported,
        campaign=campaign or "",
        narrow=written is TableFormat.TABLE,
    )
    make = table_maker(_table(campaign, decomposition, table))
    with opened(store, asked) as read:
        present(make(read, asked), written)


def _table(campaign: str | None, decomposition: bool, table: str) -> str:
    asked = ["campaign"] * bool(campaign) + ["decomposition"] * decomposition
    if table not in ("leaderboard", *asked):
        asked.append(table)
    if len(asked) > 1:
        raise BadInput(f"{' and '.join(asked)} are {len(asked)} tables.", "Ask for one at a time.")
    if asked == ["campaign"] and not campaign:
        raise BadInput("Whose table? No campaign is named.", "Add --campaign NAME or FILE.")
    return asked[0] if asked else table
