"""Score tables of VLMEvalKit: `MODEL_DATASET_acc.csv`, `_score.csv`, or the same in JSON.

In which unit a table is, its kind of data set says, never the size of its numbers: a model that has
forgotten everything scores 0.8 percent. Multiple choice (a row for each `split`, or an `Average`)
is in fractions of 1; open answers, and the scores of yes or no, are in percent; MME adds points, of
perception and reasoning, 2800 at most; OCRBench's JSON holds a score of 1000. Where a table has
`acc`, its `Overall` is F1 (POPE). How many questions there were, the table of single answers beside
it tells (`items`). The model is the folder's name where the file's begins with it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vlm4vla.store.importers.found import Found, ResultFile
from vlm4vla.store.importers.items import JUDGED, Item, mean_of, scored_items, table_rows
from vlm4vla.store.library import Score
from vlm4vla.store.published import backbone_of

_EVALUATION = re.compile(r"_(acc|score)$")
_JUDGE = re.compile(r"_(?:gpt|chatgpt|exact|openai|deepseek|qwen)[A-Za-z0-9.-]*$", re.I)
_OVERALL = {"Final Score": 1000.0, "Final Score Norm": 100.0, "Overall": 100.0}
"""Fields of a JSON table that may hold its score, and what divides it into a fraction of 1."""


_MME = {"perception", "reasoning"}


def is_table(file: ResultFile) -> bool:
    """Whether name and header are those of a score table."""
    if not _EVALUATION.search(file.path.stem):
        return False
    if file.path.suffix == ".json" and file.object:
        return bool(_overall(file))
    names = set(next(iter(table_rows(file.path)), {}))
    known = bool(names & {"Overall", "aAcc", "acc", "overall"}) or names >= _MME
    return known and "benchmark" not in names


def read_table(file: ResultFile) -> Found:
    """One model on one data set: its overall score, a row per split. Raises InvalidFile."""
    model, dataset = _names(file)
    one = Score(model, backbone_of(model), dataset, "score", 0.0)
    if file.path.suffix == ".json" and file.object:
        scores = [replace(one, value=round(value / by, 12)) for value, by in _overall(file)]
    else:
        scores = _scores(file, one)
    if not scores:
        raise file.invalid("no overall score in it")
    return Found("vlmevalkit", scores=tuple(scores), provenance={"data set": dataset})


def _names(file: ResultFile) -> tuple[str, str]:
    stem = _JUDGE.sub("", _EVALUATION.sub("", file.path.stem))
    # Runs may lie in a dated folder below the model's.
    folders = [folder.name for folder in file.path.absolute().parents]
    near = (name for name in folders if name and stem.startswith(f"{name}_"))
    model = file.asked.model or next(near, "") or stem.partition("_")[0]
    dataset = stem.removeprefix(f"{model}_") if stem.startswith(f"{model}_") else stem
    if not dataset or dataset == model:
        raise file.invalid("its name is not MODEL_DATASET_acc or MODEL_DATASET_score")
    return model, dataset


def _scores(file: ResultFile, one: Score) -> list[Score]:
    """Those of a table; `one` is what they have in common."""
    rows, items = table_rows(file.path), _items(file.path)
    columns = set(rows[0]) if rows else set()
    if columns >= _MME:
        points = sum(_number(file, rows[0][name]) for name in sorted(_MME))
        n = len(items) or None
        note = "perception + reasoning, 2800 at most"
        return [replace(one, value=points, unit="points", n=n, note=note)]
    choices = file.path.stem.endswith("_acc") and bool(columns & {"split", "Average"})
    divisor = 1.0 if choices else 100.0
    found = []
    for row in rows:
        split, note = str(row.get("split") or ""), ""
        if "aAcc" in row:  # HallusionBench: a row of everything and one per group
            parts = [_number(file, row[name]) for name in ("aAcc", "fAcc", "qAcc") if row.get(name)]
            if parts and split == "Overall":
                value = sum(parts) / len(parts) / divisor
                found.append(replace(one, metric="average", value=round(value, 12)))
            continue
        text = row.get("acc") or row.get("Overall") or row.get("overall")
        if not text:
            continue
        value = round(_number(file, text) / divisor, 12)
        if not 0.0 <= value <= 1.0:
            raise file.invalid(f"{text} is no {'fraction' if divisor == 1 else 'percentage'}")
        if row.get("acc") and row.get("Overall"):
            note = f"F1 {_number(file, row['Overall']):.1f}"
        whole = split in ("", "none", "Overall")
        name = one.benchmark if whole else f"{one.benchmark} {split}"
        n, k = _counted([i for i in items if whole or i.part == split], value)
        found.append(
            replace(one, benchmark=name, metric="accuracy", value=value, n=n, k=k, note=note)
        )
    return found


def _items(path: Path) -> Sequence[Item]:
    """Of the table of single answers beside, if there is one that can be read."""
    stem = _EVALUATION.sub("", path.stem)
    for beside in sorted(path.parent.glob(f"{stem}_*")):
        judged = re.match(JUDGED, beside.stem.removeprefix(stem))
        if judged and beside.suffix in (".xlsx", ".tsv", ".json"):
            return scored_items(table_rows(beside))
    return ()


def _counted(items: Sequence[Item], value: float) -> tuple[int | None, int | None]:
    """How many questions, and how many right, if these are the ones behind the score."""
    if not items or abs(mean_of(items) - value) > 1e-6:
        return None, None
    whole = all(item.score in (0.0, 1.0) for item in items)
    return len(items), round(sum(item.score for item in items)) if whole else None


def _number(file: ResultFile, text: object) -> float:
    try:
        return float(str(text))
    except ValueError as error:
        raise file.invalid(f"'{text}' is not a number") from error


def _overall(file: ResultFile) -> list[tuple[float, float]]:
    """The first score, if any, and what divides it."""
    values = ((file.object.get(name), scale) for name, scale in _OVERALL.items())
    return [(float(one), scale) for one, scale in values if isinstance(one, int | float)][:1]
