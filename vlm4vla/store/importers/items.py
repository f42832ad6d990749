"""What a model scored on each single question, as the evaluation kits keep it.

lmms-eval: `DATE_samples_TASK.jsonl`, a line per question with `doc_hash` and its metrics.
VLMEvalKit: beside `MODEL_DATASET.xlsx` (`.tsv`, `.json`) the same table with what each answer is
worth: `_JUDGE_result` (`hit`, multiple choice), `_auxmatch` (`score`, yes or no), `_results`
(`eval_score`, open answers, which may be partly right).
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile

from vlm4vla.core.errors import InvalidFile
from vlm4vla.store.importers import workbook

Row = Mapping[str, object]

SAMPLES = re.compile(r"^(?P<date>.+?)_samples_(?P<task>.+)$")
JUDGED = r"(?:_auxmatch|_results|_(?:exact_matching|[A-Za-z0-9.-]+)_result)$"
"""What VLMEvalKit puts behind the name of a table of single answers."""
_KIT = re.compile(rf"^(?P<stem>.+?){JUDGED}")
_WORTH = ("hit", "score", "eval_score")
HEADS = (
    "exact_match", "anls", "relaxed_overall", "pope_accuracy", "mmmu_acc", "average",
    "gpt_eval_score", "ocrbench_accuracy", "accuracy", "acc",
)  # fmt: skip
"""The metrics that stand for a task of lmms-eval, where it has several."""
_FIX = "Name files of single questions: DATE_samples_TASK.jsonl, or MODEL_DATASET_*result*.xlsx."


@dataclass(frozen=True)
class Item:
    """One question."""

    key: str
    """Hash of the question and its answer: the same in every evaluation of it."""
    score: float
    """1 right, 0 wrong; between them where a kit gives part of it."""
    part: str = ""
    """Its split or category, where the kit scores these apart."""


@dataclass(frozen=True)
class ItemTable:
    """One model on one benchmark, question by question."""

    file: Path
    model: str
    benchmark: str
    metric: str
    items: tuple[Item, ...]


def item_files(place: Path) -> list[Path]:
    """The file itself, or every file of single questions in a folder, each evaluation once.

    Where a folder holds several evaluations of one benchmark the latest counts. Raises InvalidFile.
    """
    if place.is_file():
        return [place]
    found: dict[str, Path] = {}
    for path in sorted(place.rglob("*")):  # names of lmms-eval begin with the date
        sample = SAMPLES.match(path.stem) if path.suffix == ".jsonl" else None
        table = path.suffix in (".xlsx", ".tsv") or (path.suffix == ".json" and table_rows(path))
        kit = _KIT.match(path.stem) if table else None
        if sample or kit:
            found[sample["task"] if sample else kit["stem"] if kit else ""] = path
    if not found:
        raise InvalidFile(f"{place} holds no file of single questions.", _FIX)
    return list(found.values())


def read_items(path: Path) -> ItemTable:
    """The questions of one file. Raises InvalidFile."""
    try:
        sample = SAMPLES.match(path.stem)
        return _samples(path, sample["task"]) if sample else _kit(path)
    except (OSError, ValueError, KeyError, BadZipFile, ParseError) as error:
        raise InvalidFile(f"{path} cannot be read as single questions: {error}.", _FIX) from error


def table_rows(path: Path) -> list[Row]:
    """The rows of a table of VLMEvalKit in any of its three forms."""
    if path.suffix == ".xlsx":
        return list(workbook.rows(path))
    with path.open(encoding="utf-8", newline="") as opened:
        if path.suffix != ".json":
            return list(csv.DictReader(opened, delimiter="\t" if path.suffix == ".tsv" else ","))
        read = json.load(opened)
    return [row for row in read if isinstance(row, dict)] if isinstance(read, list) else []


def scored_items(rows: Sequence[Row]) -> tuple[Item, ...]:
    """The questions of VLMEvalKit's rows; none where they do not say what an answer is worth."""
    worth = next((name for name in _WORTH if rows and name in rows[0]), None)
    if worth is None:
        return ()
    parts = ("split", "category")
    return tuple(
        Item(
            _hash([str(row.get(name, "")) for name in ("index", "question", "answer")]),
            _number(row[worth]),
            next((str(row[name]) for name in parts if row.get(name)), ""),
        )
        for row in rows
    )


def chosen_metric(names: Iterable[str]) -> str | None:
    """What stands for a task that has several metrics; the first if none is known."""
    listed = list(names)
    return next((name for name in HEADS if name in listed), listed[0] if listed else None)


def _kit(path: Path) -> ItemTable:
    items, named = scored_items(table_rows(path)), _KIT.match(path.stem)
    if not items or not named:
        raise ValueError("no hit, score or eval_score of each question")
    folders = [folder.name for folder in path.absolute().parents]
    near = (name for name in folders if name and path.stem.startswith(f"{name}_"))
    model = next(near, "") or named["stem"].partition("_")[0]
    return ItemTable(path, model, named["stem"].removeprefix(f"{model}_"), "", items)


def _samples(path: Path, task: str) -> ItemTable:
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines if line.strip()]
    if not rows:
        raise ValueError("it is empty")
    scores = [{n: s for n, v in row.items() if (s := _worth(v)) is not None} for row in rows]
    # A category's metric stands on its own questions only, the task's on all.
    everywhere = [n for n in scores[0] if n not in _FACTS and all(n in one for one in scores)]
    metric = chosen_metric(everywhere)
    if metric is None:
        raise ValueError("no metric that every question has")
    pairs = zip(rows, scores, strict=True)
    items = tuple(Item(str(row["doc_hash"]), found[metric]) for row, found in pairs)
    return ItemTable(path, path.parent.name.replace("__", "/"), task, metric, items)


_FACTS = {"doc_id", "target", "doc_hash", "input", "resps", "filtered_resps", "token_counts"}


def _worth(value: object) -> float | None:
    """The number of a metric, which may stand in a record of its own."""
    if isinstance(value, dict):
        value = value.get("score")
    return float(value) if isinstance(value, bool | int | float) else None


def _number(value: object) -> float:
    """A cell: 1, 0.3, True, or the words for it."""
    truths: Mapping[str, float] = {"true": 1.0, "false": 0.0}
    text = str(value).strip().casefold()
    return truths[text] if text in truths else float(text)


def _hash(parts: list[str]) -> str:
    # Excel keeps whole numbers as 3, JSON and TSV perhaps as 3.0.
    plain = [re.sub(r"^(\d+)\.0$", r"\1", part) for part in parts]
    return hashlib.sha256(json.dumps(plain, ensure_ascii=False).encode()).hexdigest()


def mean_of(items: Sequence[Item]) -> float:
    """Mean score of one question or more."""
    return statistics.fmean(item.score for item in items)
