"""Plain CSV: results (policy, suite, metric, value ...) or scores (model, benchmark, value ...).

Columns of results: policy, suite, metric, value are needed; task, kind (rate or mean), unit
(fraction, percent or empty), n, k, errors, protocol, note may be there.
Columns of scores: model, benchmark, value are needed; backbone, metric, unit (fraction, percent,
score of 1000 or another), n, k, note, and the other columns of results/vqa_scores.csv may be.
"""

from __future__ import annotations

import csv
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from vlm4vla.store.importers.found import Found, ResultFile
from vlm4vla.store.library import ImportedResult, Score
from vlm4vla.store.published import EMPTY, SCALE, backbone_of, read_rows, scaled

_Name = Annotated[str, Field(min_length=1)]
_Count = Annotated[Annotated[int, Field(ge=0)] | None, EMPTY]


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _given(cls, line: dict[str, str]) -> dict[str, str]:
        """An empty cell is an absent one, but for the number itself."""
        return {name: text for name, text in line.items() if text != "" or name == "value"}


class _Result(_Line):
    policy: _Name
    suite: _Name
    task: str = "all"
    metric: _Name
    value: float = Field(allow_inf_nan=False)
    kind: Literal["rate", "mean", ""] = ""
    unit: Literal["fraction", "percent", ""] = ""
    n: _Count = None
    k: _Count = None
    errors: Annotated[int, BeforeValidator(lambda text: text or 0)] = 0
    protocol: str = ""
    note: str = ""


class _Score(_Line):
    model: _Name
    backbone: str = ""
    benchmark: _Name
    metric: str = ""
    value: Annotated[float | None, EMPTY]
    unit: str = "fraction"
    n: _Count = None
    k: _Count = None
    source: str = ""
    obtained: str = ""
    flag: str = ""
    note: str = ""


def is_table(file: ResultFile) -> bool:
    """Whether the header has the needed columns of either kind."""
    names = set(_header(file))
    needed = {"policy", "suite", "metric", "value"}, {"model", "benchmark", "value"}
    return any(columns <= names for columns in needed)


def read_table(file: ResultFile) -> Found:
    """Every line of the file. Raises InvalidFile naming the line."""
    if "benchmark" in _header(file):
        scores = read_rows(file.path, tuple[_Score, ...], file.invalid)
        known = [one for one in scores if one.value is not None]
        return Found("csv", scores=tuple(_as_score(file, one) for one in known))
    results = read_rows(file.path, tuple[_Result, ...], file.invalid)
    return Found("csv", tuple(_as_result(file, one) for one in results))


def _as_result(file: ResultFile, line: _Result) -> ImportedResult:
    kind = line.kind or ("rate" if line.unit or 0.0 <= line.value <= 1.0 else "mean")
    value = line.value / 100.0 if line.unit == "percent" else line.value
    if kind == "rate" and not 0.0 <= value <= 1.0:
        raise file.invalid(f"{line.policy}, {line.metric}: {line.value} is no rate")
    k = line.k
    if k is None and kind == "rate" and line.n:
        k = round(value * line.n)
    if k is not None and line.n is not None and k > line.n:
        raise file.invalid(f"{line.policy}, {line.metric}: {k} of {line.n}")
    counted = {"kind": kind, "value": value, "k": k}
    return ImportedResult(**line.model_dump(exclude={"unit"}) | counted)


def _as_score(file: ResultFile, line: _Score) -> Score:
    unit = "fraction" if line.unit in SCALE else line.unit
    value = scaled(line.value or 0.0, line.unit)
    k = line.k
    if unit == "fraction":
        if not 0.0 <= value <= 1.0:
            said = f"{line.model}, {line.benchmark}: {line.value} is no {line.unit}"
            raise file.invalid(f"{said}; name its unit")
        k = round(value * line.n) if k is None and line.n else k
    backbone = line.backbone or backbone_of(line.model)
    if not backbone and "backbone" not in _header(file):
        raise file.invalid(
            f"{line.model} is no backbone known here: add a column 'backbone' that says whose"
        )
    note = "; ".join(part for part in (line.source, line.flag, line.note) if part)
    return Score(
        line.model, backbone, line.benchmark, line.metric, value, unit, line.n, k, None, note,
    )  # fmt: skip


def _header(file: ResultFile) -> list[str]:
    with file.path.open(encoding="utf-8-sig", errors="replace", newline="") as opened:
        return next(csv.reader(opened), [])
