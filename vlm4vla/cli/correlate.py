"""`bench correlate`: does a better vision-language model make a better policy?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from vlm4vla.cli.options import JsonOption, StoreOption, check_writable
from vlm4vla.cli.screen import drawn, present, print_json
from vlm4vla.cli.screen import screen as terminal
from vlm4vla.core.errors import BadInput, UnknownName
from vlm4vla.reports.correlation import mixed as mixed_models
from vlm4vla.reports.correlation.correlation import (
    Correlation,
    correlations,
    points_table,
    sentences,
)
from vlm4vla.reports.correlation.real import STUDY, real_exhibit
from vlm4vla.reports.correlation.screening import screening_exhibit
from vlm4vla.reports.correlation.study import study_exhibit, study_names
from vlm4vla.reports.correlation.vqa import file_rows
from vlm4vla.reports.tables.registry import opened
from vlm4vla.reports.tables.selection import Selection, TableFormat


def correlate(
    *,
    vqa: Annotated[tuple[str, ...], "Benchmark of the x axis (repeatable); `bench vqa list`."] = (),
    scores: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Scores of yours: a column per benchmark, a row each."),
    ] = None,
    screen: Annotated[bool, "Every benchmark instead: exploration, not a claim."] = False,
    study: Annotated[
        str, typer.Option(metavar="NAME", help="A study of others; simpler_real: simulated, real.")
    ] = "",
    suite: Annotated[tuple[str, ...], "Suite of the y axis (repeatable) [all there are]."] = (),
    published: Annotated[bool, "Policies as VLM4VLA prints them, not the store's."] = False,
    backbone: Annotated[
        Mapping[str, str],
        typer.Option(metavar="POLICY=NAME", help="Whose backbone, where its name does not tell."),
    ],
    mixed: Annotated[bool, "Also a mixed logit over the store's episodes."] = False,
    svg: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write the drawings there.")
    ] = None,
    json_: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Correlate scores of vision-language models with those of the policies made of them."""
    if scores is not None and (mixed or screen or study):
        raise BadInput(
            "--scores goes with named benchmarks, or all of the file's.",
            "bench import FILE enters it for --mixed and --screen.",
        )
    if mixed and (screen or published):
        raise BadInput(
            f"--mixed needs a named benchmark and stored episodes; "
            f"{'--screen names none' if screen else 'published tables hold no episodes'}.",
            "Drop --mixed, or correlate runs of your own: --vqa NAME --mixed",
        )
    if study:
        UnknownName.check("study", [study], [STUDY, *study_names()])
        written = TableFormat.JSON if json_ else TableFormat.TABLE
        if study != STUDY:
            present(study_exhibit(study, vqa), written)
            return
        with opened(store, Selection(published=True)) as read:
            present(real_exhibit(read, backbone), written)
        return
    if not screen and not vqa and scores is None:
        raise BadInput(
            "No benchmark was named.",
            "--scores FILE.csv, or --vqa NAME; `bench vqa list` shows all",
        )
    rows, guessed = file_rows(scores) if scores is not None else (None, "")
    with opened(store, Selection(published=published)) as read:
        if screen:
            written = TableFormat.JSON if json_ else TableFormat.TABLE
            present(screening_exhibit(read, suite, published, backbone), written)
            return
        found = correlations(vqa, suite, published, read, backbone, rows)
        models = []
        if mixed:
            assert read is not None  # what is published has no episodes
            models = [mixed_models.mixed_model(name, read, suite, backbone) for name in vqa]
    drawings = _draw(found, svg) if svg is not None else []
    if json_:
        print_json({"correlations": found, "mixed": models} if mixed else found)
        return
    console = terminal()
    if guessed:
        console.print(guessed, soft_wrap=True, markup=False)
    for one in found:
        console.print(f"{one.suite} ({one.metric}) against {one.vqa}", style="bold")
        console.print("\n".join(text_scatter(one)))
        console.print(drawn(points_table(one)))
        console.print("\n".join([*sentences(one), ""]))
    for model in models:
        console.print(f"success in {', '.join(model.suites)} against {model.vqa}", style="bold")
        console.print("\n".join([*mixed_models.sentences(model), ""]))
    if len(found) > 1:
        console.print(
            f"p (Holm) is adjusted for the {len(found)} correlations asked for together.",
            style="dim",
        )
    if drawings:
        console.print(f"Drawings: {', '.join(map(str, drawings))}", soft_wrap=True)


def _draw(found: list[Correlation], folder: Path) -> list[Path]:
    from vlm4vla.reports.figures.correlation import influence, scatter
    from vlm4vla.reports.figures.drawing import Drawing  # and with it matplotlib

    check_writable(str(folder), folder, "Name a folder of yours with --svg.")
    written = []
    for one in found:
        stem = re.sub(r"[^a-z0-9]+", "-", f"{one.suite} {one.vqa}".lower()).strip("-")
        for name, drawing in (("scatter", scatter(one)), ("influence", influence(one))):
            assert isinstance(drawing, Drawing)
            written.append(drawing.save(folder / f"{stem}-{name}.svg"))
    return written


def text_scatter(found: Correlation, width: int = 58, height: int = 13) -> list[str]:
    """The scatter in letters: `a` is the first backbone of `found.points`."""
    xs, ys = [p.x for p in found.points], [p.y for p in found.points]
    grid = [[" "] * width for _ in range(height)]

    def cell(x: float, y: float) -> tuple[int, int]:
        across = (x - min(xs)) / ((max(xs) - min(xs)) or 1.0)
        up = (y - min(ys)) / ((max(ys) - min(ys)) or 1.0)
        return round((1 - up) * (height - 1)), round(across * (width - 1))

    for column in range(width):
        x = min(xs) + (max(xs) - min(xs)) * column / (width - 1)
        row, _ = cell(x, found.intercept + found.slope * x)
        if 0 <= row < height:
            grid[row][column] = "·"
    for index, point in enumerate(found.points):
        row, column = cell(point.x, point.y)
        while grid[row][column].isalpha() and column + 1 < width:
            column += 1
        grid[row][column] = chr(ord("a") + index % 26)
    factor, digits = found.scale[1], 1 if found.y_rate else 2
    edge = {0: f"{factor * max(ys):.{digits}f}", height - 1: f"{factor * min(ys):.{digits}f}"}
    lines = [f"{edge.get(i, ''):>6} │{''.join(row)}" for i, row in enumerate(grid)]
    return [*lines, " " * 7 + "└" + "─" * width]
