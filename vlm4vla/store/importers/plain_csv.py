"""Plain CSV: results (policy, suite, metric, value ...) or scores (model, benchmark, value ...).

Columns of results: policy, suite, metric, value are needed; task, kind (rate or mean), unit
(fraction, percent or empty), n, k, errors, protocol, note may be there.
Columns of scores: model, benchmark, value are needed; backbone, metric, unit (fraction, percent,
score of 1000 or another), n, k, note, and the other columns of results/vqa_scores.csv may be.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from vlm4vla.store.importers.found import Asked, Found, invalid
from vlm4vla.store.library import ImportedResult, Score
from vlm4vla.store.published import backbone_of

_SCALE = {"percent": 100.0, "score of 1000": 1000.0}


def _empty(text: object) -> object:
    return None if text == "" else text


_Count = Annotated[int | None, BeforeValidator(_empty), Field(ge=0)]


class _Result(BaseModel):
    model_config = ConfigDict(extra="forbid")
    policy: str = Field(min_length=1)
    suite: str = Field(min_length=1)
    task: str = "all"
    metric: str = Field(min_length=1)
    value: float = Field(allow_inf_nan=False)
    kind: Literal["rate", "mean", ""] = ""
    unit: Literal["fraction", "percent", ""] = ""
    n: _Count = None
    k: _Count = None
    errors: Annotated[int, BeforeValidator(lambda text: text or 0)] = 0
    protocol: str = ""
    note: str = ""


class _Score(BaseModel):
    model_config = ConfigDict(extra="forbid")
    model: str = Field(min_length=1)
    backbone: str = ""
    benchmark: str = Field(min_length=1)
    metric: str = ""
    value: Annotated[float | None, BeforeValidator(_empty)]
    unit: str = "fraction"
    n: _Count = None
    k: _Count = None
    source: str = ""
    obtained: str = ""
    flag: str = ""
    note: str = ""


def is_table(path: Path) -> bool:
    """Whether the header has the needed columns of either kind."""
    names = set(_header(path))
    return {"policy", "suite", "metric", "value"} <= names or {
        "model", "benchmark", "value"
    } <= names  # fmt: skip


def read_table(path: Path, asked: Asked) -> Found:
    """Every line of the file. Raises InvalidFile naming the line."""
    if "benchmark" in _header(path):
        lines = _lines(path, _Score)
        known = [one for one in lines if one.value is not None]
        return Found("csv", scores=tuple(_as_score(path, one) for one in known))
    return Found("csv", tuple(_as_result(path, one) for one in _lines(path, _Result)))


def _as_result(path: Path, line: _Result) -> ImportedResult:
    kind = line.kind or ("rate" if line.unit or 0.0 <= line.value <= 1.0 else "mean")
    value = line.value / 100.0 if line.unit == "percent" else line.value
    if kind == "rate" and not 0.0 <= value <= 1.0:
        raise invalid(path, f"{line.policy}, {line.metric}: {line.value} is no rate")
    k = line.k
    if k is None and kind == "rate" and line.n:
        k = round(value * line.n)
    if k is not None and line.n is not None and k > line.n:
        raise invalid(path, f"{line.policy}, {line.metric}: {k} of {line.n}")
    return ImportedResult(
        line.policy, line.suite, line.task, line.metric, kind, value, line.n, k,
        line.errors, line.protocol, line.note,
    )  # fmt: skip


def _as_score(path: Path, line: _Score) -> Score:
    unit = "fraction" if line.unit in ("fraction", *_SCALE) else line.unit
    value = round((line.value or 0.0) / _SCALE.get(line.unit, 1.0), 12)
    k = line.k
    if unit == "fraction":
        if not 0.0 <= value <= 1.0:
            said = f"{line.model}, {line.benchmark}: {line.value} is no {line.unit}"
            raise invalid(path, f"{said}; name its unit")
        k = round(value * line.n) if k is None and line.n else k
    note = "; ".join(part for part in (line.source, line.flag, line.note) if part)
    return Score(
        line.model, line.backbone or backbone_of(line.model), line.benchmark, line.metric, value,
        unit, line.n, k, None, note,
    )  # fmt: skip


def _header(path: Path) -> Sequence[str]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        return next(csv.reader(file), [])


L = TypeVar("L", bound=BaseModel)


def _lines(path: Path, kind: type[L]) -> list[L]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        found = []
        for number, row in enumerate(csv.DictReader(file), start=2):
            given: Mapping[str, object] = {n: v for n, v in row.items() if v != "" or n == "value"}
            try:
                found.append(kind.model_validate(given))
            except ValidationError as error:
                first = error.errors()[0]
                where = ".".join(map(str, first["loc"]))
                raise invalid(path, f"line {number}: {where}: {first['msg']}") from error
    return found
