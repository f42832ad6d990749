"""`bench correlate`: does a better vision-language model make a better policy?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vlm4vla.cli.options import JsonOption, StoreOption, assignments

if TYPE_CHECKING:
    from rich.console import Console

    from vlm4vla.reports.correlation.correlation import Correlation
    from vlm4vla.reports.correlation.mixed import Mixed
    from vlm4vla.store import Store


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
    from vlm4vla.cli.screen import present, print_json
    from vlm4vla.cli.screen import screen as terminal
    from vlm4vla.core.errors import BadInput
    from vlm4vla.reports.correlation.correlation import correlations
    from vlm4vla.reports.correlation.screening import screening_exhibit
    from vlm4vla.reports.tables.registry import Selection, opened
    from vlm4vla.reports.tables.table import TableFormat

    written = TableFormat.JSON if json_ else TableFormat.TABLE

    if mixed and (screen or published):
        raise BadInput(
            f"--mixed needs a named benchmark and stored episodes; "
            f"{'--screen names none' if screen else 'published tables hold no episodes'}.",
            "Drop --mixed, or correlate runs of your own: --vqa NAME --mixed",
        )
    named = assignments("--backbone", backbone)
    if not screen and not vqa:
        raise BadInput("No benchmark was named.", "--vqa NAME; `bench vqa list` shows all")
    with opened(store, Selection(published=published)) as read:
        if screen:
            present(screening_exhibit(read, suite, published, named), written)
            return
        assert vqa is not None
        found = correlations(vqa, suite, published, read, named)
        models = _mixed(vqa, suite, read, named) if mixed else []
    drawings = _draw(found, svg) if svg is not None else []
    if json_:
        shown = {"correlations": found, "mixed": models} if mixed else found
        print_json(shown)
        return
    console = terminal()
    for one in found:
        _show(console, one)
    for model in models:
        _show_model(console, model)
    if len(found) > 1:
        console.print(
            f"p (Holm) is adjusted for the {len(found)} correlations asked for together.",
            style="dim",
        )
    if drawings:
        console.print(f"Drawings: {', '.join(map(str, drawings))}", soft_wrap=True)


def _show(console: Console, one: Correlation) -> None:
    from rich.text import Text

    from vlm4vla.reports.correlation.sentences import points_table, sentences
    from vlm4vla.reports.figures.plain import text_scatter
    from vlm4vla.reports.tables.terminal import drawn

    console.print(Text(f"{one.suite} ({one.metric}) against {one.vqa}", style="bold"))
    console.print(Text("\n".join(text_scatter(one))))
    console.print(drawn(points_table(one)))
    console.print(Text("\n".join(sentences(one)) + "\n"))


def _mixed(
    vqa: Sequence[str], suites: Sequence[str], store: Store | None, named: Mapping[str, str]
) -> list[Mixed]:
    from vlm4vla.reports.correlation.mixed import mixed_model

    assert store is not None
    return [mixed_model(name, store, suites, named) for name in vqa]


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
