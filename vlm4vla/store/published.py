"""What the papers print: the tables under `results/`, read and checked.

Source of the numbers: the `source` and `table` of each row. Columns: results/README.md.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError

from vlm4vla.core.errors import InvalidFile, MissingAsset
from vlm4vla.core.files import shipped

_SCALE = {"percent": 100.0, "fraction": 1.0, "score of 1000": 1000.0}
"""Units of rates: what divides a printed value into a fraction of 1."""


@dataclass(frozen=True)
class ListedBackbone:
    """A vision-language model under all its names."""

    key: str
    family: str
    params_b: float | None
    """Billions of parameters."""
    names: tuple[str, ...]


@dataclass(frozen=True)
class PublishedRow:
    """One number of one table of one paper."""

    source: str
    table: str
    model: str
    backbone: str
    params_b: float | None
    variant: str
    suite: str
    training_split: str
    task: str
    metric: str
    printed: str
    """As printed, in `unit`; empty for a dash."""
    unit: str
    n: int | None
    """Trials behind it; None where not stated."""
    selection: str
    flags: tuple[str, ...]
    note: str

    @property
    def rate(self) -> bool:
        """Whether `value` is a fraction of 1."""
        return self.unit in _SCALE

    @property
    def value(self) -> float | None:
        """As this package counts: rates as fractions of 1; None for a dash."""
        return _value(self.printed, self.unit)


@dataclass(frozen=True)
class VqaScore:
    """One score of one vision-language model on one benchmark."""

    model: str
    backbone: str
    benchmark: str
    metric: str
    printed: str
    unit: str
    n: int | None
    source: str
    obtained: str
    flags: tuple[str, ...] = ()
    note: str = ""

    @property
    def value(self) -> float | None:
        """Percent and scores of 1000 as fractions of 1, others as printed; None if missing."""
        return _value(self.printed, self.unit)


@cache
def published() -> tuple[PublishedRow, ...]:
    """Every row of results/published.csv.

    Raises:
        InvalidFile: a row does not say what it must.
    """
    return read_published(shipped("results") / "published.csv")


@cache
def vqa_scores() -> tuple[VqaScore, ...]:
    """Every row of results/vqa_scores.csv. Raises InvalidFile."""
    return read_vqa(shipped("results") / "vqa_scores.csv")


@cache
def backbones() -> tuple[ListedBackbone, ...]:
    """Every backbone that the tables name. Raises InvalidFile."""
    rows = _read(shipped("results") / "backbones.csv", _BackboneLine)
    return tuple(
        ListedBackbone(row.backbone, row.family, row.params_b, tuple(row.names.split(";")))
        for row in rows
    )


@cache
def _keys() -> dict[str, str]:
    return {name.casefold(): one.key for one in backbones() for name in (one.key, *one.names)}


def backbone_of(name: str) -> str:
    """The key of the backbone of that name (case and folders aside); empty if unknown."""
    return _keys().get(name.casefold()) or _keys().get(Path(name).name.casefold(), "")


def family_of(backbone: str) -> str:
    """The family of a backbone; one that is unknown is its own family."""
    return next((one.family for one in backbones() if one.key == backbone), backbone)


def paper_name(source: str) -> str:
    """What a paper is called for short: what stands in brackets at the end of its title, or first.

    `What Matters in ... (RoboVLMs)` -> `RoboVLMs`; `VLM4VLA, arXiv:2601.03309v1` -> `VLM4VLA`.
    """
    bracketed = re.search(r"\(([^()]+)\)$", source)
    return bracketed[1] if bracketed else source.partition(",")[0]


def read_published(path: Path) -> tuple[PublishedRow, ...]:
    """Rows of a file in the schema of published.csv. Raises MissingAsset, InvalidFile."""
    return tuple(
        PublishedRow(
            **row.model_dump(exclude={"value", "flag"}),
            printed=row.value,
            flags=_flags(row.flag),
        )
        for row in _read(path, _PublishedLine)
    )


def read_vqa(path: Path) -> tuple[VqaScore, ...]:
    """Rows of a file in the schema of vqa_scores.csv. Raises MissingAsset, InvalidFile."""
    return tuple(
        VqaScore(
            **row.model_dump(exclude={"value", "flag"}), printed=row.value, flags=_flags(row.flag)
        )
        for row in _read(path, _VqaLine)
    )


def _number(text: str) -> str:
    if text:
        float(text)
    return text


def _none_if_empty(text: object) -> object:
    return None if text == "" else text


_Printed = Annotated[str, AfterValidator(_number)]
_Count = Annotated[int | None, BeforeValidator(_none_if_empty)]
_Real = Annotated[float | None, BeforeValidator(_none_if_empty)]


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _PublishedLine(_Line):
    source: str
    table: str
    model: str
    backbone: str
    params_b: _Real
    variant: str
    suite: str
    training_split: str
    task: str
    metric: str
    value: _Printed
    unit: str
    n: _Count
    selection: Literal["", "best", "last", "unstated"]
    flag: str
    note: str


class _VqaLine(_Line):
    model: str
    backbone: str
    benchmark: str
    metric: str
    value: _Printed
    unit: str
    n: _Count = None
    source: str
    obtained: str
    flag: str = ""
    note: str = ""


class _BackboneLine(_Line):
    backbone: str
    family: str
    params_b: _Real
    names: str


L = TypeVar("L", bound=_Line)


def _value(printed: str, unit: str) -> float | None:
    # 46.8 / 100 is 0.46799999999999997; no printed number has twelve digits.
    return round(float(printed) / _SCALE.get(unit, 1.0), 12) if printed else None


def _flags(text: str) -> tuple[str, ...]:
    return tuple(part for part in text.split(";") if part)


def _read(path: Path, line: type[L]) -> list[L]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            found = []
            for number, row in enumerate(csv.DictReader(file), start=2):
                try:
                    found.append(line.model_validate(row))
                except ValidationError as error:
                    first = error.errors()[0]
                    where = ".".join(map(str, first["loc"]))
                    raise InvalidFile(
                        f"{path}, line {number}: {where}: {first['msg']}.",
                        "results/README.md describes the columns.",
                    ) from error
            return found
    except OSError as error:
        raise MissingAsset(
            f"{path} cannot be read: {error.strerror}.", "Install the package again."
        ) from error
