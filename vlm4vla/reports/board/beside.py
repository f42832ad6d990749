"""Our runs, what was imported, and what the papers print, side by side and never mixed up."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

from vlm4vla.core.errors import UnknownName
from vlm4vla.reports import marks
from vlm4vla.reports.board.board import Board, board
from vlm4vla.reports.scores import ALL, Row
from vlm4vla.reports.tables.selection import Selection
from vlm4vla.stats.aggregate import chain_length_variance
from vlm4vla.stats.intervals import Z95, effective_trials, stratified_rate, wilson
from vlm4vla.store import Store
from vlm4vla.store.importers.audit import repeats
from vlm4vla.store.library import ImportedResult, Source
from vlm4vla.store.published import PublishedRow, published
from vlm4vla.suites.calvin_sequences import LENGTH
from vlm4vla.suites.files import facts_of, headline_names

Origin = Literal["ours", "imported", "paper"]
ORIGINS: tuple[Origin, ...] = ("ours", "imported", "paper")
"""In the order shown."""

_SPREADS = ("execution_sd", "recognition_sd", "r_squared", "pearson")


@dataclass(frozen=True)
class BesideRow:
    """One metric of one policy, wherever it comes from. Rates are fractions of 1."""

    origin: Origin
    suite: str
    policy: str
    """A policy of ours, or the model as its paper names it."""
    backbone: str = ""
    variant: str = ""
    training_split: str = ""
    task: str = ALL
    metric: str = ""
    kind: str = "rate"
    headline: bool = False
    value: float | None = None
    low: float | None = None
    high: float | None = None
    """95 % interval; None where the trials are not stated."""
    interval: str = ""
    """How the interval was made."""
    n: int | None = None
    k: int | None = None
    errors: int = 0
    bound_low: float | None = None
    bound_high: float | None = None
    protocol: str = ""
    comparability: str = ""
    """Of ours, the hash that must be equal; of others, why it cannot be."""
    marks: tuple[str, ...] = ()
    """Names of `reports.marks`, or a flag (results/README.md)."""
    source: str = ""
    """The run, the imported file, or paper and table."""
    note: str = ""


def gather(store: Store | None, asked: Selection) -> tuple[list[BesideRow], tuple[str, ...]]:
    """Rows of all origins, suite by suite, ours first; and what must be said of our runs.

    Without a named suite there is every suite of ours that others have too, else all. The papers'
    rows need no store: a first look may come before the first run. Raises UnknownName.
    """
    ours, found = Board(()), []
    if store is not None:
        mine = {run.suite for run in store.runs()}
        kept = [suite for suite in asked.suites if suite in mine]
        if kept or not asked.suites:
            ours = board(store, kept, asked.policies, asked.all_runs)
        found += [_of_run(row) for row in ours.rows]
        if asked.imported:
            found += imported_rows(store)
    if asked.published or asked.papers:
        found += _of_papers(asked.papers)
    known = {row.suite for row in found}
    UnknownName.check("suite with results", asked.suites, known)
    wanted = list(asked.suites) or _shared(found)
    rows = sorted(
        (row for row in found if row.suite in wanted),
        key=lambda row: (wanted.index(row.suite), ORIGINS.index(row.origin)),
    )
    return rows, ours.warnings


def imported_rows(store: Store) -> list[BesideRow]:
    """What other harnesses measured, as it was imported."""
    sources = {source.id: source for source in store.library.sources()}
    return [_of_import(one, sources[one.source]) for one in store.library.results()]


def difference(suite: str) -> str:
    """Why a printed number of this suite cannot be compared as it stands."""
    known = facts_of(suite).differs
    return f"{known}; versions and assets not stated" if known else "versions not stated"


def _shared(rows: Sequence[BesideRow]) -> list[str]:
    suites = list(dict.fromkeys(row.suite for row in rows))
    mine = {row.suite for row in rows if row.origin == "ours"}
    others = {row.suite for row in rows if row.origin != "ours"}
    both = [suite for suite in suites if suite in mine & others]
    return both or [suite for suite in suites if suite != "architecture"]


def _beside(origin: Origin, row: Row | PublishedRow | ImportedResult, **more: Any) -> BesideRow:
    """A row with what is called alike here and there, and with `more`."""
    names = [field.name for field in fields(BesideRow) if hasattr(row, field.name)]
    return BesideRow(**{name: getattr(row, name) for name in names} | more | {"origin": origin})


def _of_run(row: Row) -> BesideRow:
    return _beside(
        "ours",
        row,
        variant=row.policy_options,
        interval="Wilson by task" if row.kind == "rate" else "BCa bootstrap",
        protocol=f"{row.protocol}, execute {row.execution}",
        source=row.run,
        note="" if row.complete else row.status,
    )


def _of_papers(papers: Collection[str]) -> list[BesideRow]:
    table = published()
    sources = {row.source for row in table}
    for paper in papers:
        if not any(paper.casefold() in source.casefold() for source in sources):
            raise UnknownName("paper", paper, sources)
    return [
        paper_row(row, table)
        for row in table
        if row.metric not in _SPREADS and row.suite != "architecture"
        and (not papers or any(paper.casefold() in row.source.casefold() for paper in papers))
    ]  # fmt: skip


def paper_row(row: PublishedRow, table: Sequence[PublishedRow]) -> BesideRow:
    """A printed number with its 95 % interval, where its trials are stated.

    A mean over tasks is taken over their counts where the table prints them; an average length of
    chains has the variance sum((2k-1) p_k) - mean^2 of the five chain rates.
    """
    low, high, how = _interval(row, table) or (None, None, "")
    own = [marks.BEST.name] * (row.selection == "best")
    own += [marks.UNSTATED.name] * (row.n is None)
    return _beside(
        "paper",
        row,
        policy=row.model,
        kind="rate" if row.rate else "mean",
        headline=row.metric in headline_names(),
        low=low,
        high=high,
        interval=how,
        protocol={"best": "best over checkpoints or settings, on the episodes reported",
                  "last": "last checkpoint"}.get(row.selection, "selection not stated"),
        comparability=difference(row.suite),
        marks=(*own, *row.flags),
        source=f"{row.source}, {row.table}",
    )  # fmt: skip


def _of_import(row: ImportedResult, source: Source) -> BesideRow:
    more: dict[str, object] = {}
    if row.kind == "rate" and row.n and row.k is not None:
        more |= _counted(row, row.k, row.n, source)
    if row.errors and row.k is not None:
        whole = (row.n or 0) + row.errors
        more |= {"bound_low": row.k / whole, "bound_high": (row.k + row.errors) / whole}
    own = {
        marks.IMPORTED: True,
        marks.UNSTATED: row.n is None,
        marks.UNFINISHED: bool(source.note),
        marks.BEST: marks.looks_of([source.provenance]) > 1,
        marks.ERRORS: row.errors > 0,
    }
    return _beside(
        "imported",
        row,
        headline=row.metric in headline_names() and row.task == ALL,
        comparability=f"imported from {source.format}: another harness",
        marks=tuple(mark.name for mark, holds in own.items() if holds),
        source=f"{source.id} ({source.file})",
        note="; ".join(part for part in (source.note, row.note) if part),
        **more,
    )


def _counted(row: ImportedResult, k: int, n: int, source: Source) -> Mapping[str, object]:
    """Wilson's interval; of episodes that repeat one another, by what they are worth."""
    worth, how = float(n), "Wilson"
    if groups := repeats(source.provenance, row):
        values = [i < hits for hits, tries in groups for i in range(tries)]
        poses = [pose for pose, (_, tries) in enumerate(groups) for _ in range(tries)]
        worth = effective_trials(values, poses)
        how = f"Wilson, {n} episodes worth {worth:.0f}"
    low, high = wilson(k * worth / n, worth)
    return {"low": float(low), "high": float(high), "interval": how}


