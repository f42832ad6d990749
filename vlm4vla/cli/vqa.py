"""`bench vqa`: how good vision-language models are without a robot."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from vlm4vla.cli.options import JsonOption, StoreOption
from vlm4vla.cli.screen import present
from vlm4vla.models.registry import require
from vlm4vla.reports.correlation.retention import retention_exhibit, retentions
from vlm4vla.reports.correlation.vqa import score_rows, scores_exhibit
from vlm4vla.reports.tables.selection import TableFormat
from vlm4vla.runs.kits import Evaluation, evaluate
from vlm4vla.store import Store, reading_if_any
from vlm4vla.store.importers import enter


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


def export(
    checkpoint: Annotated[Path, typer.Argument(help="What bench train wrote.")],
    out: Annotated[Path, typer.Argument(help="A new folder.")],
    source: Annotated[
        str | None,
        typer.Option(metavar="FOLDER", help="The pretrained model [where training had it]."),
    ] = None,
) -> None:
    """Write a checkpoint's backbone as a plain model folder that evaluation kits load."""
    require("torch", "transformers", "peft")
    from vlm4vla.models.export import export as write

    facts = write(checkpoint, out, source)
    print(f"{out}: {facts.backbone} of checkpoint {facts.checkpoint}, {facts.dtype}.")
    if not facts.processor:
        print(
            f"No processor was found at {facts.base}: a kit needs preprocessor_config.json of the "
            "pretrained model beside the weights."
        )


def run(
    model: Annotated[Path, typer.Argument(help="A model's folder, e.g. of bench vqa export.")],
    kit: Annotated[str, "lmms-eval or vlmevalkit."],
    task: Annotated[tuple[str, ...], "A benchmark, by the kit's name (repeatable)."],
    out: Annotated[Path, "Where the kit writes."],
    option: Annotated[Mapping[str, str], "Of the kit's model (repeatable)."],
    python: Annotated[str, "The Python that has the kit."] = "python3",
    limit: Annotated[int | None, "Only so many questions of each."] = None,
    store: StoreOption = None,
) -> None:
    """Evaluate a model with your lmms-eval or VLMEvalKit, and keep its scores in the store."""
    asked = Evaluation(model, task, out, limit, option)
    written = evaluate(kit, python, asked)
    with Store.open(store, create=True) as opened:
        for path, found in written:
            enter(opened.library, path, found, "bench " + " ".join(sys.argv[1:]))
            for score in found.scores:
                n = f", n = {score.n}" if score.n else ""
                print(f"{score.model}  {score.benchmark}: {score.value:.4g} ({score.unit}{n})")
    print(f"Before and after: bench vqa retention BEFORE {out}")
