"""Scores of vision-language models from everywhere, each with its origin."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from vlm4vla.core.errors import UnknownName
from vlm4vla.reports.tables.numbers import PERCENT, estimate_cell
from vlm4vla.reports.tables.table import Cell, Exhibit, ResultTable, columns, words
from vlm4vla.stats.intervals import Estimate, wilson
from vlm4vla.store import Store
from vlm4vla.store.library import Score
from vlm4vla.store.published import VqaScore, vqa_scores


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


@dataclass(frozen=True)
class Benchmark:
    """One benchmark and who has a score on it."""

    name: str
    models: int
    backbones: tuple[str, ...]
    origins: str


def score_rows(
    store: Store | None, names: Collection[str] = (), models: Collection[str] = ()
) -> list[ScoreRow]:
    """Every score: measured and imported ones from the store, then what the package ships.

    Args:
        store: where else to look; None for the shipped scores alone.
        names: only these benchmarks.
        models: only models (or backbones) whose name holds one of these texts.

    Raises:
        StoreError: the store cannot be read.
        UnknownName: no such benchmark.
    """
    rows: list[ScoreRow] = []
    if store is not None:
        sources = {source.id: source for source in store.library.sources()}
        rows += [
            _own(score, sources[score.source].kind, sources[score.source].file)
            for score in store.library.scores()
        ]
    rows += [_shipped(score) for score in vqa_scores() if score.value is not None]
    known = {row.benchmark for row in rows}
    for name in names:
        if name not in known:
            raise UnknownName("benchmark", name, known, "`bench vqa list` shows all.")
    return [
        row
        for row in rows
        if (not names or row.benchmark in names)
        and (not models or any(_holds(row, text) for text in models))
    ]


def benchmarks(rows: Sequence[ScoreRow]) -> list[Benchmark]:
    """The benchmarks of these rows, those with the most backbones first."""
    found: dict[str, list[ScoreRow]] = {}
    for row in rows:
        found.setdefault(row.benchmark, []).append(row)
    listed = [
        Benchmark(
            name,
            len({row.model for row in group}),
            tuple(dict.fromkeys(row.backbone for row in group if row.backbone)),
            ", ".join(dict.fromkeys(row.origin for row in group)),
        )
        for name, group in found.items()
    ]
    return sorted(listed, key=lambda one: -len(one.backbones))


def scores_exhibit(rows: Sequence[ScoreRow], one_by_one: bool) -> Exhibit:
    """Who has a score on which benchmark; with `one_by_one` the scores themselves."""
    if one_by_one:
        numeric = ("score", "n")
        heads = columns("model", "benchmark", *numeric, "from", numeric=numeric, fold=True)
        table = ResultTable("", heads, tuple(map(_line, rows)))
        return Exhibit((table,), rows, ScoreRow)
    heads = columns(
        "benchmark", "models", "backbones with a score", "from", numeric=("models",), fold=True
    )
    body = tuple(
        words(one.name, one.models, ", ".join(one.backbones), one.origins)
        for one in benchmarks(rows)
    )
    remark = "--benchmark NAME shows its scores; bench correlate --vqa NAME uses them"
    return Exhibit((ResultTable("", heads, body),), rows, ScoreRow, remarks=(remark,))


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


def _holds(row: ScoreRow, text: str) -> bool:
    return text.casefold() in f"{row.model} {row.backbone}".casefold()


def _own(score: Score, kind: str, file: str) -> ScoreRow:
    low, high = _interval(score.k, score.n)
    return ScoreRow(
        kind, score.model, score.backbone, score.benchmark, score.metric, score.value, score.unit,
        score.n, low, high, score.chance, (), file, score.note,
    )  # fmt: skip


def _shipped(score: VqaScore) -> ScoreRow:
    value = score.value or 0.0
    fraction = score.unit in ("percent", "score of 1000")
    low, high = _interval(round(value * score.n) if score.n and fraction else None, score.n)
    return ScoreRow(
        "published", score.model, score.backbone, score.benchmark, score.metric, value,
        "fraction" if fraction else score.unit, score.n, low, high, None, score.flags,
        score.source, score.note,
    )  # fmt: skip


def _interval(k: int | None, n: int | None) -> tuple[float | None, float | None]:
    if k is None or not n:
        return None, None
    low, high = wilson(k, n)
    return float(low), float(high)
