"""`bench leaderboard`: the table."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

from vlm4vla.cli.options import JsonOption, StoreOption

if TYPE_CHECKING:
    from vlm4vla.reports.board.beside import BesideRow


class Format(StrEnum):
    """How the leaderboard is written."""

    TABLE = "table"
    MARKDOWN = "markdown"
    CSV = "csv"
    LATEX = "latex"
    JSON = "json"


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
    format_: Annotated[Format, "What to print."] = Format.TABLE,
    json_: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Show every policy's scores with their 95 % intervals."""
    shown = Format.JSON if json_ else format_
    if campaign is not None:
        _print_campaign(campaign, store, shown)
        return
    if decomposition:
        _print_decomposition(store, policy, published, shown)
        return
    if published or paper or imported:
        from vlm4vla.reports.board.beside import gather

        rows, warnings = gather(
            store, suite, policy, paper, all_, bool(published or paper), imported
        )
        _print_beside(rows, warnings, by_task, shown)
        return
    from vlm4vla.reports.board.grid import grids
    from vlm4vla.reports.board.leaderboard import board
    from vlm4vla.reports.tables import writers as tables
    from vlm4vla.store import Store

    with Store.open(store) as opened:
        found = board(opened, suite, policy, all_)
    if shown is Format.JSON:
        sys.stdout.write(tables.json_text(found.rows))
    elif shown is Format.CSV:
        sys.stdout.write(tables.csv_text(found.rows))
    elif shown is Format.MARKDOWN:
        sys.stdout.write(tables.markdown(grids(found, by_task), found.warnings))
    elif shown is Format.LATEX:
        sys.stdout.write(tables.latex(grids(found, by_task), found.warnings))
    else:
        from vlm4vla.cli.screen import screen

        console = screen()
        console.print(tables.terminal(grids(found, by_task, narrow=True), found.warnings))
        if not found.rows:
            console.print("The store holds no runs yet: bench run --policy expert --suite toy")
        if found.older:
            console.print(f"{found.older} older runs are not shown; --all shows them.", style="dim")


def _print_campaign(name: str, store: str | None, shown: Format) -> None:
    from vlm4vla.reports.board import campaign
    from vlm4vla.reports.tables import writers as tables
    from vlm4vla.suites.campaign import load_campaign

    file = load_campaign(name)
    found = campaign.entries(file, store)
    if shown is Format.JSON:
        sys.stdout.write(campaign.json_text(found))
    elif shown is Format.CSV:
        sys.stdout.write(campaign.csv_text(found))
    elif shown is Format.MARKDOWN:
        sys.stdout.write(tables.markdown([campaign.grid(file, found)]))
    elif shown is Format.LATEX:
        sys.stdout.write(tables.latex([campaign.grid(file, found)]))
    else:
        from vlm4vla.cli.screen import screen

        screen().print(tables.terminal([campaign.grid(file, found)]))


def _print_beside(
    rows: Sequence[BesideRow], warnings: Sequence[str], by_task: bool, shown: Format
) -> None:
    from vlm4vla.reports.board import beside_grid
    from vlm4vla.reports.tables import writers as tables

    if shown is Format.JSON:
        sys.stdout.write(beside_grid.json_text(rows))
    elif shown is Format.CSV:
        sys.stdout.write(beside_grid.csv_text(rows))
    elif shown is Format.MARKDOWN:
        sys.stdout.write(tables.markdown(beside_grid.grids(rows, by_task), warnings))
    elif shown is Format.LATEX:
        sys.stdout.write(tables.latex(beside_grid.grids(rows, by_task), warnings))
    else:
        from vlm4vla.cli.screen import screen

        screen().print(tables.terminal(beside_grid.grids(rows, by_task, narrow=True), warnings))


def _print_decomposition(
    store: str | None, policies: Sequence[str], published: bool, shown: Format
) -> None:
    from vlm4vla.reports import decomposition
    from vlm4vla.reports.decomposition_grid import grids
    from vlm4vla.reports.tables import writers as tables

    found = decomposition.decomposed(store, policies, published)
    if shown is Format.JSON:
        from dataclasses import asdict

        from vlm4vla.reports.tables.strict_json import text

        sys.stdout.write(text(asdict(found)))
    elif shown is Format.CSV:
        sys.stdout.write(
            decomposition.decomposition(store, policies, published).to_csv(index=False)
        )
    elif shown is Format.MARKDOWN:
        sys.stdout.write(tables.markdown(grids(found), found.warnings))
    elif shown is Format.LATEX:
        sys.stdout.write(tables.latex(grids(found), found.warnings))
    else:
        from vlm4vla.cli.screen import screen

        screen().print(tables.terminal(grids(found), found.warnings))
