"""Score tables of VLMEvalKit: `MODEL_DATASET_acc.csv`, `_score.csv`, `_score.json`.

Accuracies are fractions of 1, one row per split; score tables are in percent; OCRBench's JSON
holds a score of 1000. The model is the folder's name where the file's begins with it.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping
from pathlib import Path

from vlm4vla.store.importers.found import Asked, Found, invalid
from vlm4vla.store.library import Score
from vlm4vla.store.published import backbone_of

_JUDGE = re.compile(r"_(?:gpt|chatgpt|exact|openai|deepseek|qwen)[A-Za-z0-9.-]*$", re.I)


def is_table(path: Path) -> bool:
    """Whether name and header are those of a score table."""
    if not re.search(r"_(acc|score)$", path.stem):
        return False
    if path.suffix == ".json":
        return _json(path) is not None
    header = path.read_text(encoding="utf-8", errors="replace").split("\n", 1)[0].replace('"', "")
    names = set(header.strip().split(","))
    return bool(names & {"Overall", "aAcc", "acc", "overall"}) and "benchmark" not in names


def read_table(path: Path, asked: Asked) -> Found:
    """One model on one data set: its overall score, a row per split. Raises InvalidFile."""
    model, dataset = _names(path, asked.model)
    if path.suffix == ".json":
        values = _json(path)
        if values is None:
            raise invalid(path, "no overall score in it")
        scores = [_score(model, dataset, name, *value) for name, value in values.items()]
    else:
        scores = _rows(path, model, dataset)
    if not scores:
        raise invalid(path, "no overall score in it")
    return Found("vlmevalkit", scores=tuple(scores), provenance={"data set": dataset})


def _names(path: Path, model: str) -> tuple[str, str]:
    stem = _JUDGE.sub("", re.sub(r"_(acc|score)$", "", path.stem))
    # Runs may lie in a dated folder below the model's.
    folders = [folder.name for folder in path.absolute().parents]
    model = model or next((name for name in folders if name and stem.startswith(f"{name}_")), "")
    if not model:
        model = stem.partition("_")[0]
    dataset = stem.removeprefix(f"{model}_") if stem.startswith(f"{model}_") else stem
    if not dataset or dataset == model:
        raise invalid(path, "its name is not MODEL_DATASET_acc or MODEL_DATASET_score")
    return model, dataset


def _rows(path: Path, model: str, dataset: str) -> list[Score]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    scores = []
    for row in rows:
        split = row.get("split") or ""
        if "aAcc" in row:  # HallusionBench: percent, a row of everything and one per group
            if split == "Overall":
                parts = [float(row[name]) for name in ("aAcc", "fAcc", "qAcc") if row.get(name)]
                scores.append(_score(model, dataset, "average", sum(parts) / len(parts), 100.0))
            continue
        text = row.get("Overall") or row.get("overall") or row.get("acc")
        if text is None:
            continue
        try:
            value = float(text)
        except ValueError as error:
            raise invalid(path, f"'{text}' is not a number") from error
        name = dataset if split in ("", "none", "Overall") else f"{dataset} {split}"
        scores.append(_score(model, name, "accuracy", value, 1.0 if value <= 1.0 else 100.0))
    return scores


def _json(path: Path) -> Mapping[str, tuple[float, float]] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return None
    if not isinstance(found, dict):
        return None
    for name, scale in (("Final Score", 1000.0), ("Final Score Norm", 100.0), ("Overall", 100.0)):
        if isinstance(found.get(name), int | float):
            return {"score": (float(found[name]), scale)}
    return None


def _score(model: str, benchmark: str, metric: str, value: float, scale: float) -> Score:
    return Score(model, backbone_of(model), benchmark, metric, round(value / scale, 12))
