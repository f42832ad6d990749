"""`bench vqa`: how good vision-language models are without a robot."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vlm4vla.cli.options import JsonOption, StoreOption


def list_(
    benchmark: Annotated[tuple[str, ...], "Only this benchmark (repeatable)."] = (),
    model: Annotated[tuple[str, ...], "Only models whose name holds this text."] = (),
    json_: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """List benchmarks and which backbones have a score: measured, imported, and published."""
    from vlm4vla.reports.correlation.vqa import benchmarks, score_rows
    from vlm4vla.store import default_path

    path = store or default_path()
    rows = score_rows(path if Path(path).is_file() else None, benchmark, model)
    if json_:
        from vlm4vla.reports.tables.strict_json import json_text

        typer.echo(json_text(rows), nl=False)
        return
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from vlm4vla.cli.screen import screen

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    if benchmark or model:
        for name in ("model", "benchmark", "score", "n", "from"):
            table.add_column(
                name, justify="right" if name in ("score", "n") else "left", overflow="fold"
            )
        for row in rows:
            marks = f" ({', '.join(row.marks)})" if row.marks else ""
            n = "" if row.n is None else str(row.n)
            table.add_row(
                row.model, row.benchmark, row.shown, n, f"{row.origin}: {row.source}{marks}"
            )
    else:
        for name in ("benchmark", "models", "backbones with a score", "from"):
            table.add_column(name, justify="right" if name == "models" else "left", overflow="fold")
        for one in benchmarks(rows):
            table.add_row(one.name, str(one.models), ", ".join(one.backbones), one.origins)
    console = screen()
    console.print(table)
    if not (benchmark or model):
        console.print(
            Text("--benchmark NAME shows its scores; bench correlate --vqa NAME uses them")
        )
