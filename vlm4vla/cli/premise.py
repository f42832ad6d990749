"""`bench vqa premise`: the emoji premise test of a vision-language model, kept in the store."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from vlm4vla.cli.options import JsonOption, StoreOption
from vlm4vla.cli.screen import print_json
from vlm4vla.core.episode import JSON
from vlm4vla.models.registry import entry, require
from vlm4vla.reports.tables.numbers import PERCENT, interval_text
from vlm4vla.simulators.grinningface import art as pictures
from vlm4vla.stats.binomial import binomial_test
from vlm4vla.stats.intervals import wilson
from vlm4vla.store import Store
from vlm4vla.store.library import Library, Score, Source
from vlm4vla.studies.emoji import premise as test


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
            console = Console(stderr=True)
            waiting = track(
                test.ask(reader, listed, art), one, len(listed), console=console, transient=True,
                disable=not console.is_terminal,
            )  # fmt: skip
            answers = list(waiting)
            seconds = round(time.monotonic() - started, 1)
            k, n = sum(answer.correct for answer in answers), len(answers)
            benchmark = f"emoji premise ({one})"
            score = Score(
                model, backbone, benchmark, "target likeliest of three cards", k / n, "fraction",
                n, k, test.CHANCE,
            )  # fmt: skip
            _keep(opened.library, score, one, {**facts, "chosen": [a.chosen for a in answers]})
            low, high = map(float, wilson(k, n))
            p = float(binomial_test(k, n, test.CHANCE))
            found.append({
                "model": model, "backbone": backbone, "split": one, "benchmark": benchmark,
                "value": k / n, "low": low, "high": high, "k": k, "n": n, "chance": test.CHANCE,
                "p_chance": p, "seconds": seconds,
            })  # fmt: skip
            if not json_:
                print(
                    f"{model}  {one}: {PERCENT.text(k / n)} % "
                    f"{interval_text(low, high, PERCENT)}, n = {n} "
                    f"(chance {PERCENT.text(test.CHANCE)}, p = {p:.2g}), {seconds} s"
                )
    if json_:
        print_json(found)
    else:
        print(f"Kept in the store: bench vqa list --benchmark '{found[-1]['benchmark']}'")


def _keep(library: Library, score: Score, split: str, provenance: Mapping[str, JSON]) -> None:
    text = json.dumps([score.model, split, provenance])
    digest = hashlib.sha256(text.encode()).hexdigest()
    source = Source(
        f"premise-{digest[:8]}", "measured", "premise", str(provenance["checkpoint"]), digest, "",
        provenance,
    )  # fmt: skip
    library.add(source, scores=[score])
