"""`bench report`: the store as one self-contained HTML page."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vlm4vla.cli.options import StoreOption
from vlm4vla.core.errors import BadInput
from vlm4vla.core.result import Outcome
from vlm4vla.reports.scores import short_run
from vlm4vla.reports.tables.selection import Selection
from vlm4vla.runs.replay import Pictures, replay_stored
from vlm4vla.runs.sheet import write_sheet
from vlm4vla.store import RunRecord, Store, StoreSnapshot

if TYPE_CHECKING:  # what draws takes seconds to import, and --help does not draw
    from vlm4vla.reports.page import Sheet

CELLS = 12
"""Pictures of an episode on the page."""


def _sheet(text: str) -> Sheet:
    from vlm4vla.reports.page import Sheet

    title, sign, file = text.rpartition("=")
    if not Path(file).is_file():
        raise BadInput(f"There is no picture {file}.", "Write --sheet 'Title=FILE.png'.")
    return Sheet(title if sign else Path(file).stem, Path(file))


def report(
    out: Annotated[Path, "The HTML file to write."] = Path("results/report.html"),
    suite: Annotated[tuple[str, ...], "Only this suite (repeatable)."] = (),
    policy: Annotated[tuple[str, ...], "Only this policy (repeatable)."] = (),
    all_: Annotated[bool, "Every run, not only the latest of its kind."] = False,
    sheet: Annotated[
        tuple[str, ...],
        typer.Option(metavar="TITLE=PNG", help="A contact sheet to embed (repeatable)."),
    ] = (),
    frames: Annotated[int, "Replay so many episodes of each run and show what was seen."] = 0,
    vqa: Annotated[
        tuple[str, ...], "Correlate with this benchmark (repeatable); `bench vqa list`."
    ] = (),
    published: Annotated[bool, "Add the papers' rows and imports; correlate theirs."] = False,
    store: StoreOption = None,
) -> None:
    """Write tables, drawings, differences, errors and commands to one HTML file."""
    from vlm4vla.reports.page import collect, write_page

    sheets = [_sheet(text) for text in sheet]
    with Store.open(store) as opened, tempfile.TemporaryDirectory() as folder:
        once = StoreSnapshot(opened)
        asked = Selection(suite, policy, all_runs=all_, published=published)
        content = collect(once, asked, vqa)
        for run in content.runs if frames else ():
            try:
                sheets += _contact_sheets(once, run.record, frames, Path(folder))
            except BadInput as error:  # the page is worth having without pictures
                print(f"No frames of {run.record.id}: {error}")
        write_page(content, out, sheets)
    print(f"Report written to {out}")


def _contact_sheets(store: Store, record: RunRecord, count: int, folder: Path) -> list[Sheet]:
    """Replay `count` episodes of a run, failures first: they are what one wants to see."""
    from vlm4vla.reports.page import Sheet

    rows = [row for row in store.episodes(record.id) if row.outcome is not Outcome.ERROR]
    sheets = []
    for row in sorted(rows, key=lambda row: row.outcome is Outcome.SUCCESS)[:count]:
        name = f"{record.id}-{row.key.task}-{row.key.init}"
        pictures = Pictures(frames=folder / name, most=CELLS)
        replay_stored(store, record.id, row.key.task, row.key.init, pictures)
        place = f"{row.key.task}/{row.key.init}"
        title = f"{record.policy} {short_run(record.id)}, {place}: {row.outcome.value}"
        if record.privileged:
            title += " (it read the simulator's state instead)"
        path = folder / f"{name}.webp"  # a tenth of a PNG
        files = sorted((folder / name).glob("*/*.png"))
        write_sheet(files, path, f"{row.key}: {row.instruction}", most=CELLS)
        sheets.append(Sheet(title, path, record.suite))
    return sheets
