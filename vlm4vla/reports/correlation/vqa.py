"""Scores of vision-language models from everywhere, each with its origin."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from vlm4vla.core.errors import InvalidFile, UnknownName
from vlm4vla.reports.scores import grouped
from vlm4vla.reports.tables.numbers import PERCENT, estimate_cell
from vlm4vla.reports.tables.table import Cell, Exhibit, ResultTable, columns, words
from vlm4vla.stats.intervals import Estimate, wilson
from vlm4vla.store import Store
from vlm4vla.store.importers import read
from vlm4vla.store.library import Score, Source
from vlm4vla.store.published import SCALE, VqaScore, scaled, vqa_scores

PUBLISHED = "published"
"""The origin of what the package ships."""


@dataclass(frozen=True)
class ScoreRow:
    """One model on one benchmark."""

    origin: str
    """`measured` (by this harness), `imported`, or `published`."""
    model: str
    backbone: str
    benchmark: str
    metric: str
    value: float
    """Fractions of 1 where `unit` is `fraction`."""
    unit: str
    n: int | None
    low: float | None
    """95 % interval (Wilson); None where the questions are not counted."""
    high: float | None
    chance: float | None
    marks: tuple[str, ...]
    source: str
    note: str

    @property
    def standard_error(self) -> float | None:
        """Of a rate whose questions are counted."""
        if not self.n or not 0.0 <= self.value <= 1.0:
            return None
        return float((self.value * (1 - self.value) / self.n) ** 0.5)


def score_rows(
    store: Store | None, names: Collection[str] = (), models: Collection[str] = ()
) -> list[ScoreRow]:
    """Every score: measured and imported ones from the store, then what the package ships.

    Or only of the benchmarks `names`, and of `models` (or backbones) whose name holds one of these
    texts. Raises UnknownName for a benchmark without scores.
    """
    rows: list[ScoreRow] = []
    if store is not None:
        sources = {source.id: source for source in store.library.sources()}
        rows += [_own(score, sources[score.source]) for score in store.library.scores()]
    rows += [_shipped(score) for score in vqa_scores() if score.value is not None]
    known = {row.benchmark for row in rows}
    UnknownName.check("benchmark", names, known, "`bench vqa list` shows all.")
    if names:
        rows = [row for row in rows if row.benchmark in names]
    if models:
        texts = [text.casefold() for text in models]
        of = [f"{row.model} {row.backbone}".casefold() for row in rows]
        rows = [row for row, name in zip(rows, of, strict=True) if any(t in name for t in texts)]
    return rows


def file_rows(path: Path) -> tuple[list[ScoreRow], str]:
    """The scores of a file, and what was guessed of it. Raises InvalidFile."""
    found = read(path)
    if not found.scores:
        raise InvalidFile(f"{path} holds no scores.", "bench import enters results of policies.")
    source = Source("", "imported", found.format, path.name, "")
    return [_own(score, source) for score in found.scores], f"{path.name}: {found.note}"


def scores_exhibit(rows: Sequence[ScoreRow], one_by_one: bool) -> Exhibit:
    """Who has a score on which benchmark; with `one_by_one` the scores themselves."""
    if one_by_one:
        numeric = ("score", "n")
        heads = columns("model", "benchmark", *numeric, "from", numeric=numeric, fold=True)
        table = ResultTable("", heads, tuple(map(_line, rows)))
        return Exhibit((table,), rows, ScoreRow)
    names = ("benchmark", "models", "backbones with a score", "from")
    table = ResultTable("", columns(*names, numeric=("models",), fold=True), _by_benchmark(rows))
    remark = "--benchmark NAME shows its scores; bench correlate --vqa NAME uses them"
    return Exhibit((table,), rows, ScoreRow, remarks=(remark,))


def _by_benchmark(rows: Sequence[ScoreRow]) -> tuple[tuple[Cell, ...], ...]:
    """A line for each benchmark, those with the most backbones first."""
    lines = []
    for group in grouped(rows, "benchmark"):
        models, origins = {row.model for row in group}, dict.fromkeys(row.origin for row in group)
        backbones = dict.fromkeys(row.backbone for row in group if row.backbone)
        told = words(group[0].benchmark, len(models), ", ".join(backbones), ", ".join(origins))
        lines.append((len(backbones), told))
    return tuple(told for _, told in sorted(lines, key=lambda line: -line[0]))


def _line(row: ScoreRow) -> tuple[Cell, ...]:
    marked = f" ({', '.join(row.marks)})" if row.marks else ""
    where = f"{row.origin}: {row.source}{marked}"
    return (*words(row.model, row.benchmark), _score(row), *words(row.n, where))


def _score(row: ScoreRow) -> Cell:
    """Percent for fractions, with the interval."""
    if row.unit != "fraction":
        return Cell(f"{row.value:g} {row.unit}", value=row.value)
    if row.low is None or row.high is None:
        return Cell(PERCENT.text(row.value), value=row.value)
    return estimate_cell(Estimate(row.value, row.low, row.high), PERCENT)


def _own(score: Score, source: Source) -> ScoreRow:
    k, chance, rate = score.k, score.chance, score.unit in SCALE
    unit = "fraction" if rate else score.unit  # older versions kept `%` as another unit
    value = scaled(score.value, score.unit) if rate else score.value
    return _row(score, source.kind, source.file, value, unit, k=k, chance=chance)


def _shipped(score: VqaScore) -> ScoreRow:
    value, rate = score.value or 0.0, score.unit in ("percent", "score of 1000")
    k = round(value * score.n) if score.n and rate else None
    unit = "fraction" if rate else score.unit
    return _row(score, PUBLISHED, score.source, value, unit, k=k, marks=score.flags)


def _row(
    score: Score | VqaScore, origin: str, source: str, value: float, unit: str, *, k: int | None,
    chance: float | None = None, marks: tuple[str, ...] = (),
) -> ScoreRow:  # fmt: skip
    low, high = (None, None) if k is None or not score.n else map(float, wilson(k, score.n))
    return ScoreRow(
        origin, score.model, score.backbone, score.benchmark, score.metric, value, unit, score.n,
        low, high, chance, marks, source, score.note,
    )  # fmt: skip
