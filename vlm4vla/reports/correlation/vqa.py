"""Scores of vision-language models from everywhere, each with its origin."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from vlm4vla.core.errors import UnknownName
from vlm4vla.stats.intervals import wilson
from vlm4vla.store.library import Library, Score
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

    @property
    def shown(self) -> str:
        """Percent for fractions, with the interval."""
        if self.unit != "fraction":
            return f"{self.value:g} {self.unit}"
        text = f"{100 * self.value:.1f}"
        if self.low is not None and self.high is not None:
            text += f" [{100 * self.low:.0f}, {100 * self.high:.0f}]"
        return text


@dataclass(frozen=True)
class Benchmark:
    """One benchmark and who has a score on it."""

    name: str
    models: int
    backbones: tuple[str, ...]
    origins: str


def score_rows(
    store: str | Path | None, names: Collection[str] = (), models: Collection[str] = ()
) -> list[ScoreRow]:
    """Every score: measured and imported ones from the store, then what the package ships.

    Args:
        store: the store's file; None for the shipped scores alone.
        names: only these benchmarks.
        models: only models (or backbones) whose name holds one of these texts.

    Raises:
        StoreError: the store cannot be read.
        UnknownName: no such benchmark.
    """
    rows: list[ScoreRow] = []
    if store is not None:
        with Library.open(store) as library:
            sources = {source.id: source for source in library.sources()}
            rows += [
                _own(score, sources[score.source].kind, sources[score.source].file)
                for score in library.scores()
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
