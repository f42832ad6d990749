"""Score tables of VLMEvalKit: `MODEL_DATASET_acc.csv`, `_score.csv`, `_score.json`.

Accuracies are fractions of 1, one row per split; score tables are in percent; OCRBench's JSON
holds a score of 1000. The model is the folder's name where the file's begins with it.
"""

from __future__ import annotations

import csv
import re

from vlm4vla.store.importers.found import Found, ResultFile
from vlm4vla.store.library import Score
from vlm4vla.store.published import backbone_of

_JUDGE = re.compile(r"_(?:gpt|chatgpt|exact|openai|deepseek|qwen)[A-Za-z0-9.-]*$", re.I)


_OVERALL = {"Final Score": 1000.0, "Final Score Norm": 100.0, "Overall": 100.0}
"""Fields of a JSON table that may hold its score, and what divides it into a fraction of 1."""


def is_table(file: ResultFile) -> bool:
    """Whether name and header are those of a score table."""
    if not re.search(r"_(acc|score)$", file.path.stem):
        return False
    if file.path.suffix == ".json":
        return bool(_overall(file))
    header = file.text.split("\n", 1)[0].replace('"', "")
    names = set(header.strip().split(","))
    return bool(names & {"Overall", "aAcc", "acc", "overall"}) and "benchmark" not in names


def read_table(file: ResultFile) -> Found:
    """One model on one data set: its overall score, a row per split. Raises InvalidFile."""
    model, dataset = _names(file)
    if file.path.suffix == ".json":
        values = [(dataset, "score", *found) for found in _overall(file)]
    else:
        values = _rows(file, dataset)
    if not values:
        raise file.invalid("no overall score in it")
    scores = [
        Score(model, backbone_of(model), benchmark, metric, round(value / scale, 12))
        for benchmark, metric, value, scale in values
    ]
    return Found("vlmevalkit", scores=tuple(scores), provenance={"data set": dataset})


def _names(file: ResultFile) -> tuple[str, str]:
    stem = _JUDGE.sub("", re.sub(r"_(acc|score)$", "", file.path.stem))
    # Runs may lie in a dated folder below the model's.
    folders = [folder.name for folder in file.path.absolute().parents]
    near = (name for name in folders if name and stem.startswith(f"{name}_"))
    model = file.asked.model or next(near, "") or stem.partition("_")[0]
    dataset = stem.removeprefix(f"{model}_") if stem.startswith(f"{model}_") else stem
    if not dataset or dataset == model:
        raise file.invalid("its name is not MODEL_DATASET_acc or MODEL_DATASET_score")
    return model, dataset


def _rows(file: ResultFile, dataset: str) -> list[tuple[str, str, float, float]]:
    """Benchmark, metric, value, and what divides it into a fraction of 1."""
    with file.path.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    values = []
    for row in rows:
        split = row.get("split") or ""
        if "aAcc" in row:  # HallusionBench: percent, a row of everything and one per group
            parts = [row[name] for name in ("aAcc", "fAcc", "qAcc") if row.get(name)]
            if parts and split == "Overall":
                values.append((dataset, "average", sum(map(float, parts)) / len(parts), 100.0))
            continue
        text = row.get("Overall") or row.get("overall") or row.get("acc")
        if text is None:
            continue
        try:
            value = float(text)
        except ValueError as error:
            raise file.invalid(f"'{text}' is not a number") from error
        name = dataset if split in ("", "none", "Overall") else f"{dataset} {split}"
        values.append((name, "accuracy", value, 1.0 if value <= 1.0 else 100.0))
    return values


def _overall(file: ResultFile) -> list[tuple[float, float]]:
    """The first score, if any, and what divides it."""
    values = ((file.object.get(name), scale) for name, scale in _OVERALL.items())
    return [(float(one), scale) for one, scale in values if isinstance(one, int | float)][:1]
