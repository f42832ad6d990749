"""`bench vqa`: how good vision-language models are without a robot."""

from __future__ import annotations

from typing import Annotated

from vlm4vla.cli.options import JsonOption, StoreOption
from vlm4vla.cli.screen import present
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
