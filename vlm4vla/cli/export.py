"""`bench export`: episodes with their runs, for other tools."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from vlm4vla.cli.options import StoreOption
from vlm4vla.core.errors import BadInput


class Format(StrEnum):
    """What can be written."""

    PARQUET = "parquet"
    CSV = "csv"


def export(
    out: Annotated[Path, "The file to write."],
    format_: Annotated[Format | None, "By default from the file's name."] = None,
    run: Annotated[tuple[str, ...], "Only this run (repeatable)."] = (),
    store: StoreOption = None,
) -> None:
    """Write one row per episode, with the facts of its run, to a file."""
    from vlm4vla.store import Store
    from vlm4vla.store.export import write

    chosen = format_.value if format_ else out.suffix.removeprefix(".")
    if chosen not in set(Format):
        raise BadInput(f"Which format is {out}?", "Add --format parquet or --format csv.")
    with Store.open(store) as opened:
        runs = [opened.run(name) for name in run] if run else opened.runs()
        count = write(opened, runs, out, parquet=chosen == Format.PARQUET)
    print(f"{count} episodes of {len(runs)} runs written to {out}")
