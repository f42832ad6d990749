"""`bench vqa`: how good vision-language models are without a robot."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vlm4vla.cli.options import JsonOption, StoreOption
from vlm4vla.cli.screen import present
from vlm4vla.reports.correlation.retention import retention_exhibit, retentions
from vlm4vla.reports.correlation.vqa import score_rows, scores_exhibit
from vlm4vla.reports.tables.selection import TableFormat
from vlm4vla.store import reading_if_any


def list_(
    benchmark: Annotated[tuple[str, ...], "Only this benchmark (repeatable)."] = (),
    model: Annotated[tuple[str, ...], "Only models whose name holds this text."] = (),
    json_: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """List benchmarks and which backbones have a score: measured, imported, and published."""
    with reading_if_any(store) as read:
        rows = score_rows(read, benchmark, model)
    shown = scores_exhibit(rows, one_by_one=bool(benchmark or model))
    present(shown, TableFormat.JSON if json_ else TableFormat.TABLE)


def retention(
    before: Annotated[
        Path, typer.Argument(help="Single answers of the model before: file, folder.")
    ],
    after: Annotated[Path, typer.Argument(help="And of the model after its training.")],
    benchmark: Annotated[tuple[str, ...], "Only this benchmark (repeatable)."] = (),
    format_: Annotated[TableFormat, "table, markdown, csv, latex or json."] = TableFormat.TABLE,
    json_: JsonOption = False,
) -> None:
    """How much of its ability a model kept: the same questions before and after a training."""
    shown = retention_exhibit(retentions(before, after, benchmark))
    present(shown, TableFormat.JSON if json_ else format_)