def _interval(row: PublishedRow, table: Sequence[PublishedRow]) -> tuple[float, float, str] | None:
    """Its 95 % limits and how they were made; None where the trials are not stated."""
    value = row.value
    if value is None or not row.n:
        return None
    if row.metric == "length":
        return _chain(row, value, row.n, table)
    if not row.rate or "conditional" in row.flags:
        return None
    parts = [part for part in _siblings(row, table) if part.metric == row.metric and part.n]
    tasks = [part for part in parts if part.task != ALL and not part.task.endswith("average")]
    if row.task == ALL and sum(part.n or 0 for part in tasks) == row.n:
        trials = [part.n or 0 for part in tasks]
        counts = [round((part.value or 0) * n) for part, n in zip(tasks, trials, strict=True)]
        found = stratified_rate(counts, trials)
        return found.low, found.high, "Wilson by task"
    low, high = wilson(min(value, 1.0) * row.n, row.n)
    return float(low), float(high), "Wilson"


def _chain(
    row: PublishedRow, mean: float, n: int, table: Sequence[PublishedRow]
) -> tuple[float, float, str] | None:
    rates = {part.metric: part.value for part in _siblings(row, table)}
    p = [rate for i in range(1, LENGTH + 1) if (rate := rates.get(f"sr{i}")) is not None]
    if len(p) < LENGTH:
        return None
    half = Z95 * math.sqrt(max(chain_length_variance(p), 0.0) / n)
    return max(mean - half, 0.0), min(mean + half, float(LENGTH)), f"normal from SR1..{LENGTH}"


def _siblings(row: PublishedRow, table: Sequence[PublishedRow]) -> list[PublishedRow]:
    same = ("source", "table", "model", "variant", "suite", "training_split")
    return [one for one in table if all(getattr(one, name) == getattr(row, name) for name in same)]
