"""`bench vqa premise`: the emoji premise test of a vision-language model, kept in the store."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vlm4vla.cli.options import JsonOption, StoreOption
from vlm4vla.core.episode import JSON

if TYPE_CHECKING:
    from vlm4vla.store.library import Library
    from vlm4vla.studies.emoji.premise import Answer


@dataclass(frozen=True)
class _Accuracy:
    """One split of one model."""

    model: str
    backbone: str
    split: str
    benchmark: str
    value: float
    low: float
    high: float
    k: int
    n: int
    chance: float
    p_chance: float
    """Exact two-sided p that the model guesses."""
    seconds: float


def premise(
    backbone: Annotated[str, "A backbone's name, `bench list backbones`."],
    checkpoint: Annotated[
        str, typer.Option(metavar="FOLDER", help="Local folder of the weights [the backbone's].")
    ] = "",
    split: Annotated[tuple[str, ...], "id, train, val or hard (repeatable) [all]."] = (),
    questions: Annotated[int, "How many of each split."] = 100,
    question: Annotated[str, "What is asked about each card."] = "",
    labels: Annotated[str, "official, or the paper's paligemma."] = "official",
    art: Annotated[str, "noto, or a folder of PNGs by code point."] = "noto",
    name: Annotated[str, "What to call the model [the folder's name]."] = "",
    device: Annotated[str, "cpu, cuda, cuda:1, ..."] = "cpu",
    json_: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Run GrinningFace's premise test: three cards, which of them is meant?"""
    from vlm4vla.cli.screen import print_json
    from vlm4vla.models.registry import entry, require
    from vlm4vla.reports.tables.numbers import PERCENT, interval_text
    from vlm4vla.simulators.grinningface import art as pictures
    from vlm4vla.store import Store
    from vlm4vla.studies.emoji import premise as test

    source = checkpoint or entry(backbone).source
    asked = {one: test.questions(one, questions, labels) for one in split or test.SPLITS}
    version = pictures.version(art)
    require("torch", "transformers")
    from vlm4vla.models.likelihood import LabelReader

    facts: dict[str, JSON] = {
        "backbone": backbone, "checkpoint": source, "labels": labels, "art": version,
        "question": question or test.QUESTION,
    }  # fmt: skip
    model = name or (Path(checkpoint).name if checkpoint else backbone)
    found = []
    with Store.open(store, create=True) as opened:
        reader = LabelReader.load(backbone, str(facts["question"]), source, device)
        for one, listed in asked.items():
            started = time.monotonic()
            answers = _watched(test.ask(reader, listed, art), one, len(listed))
            accuracy = _accuracy(model, backbone, one, answers, time.monotonic() - started)
            _keep(opened.library, accuracy, facts, answers)
            found.append(accuracy)
            if not json_:
                typer.echo(
                    f"{model}  {one}: {PERCENT.text(accuracy.value)} % "
                    f"{interval_text(accuracy.low, accuracy.high, PERCENT)}, n = {accuracy.n} "
                    f"(chance {PERCENT.text(accuracy.chance)}, "
                    f"p = {accuracy.p_chance:.2g}), {accuracy.seconds} s"
                )
    if json_:
        print_json(found)
    else:
        typer.echo(f"Kept in the store: bench vqa list --benchmark '{found[-1].benchmark}'")


def _accuracy(
    model: str, backbone: str, split: str, answers: Sequence[Answer], seconds: float
) -> _Accuracy:
    from vlm4vla.stats.binomial import binomial_test
    from vlm4vla.stats.intervals import wilson
    from vlm4vla.studies.emoji.premise import CHANCE

    k, n = sum(answer.correct for answer in answers), len(answers)
    low, high = wilson(k, n)
    return _Accuracy(
        model, backbone, split, f"emoji premise ({split})", k / n, float(low), float(high), k, n,
        CHANCE, float(binomial_test(k, n, CHANCE)), round(seconds, 1),
    )  # fmt: skip


def _keep(
    library: Library, one: _Accuracy, facts: Mapping[str, JSON], answers: Sequence[Answer]
) -> None:
    from vlm4vla.store.library import Score, Source

    provenance = {**facts, "chosen": [answer.chosen for answer in answers]}
    text = json.dumps([one.model, one.split, provenance])
    digest = hashlib.sha256(text.encode()).hexdigest()
    source = Source(
        f"premise-{digest[:8]}", "measured", "premise", str(facts["checkpoint"]), digest, "",
        provenance,
    )  # fmt: skip
    score = Score(
        one.model, one.backbone, one.benchmark, "target likeliest of three cards", one.value,
        "fraction", one.n, one.k, one.chance,
    )  # fmt: skip
    library.add(source, scores=[score])


def _watched(answers: Iterable[Answer], split: str, total: int) -> list[Answer]:
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return list(
        track(
            answers, split, total, console=console, transient=True,
            disable=not console.is_terminal,
        )
    )  # fmt: skip
