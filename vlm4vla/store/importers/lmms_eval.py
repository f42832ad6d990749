"""Scores of lmms-eval: `MODEL/DATE_results.json`, or `DATE_samples_TASK.jsonl` alone.

`results[task]["metric,filter"]`, `n-samples[task].effective`, `versions[task]`. One metric stands
under the task's name, the others under `TASK METRIC`. A metric's name says its unit; one that is
unknown stays as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vlm4vla.store.importers.found import Found, ResultFile
from vlm4vla.store.importers.items import SAMPLES, chosen_metric, mean_of, read_items
from vlm4vla.store.library import Score
from vlm4vla.store.published import backbone_of

_FRACTION = re.compile(
    r"exact_match|anls|relaxed_\w+|average|f1|precision|recall|(\w+_)?(acc|accuracy|f1_score|"
    r"precision|recall|yes_ratio)"
)
_PERCENT = {"gpt_eval_score"}
_POINTS = {"mme_perception_score", "mme_cognition_score"}
_IN_PERCENT = re.compile(
    r"visualwebbench|mtvqa|activitynetqa|cvrr|tempcompass|vinoground|sitebench"
)
"""Tasks whose own code multiplies by 100."""


class _Count(BaseModel):
    effective: int


class _Results(BaseModel):
    model_config = ConfigDict(extra="ignore")
    results: dict[str, dict[str, object]]
    counts: dict[str, _Count] = Field(default={}, alias="n-samples")
    versions: dict[str, object] = {}
    model_name: str = ""
    lmms_eval_version: str = ""


def is_results(file: ResultFile) -> bool:
    """Whether the JSON file has its results by task and their counts."""
    return {"results", "n-samples"} <= set(file.object)


def is_samples(file: ResultFile) -> bool:
    """Whether the file's name is that of single answers."""
    return SAMPLES.match(file.path.stem) is not None


def read_results(file: ResultFile) -> Found:
    """Every task's numbers. Raises InvalidFile."""
    try:
        read = _Results.model_validate(file.object)
    except ValidationError as error:
        first = error.errors()[0]
        raise file.invalid(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    model = file.asked.model or _model(read.model_name or file.path.parent.name)
    scores: list[Score] = []
    for task, stated in read.results.items():
        count = read.counts.get(task)
        numbers = _numbers(stated)
        n = count.effective if count else None
        head = chosen_metric(numbers)
        if set(numbers) >= _POINTS:
            head, points = None, sum(numbers[one] for one in _POINTS)
            scores.append(Score(model, backbone_of(model), task, "score", points, "points", n))
        for metric, value in numbers.items():
            name = task if metric == head else f"{task} {metric}"
            scores.append(_score(file, model, name, task, metric, value, n))
    if not scores:
        raise file.invalid("no number of any task in it")
    return Found(
        "lmms-eval", scores=tuple(scores),
        provenance={
            "lmms-eval": read.lmms_eval_version,
            "versions": {task: str(version) for task, version in read.versions.items()},
        },
    )  # fmt: skip


def read_samples(file: ResultFile) -> Found:
    """The mean over the single answers of one task. Raises InvalidFile."""
    table = read_items(file.path)
    model = file.asked.model or _model(table.model)
    scores = [item.score for item in table.items]
    value, n = mean_of(table.items), len(scores)
    score = _score(file, model, table.benchmark, table.benchmark, table.metric, value, n)
    return Found("lmms-eval", scores=(score,), note="from single answers")


def _model(name: str) -> str:
    """`Qwen/Qwen3-VL-4B-Instruct`, which a folder's name has as `Qwen__Qwen3-...`."""
    return name.replace("__", "/")


def _numbers(stated: Mapping[str, object]) -> dict[str, float]:
    """Metric -> value; without standard errors, and without what was only written for a server."""
    found = {}
    for key, value in stated.items():
        metric = key.partition(",")[0]
        if isinstance(value, int | float) and not metric.endswith(("_stderr", "_stderr_clt")):
            found[metric] = float(value)
    return found


def _score(
    file: ResultFile, model: str, name: str, task: str, metric: str, value: float, n: int | None
) -> Score:
    unit, divisor = "as written", 1.0
    if metric in _PERCENT or _IN_PERCENT.match(task):
        unit, divisor = "fraction", 100.0
    elif _FRACTION.fullmatch(metric):
        unit = "fraction"
    elif metric in _POINTS:
        unit = "points"
    value = round(value / divisor, 12)
    if unit == "fraction" and not 0.0 <= value <= 1.0:
        raise file.invalid(f"{task}, {metric}: {value} is no fraction")
    # A mean of right and wrong answers is a whole number of right ones; partly right ones are not.
    counted = metric == "exact_match" or metric.endswith(("acc", "accuracy"))
    k = round(value * n) if n and counted and unit == "fraction" else None
    whole = k is not None and n is not None and abs(value * n - k) < 1e-6
    return Score(
        model, backbone_of(model), name, metric, value, unit, n, k if whole else None
    )  # fmt: skip
