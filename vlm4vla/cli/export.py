"""`bench export`: episodes with their runs, for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, get_args

from vlm4vla.cli.options import StoreOption
from vlm4vla.core.errors import BadInput
from vlm4vla.store import Store
from vlm4vla.store.export import write

Format = Literal["parquet", "csv"]


def export(
    out: Annotated[Path, "The file to write."],
    format_: Annotated[Format | None, "By default from the file's name."] = None,
    run: Annotated[tuple[str, ...], "Only this run (repeatable)."] = (),
    store: StoreOption = None,
) -> None:
    """Write one row per episode, with the facts of its run, to a file."""
    chosen = format_ or out.suffix.removeprefix(".")
    if chosen not in get_args(Format):
        raise BadInput(f"Which format is {out}?", "Add --format parquet or --format csv.")
    with Store.open(store) as opened:
        runs = [opened.run(name) for name in run] if run else opened.runs()
        count = write(opened, runs, out, parquet=chosen == "parquet")
    print(f"{count} episodes of {len(runs)} runs written to {out}")
