"""`bench correlate`: does a better vision-language model make a better policy?"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vlm4vla.cli.options import JsonOption, StoreOption, assignments

if TYPE_CHECKING:
    from rich.console import Console

    from vlm4vla.reports.correlation.correlation import Correlation
    from vlm4vla.reports.correlation.mixed import Mixed


def correlate(
    vqa: Annotated[tuple[str, ...], "Benchmark of the x axis (repeatable); `bench vqa list`."] = (),
    screen: Annotated[bool, "Every benchmark instead: exploration, not a claim."] = False,
    suite: Annotated[tuple[str, ...], "Suite of the y axis (repeatable) [all there are]."] = (),
    published: Annotated[bool, "Policies as VLM4VLA prints them, not the store's."] = False,
    backbone: Annotated[
        list[str] | None,
        typer.Option(metavar="POLICY=NAME", help="Whose backbone, where its name does not tell."),
    ] = None,
    mixed: Annotated[bool, "Also a mixed logit over the store's episodes."] = False,
    svg: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write the drawings there.")
    ] = None,
    json_: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Correlate scores of vision-language models with those of the policies made of them."""
    from vlm4vla.core.errors import BadInput
    from vlm4vla.reports.correlation.correlation import correlations
    from vlm4vla.reports.tables.strict_json import json_text

    if mixed and (screen or published):
        raise BadInput(
            f"--mixed needs a named benchmark and stored episodes; "
            f"{'--screen names none' if screen else 'published tables hold no episodes'}.",
            "Drop --mixed, or correlate runs of your own: --vqa NAME --mixed",
        )
    named = assignments("--backbone", backbone)
    if screen:
        _screen(suite, published, store, named, json_)
        return
    if not vqa:
        raise BadInput("No benchmark was named.", "--vqa NAME; `bench vqa list` shows all")
    found = correlations(vqa, suite, published, store, named)
    models = _mixed(vqa, suite, store, named) if mixed else []
    if svg is not None:
        written = _draw(found, svg)
    if json_:
        sys.stdout.write(_with_models(found, models) if mixed else json_text(found))
        return
    from vlm4vla.cli.screen import screen as page

    console = page()
    for one in found:
        _show(console, one)
    for model in models:
        _show_model(console, model)
    if len(found) > 1:
        console.print(
            f"p (Holm) is adjusted for the {len(found)} correlations asked for together.",
            style="dim",
        )
    if svg is not None:
        console.print(f"Drawings: {', '.join(map(str, written))}", soft_wrap=True)


def _screen(
    suites: Sequence[str],
    published: bool,
    store: str | None,
    named: dict[str, str],
    as_json: bool,
) -> None:
    from vlm4vla.reports.correlation.screening import FEWEST, screen
    from vlm4vla.reports.tables.strict_json import json_text

    found = screen(suites, published, store, named)
    if as_json:
        sys.stdout.write(json_text(found))
        return
    from rich import box
    from rich.table import Table

    from vlm4vla.cli.screen import screen as page
    from vlm4vla.reports.correlation.sentences import span

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("benchmark", "suite", "n", "r", "95 %", "rho", "p", "p (BH)"):
        table.add_column(name, justify="left" if name in ("benchmark", "suite") else "right")
    for one in found:
        table.add_row(
            one.vqa, one.suite, str(one.n), f"{one.pearson:.2f}", span(one.low, one.high),
            f"{one.spearman:.2f}", f"{one.p:.3f}", f"{one.p_bh:.3f}",
        )  # fmt: skip
    console = page()
    console.print(table)
    console.print(
        f"{len(found)} pairs with {FEWEST} backbones or more, p adjusted for all of them "
        "(Benjamini-Hochberg): a look around, not a claim.",
        style="dim",
    )


def _show(console: Console, one: Correlation) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from vlm4vla.reports.correlation.sentences import sentences
    from vlm4vla.reports.figures.plain import text_scatter

    rate = all(0 <= point.y <= 1 for point in one.points)
    factor, digits = (100, 1) if rate else (1, 2)
    console.print(Text(f"{one.suite} ({one.metric}) against {one.vqa}", style="bold"))
    console.print(Text("\n".join(text_scatter(one))))
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("", "backbone", "family", "x", "y", "n", "r without"):
        table.add_column(name, justify="left" if name in ("", "backbone", "family") else "right")
    for index, point in enumerate(one.points):
        y = f"{factor * point.y:.{digits}f}"
        if point.y_error is not None:
            y += f" ± {1.96 * factor * point.y_error:.{digits}f}"
        table.add_row(
            chr(ord("a") + index % 26), point.label, point.family, f"{point.x:.5g}", y,
            "" if point.n is None else str(point.n), f"{point.without:.2f}",
        )  # fmt: skip
    console.print(table)
    console.print(Text("\n".join(sentences(one)) + "\n"))


def _mixed(
    vqa: Sequence[str], suites: Sequence[str], store: str | None, named: dict[str, str]
) -> list[Mixed]:
    from vlm4vla.reports.correlation.mixed import mixed_model
    from vlm4vla.store import Store

    with Store.open(store) as opened:
        return [mixed_model(name, opened, suites, named) for name in vqa]


def _with_models(found: list[Correlation], models: list[Mixed]) -> str:
    from dataclasses import asdict

    from vlm4vla.reports.tables.strict_json import text

    return text({
        "correlations": [asdict(one) for one in found],
        "mixed": [asdict(one) for one in models],
    })  # fmt: skip


def _show_model(console: Console, one: Mixed) -> None:
    from rich.text import Text

    from vlm4vla.reports.correlation.mixed import sentences

    console.print(Text(f"success in {', '.join(one.suites)} against {one.vqa}", style="bold"))
    console.print(Text("\n".join(sentences(one)) + "\n"))


def _draw(found: list[Correlation], folder: Path) -> list[Path]:
    import re

    from vlm4vla.core.errors import BadInput
    from vlm4vla.reports.figures.canvas import Drawing
    from vlm4vla.reports.figures.correlation import influence, scatter

    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for one in found:
            stem = re.sub(r"[^a-z0-9]+", "-", f"{one.suite} {one.vqa}".lower()).strip("-")
            for name, drawing in (("scatter", scatter(one)), ("influence", influence(one))):
                assert isinstance(drawing, Drawing)
                written.append(drawing.save(folder / f"{stem}-{name}.svg"))
    except OSError as error:
        raise BadInput(
            f"{folder} cannot be written: {error.strerror}.", "Name a folder of yours with --svg."
        ) from error
    return written
