"""What the papers print: the tables under `results/`, read and checked.

Source of the numbers: the `source` and `table` of each row. Columns: results/README.md.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, TypeAdapter
from pydantic_core import PydanticKnownError, ValidationError

from vlm4vla.core.errors import InvalidFile, MissingAsset
from vlm4vla.core.files import shipped

SCALE = {"percent": 100.0, "%": 100.0, "fraction": 1.0, "score of 1000": 1000.0}
"""Units of rates: what divides a printed value into a fraction of 1."""

EMPTY = BeforeValidator(lambda text: None if text == "" else text)
"""An empty cell is None."""


def _number(text: str) -> str:
    if text:
        float(text)
    return text


def _parts(text: object) -> tuple[str, ...]:
    if not isinstance(text, str):
        raise PydanticKnownError("string_type")  # the line is too short
    return tuple(part for part in text.split(";") if part)


_Printed = Annotated[str, AfterValidator(_number), Field(alias="value")]
_Parts = Annotated[tuple[str, ...], BeforeValidator(_parts)]
_Flags = Annotated[_Parts, Field(alias="flag")]


@dataclass(frozen=True)
class ListedBackbone:
    """A vision-language model under all its names."""

    key: Annotated[str, Field(alias="backbone")]
    family: str
    params_b: Annotated[float | None, EMPTY]
    """Billions of parameters."""
    names: _Parts


@dataclass(frozen=True)
class PublishedRow:
    """One number of one table of one paper."""

    source: str
    table: str
    model: str
    backbone: str
    params_b: Annotated[float | None, EMPTY]
    variant: str
    suite: str
    training_split: str
    task: str
    metric: str
    printed: _Printed
    """As printed, in `unit`; empty for a dash."""
    unit: str
    n: Annotated[int | None, EMPTY]
    """Trials behind it; None where not stated."""
    selection: Literal["", "best", "last", "unstated"]
    flags: _Flags
    note: str

    @property
    def rate(self) -> bool:
        """Whether `value` is a fraction of 1."""
        return self.unit in SCALE

    @property
    def value(self) -> float | None:
        """As this package counts: rates as fractions of 1; None for a dash."""
        return scaled(float(self.printed), self.unit) if self.printed else None


@dataclass(frozen=True)
class StudyRow:
    """One policy of a study that put several backbones through one recipe."""

    study: str
    source: str
    table: str
    model: str
    backbone: str
    """Empty where the study does not say which."""
    initialisation: str
    """What the backbone went through before the recipe."""
    head: str
    suite: str
    training_split: str
    task: str
    metric: str
    printed: _Printed
    unit: str
    n: Annotated[int | None, EMPTY]
    selection: Literal["best", "unstated"]
    score_on: str
    """The benchmark on which the study scored this very initialisation, if any."""
    score: Annotated[float | None, EMPTY]
    """There, in percent."""
    flags: _Flags
    note: str

    @property
    def value(self) -> float:
        """Rates as fractions of 1."""
        return scaled(float(self.printed), self.unit)


@dataclass(frozen=True)
class LiteratureRow:
    """One number that some paper, leaderboard or audit prints of one method."""

    source: str
    paper: str
    arxiv: str
    year: Annotated[int | None, EMPTY]
    table: str
    model: str
    suite: str
    training_split: str
    protocol: str
    """`claimed` by its paper, `cited` by another, or what was run again."""
    task: str
    metric: str
    printed: _Printed
    unit: str
    n: Annotated[int | None, EMPTY]
    previous_best: Annotated[float | None, EMPTY]
    """In `unit`: the best number before it that the audit found in the same paper."""
    claim: str
    """The audit's verdict on the improvement, as if n were what it assumes."""
    flags: _Flags
    note: str

    @property
    def value(self) -> float:
        """Rates as fractions of 1."""
        return scaled(float(self.printed), self.unit)


@dataclass(frozen=True)
class VqaScore:
    """One score of one vision-language model on one benchmark."""

    model: str
    backbone: str
    benchmark: str
    metric: str
    printed: _Printed
    unit: str
    n: Annotated[int | None, EMPTY, Field(default=None)]
    source: str
    obtained: str
    flags: _Flags = ()
    note: str = ""

    @property
    def value(self) -> float | None:
        """Percent and scores of 1000 as fractions of 1, others as printed; None if missing."""
        return scaled(float(self.printed), self.unit) if self.printed else None


@dataclass(frozen=True)
class RealTrials:
    """Success of a policy on a robot of metal and in SimplerEnv, on one task."""

    policy: str
    suite: str
    """Ours of the same protocol."""
    task: str
    real: float
    real_n: Annotated[int | None, EMPTY]
    simulated: float
    simulated_n: Annotated[int | None, EMPTY]
    source: str


def scaled(value: float, unit: str) -> float:
    """A printed value as this package counts: rates as fractions of 1."""
    # 46.8 / 100 is 0.46799999999999997; no printed number has twelve digits.
    return round(value / SCALE.get(unit, 1.0), 12)


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
    return _read(shipped("results") / "vqa_scores.csv", tuple[VqaScore, ...])


@cache
def real_trials() -> tuple[RealTrials, ...]:
    """Every row of results/simpler_real.csv. Raises InvalidFile."""
    return _read(shipped("results") / "simpler_real.csv", tuple[RealTrials, ...])


@cache
def studies() -> tuple[StudyRow, ...]:
    """Every row of results/vlm_to_vla.csv. Raises InvalidFile."""
    return _read(shipped("results") / "vlm_to_vla.csv", tuple[StudyRow, ...])


@cache
def literature() -> tuple[LiteratureRow, ...]:
    """Every row of results/literature.csv. Raises InvalidFile."""
    return _read(shipped("results") / "literature.csv", tuple[LiteratureRow, ...])


@cache
def backbones() -> tuple[ListedBackbone, ...]:
    """Every backbone that the tables name. Raises InvalidFile."""
    return _read(shipped("results") / "backbones.csv", tuple[ListedBackbone, ...])


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
    return _read(path, tuple[PublishedRow, ...])


Rows = TypeVar("Rows")


def read_rows(path: Path, kind: type[Rows], invalid: Callable[[str], InvalidFile]) -> Rows:
    """The lines of a CSV file with a header, as a tuple of records of the kind.

    Raises:
        InvalidFile: what `invalid` makes of the first line and column that are wrong.
        OSError: it cannot be read.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.DictReader(file))
    try:
        return TypeAdapter(kind, config=ConfigDict(extra="forbid")).validate_python(lines)
    except ValidationError as error:
        first = error.errors()[0]
        number, *column = first["loc"]
        # Of a column that is unknown, pydantic speaks as of an argument where records are filled.
        unknown = first["type"] == "unexpected_keyword_argument"
        said = "Extra inputs are not permitted" if unknown else first["msg"]
        where = ".".join(map(str, column))
        raise invalid(f"line {int(number) + 2}: {where}: {said}") from error


def _read(path: Path, kind: type[Rows]) -> Rows:
    fix = "results/README.md describes the columns."
    try:
        return read_rows(path, kind, lambda what: InvalidFile(f"{path}, {what}.", fix))
    except OSError as error:
        raise MissingAsset(
            f"{path} cannot be read: {error.strerror}.", "Install the package again."
        ) from error
