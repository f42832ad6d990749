"""`bench report`: the store as one self-contained HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vlm4vla.cli.options import StoreOption
from vlm4vla.core.errors import BadInput


def report(
    out: Annotated[Path, typer.Option("--out", help="The HTML file to write.")] = Path(
        "results/report.html"
    ),
    suite: Annotated[list[str] | None, typer.Option(help="Only this suite (repeatable).")] = None,
    policy: Annotated[list[str] | None, typer.Option(help="Only this policy (repeatable).")] = None,
    all_: Annotated[
        bool, typer.Option("--all", help="Every run, not only the latest of its kind.")
    ] = False,
    sheet: Annotated[
        list[str] | None,
        typer.Option(metavar="TITLE=PNG", help="A contact sheet to embed (repeatable)."),
    ] = None,
    store: StoreOption = None,
) -> None:
    """Write leaderboard, intervals, stages, errors and commands to one HTML file."""
    from vlm4vla.reports.page import write_page
    from vlm4vla.store import Store

    sheets = {}
    for text in sheet or []:
        title, sign, path = text.rpartition("=")
        if not sign:
            title, path = Path(text).stem, text
        if not Path(path).is_file():
            raise BadInput(f"There is no picture {path}.", "Write --sheet 'Title=FILE.png'.")
        sheets[title] = Path(path)
    with Store.open(store) as opened:
        write_page(opened, out, suite or (), policy or (), all_, sheets)
    print(f"Report written to {out}")
