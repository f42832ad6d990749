"""Our runs, what was imported, and what the papers print, side by side and never mixed up."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from vlm4vla.core.errors import UnknownName
from vlm4vla.reports import marks
from vlm4vla.reports.board.board import Board, board
from vlm4vla.reports.board.printed import with_interval
from vlm4vla.reports.scores import ALL, Row
from vlm4vla.reports.tables.registry import Selection
from vlm4vla.stats.intervals import wilson
from vlm4vla.store import Store
from vlm4vla.store.library import ImportedResult, Library, Source
from vlm4vla.store.published import PublishedRow, published
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


def beside(
    ours: Board,
    suites: Collection[str] = (),
    papers: Collection[str] = (),
    printed: bool = True,
    imported: Library | None = None,
) -> list[BesideRow]:
    """Rows of all origins: suite by suite, ours first, then imported, then the papers'.

    Args:
        ours: the leaderboard of the store; may be empty.
        suites: only these; by default every suite of ours that others have too, else all.
        papers: only sources whose name holds one of these texts.
        printed: include what the papers print.
        imported: where imported results are.

    Raises:
        UnknownName: no such suite, or no such paper.
    """
    found = [_of_run(row) for row in ours.rows]
    if imported is not None:
        kinds = {source.id: source for source in imported.sources()}
        found += [_of_import(one, kinds[one.source]) for one in imported.results()]
    if printed:
        found += _of_papers(papers)
    known = {row.suite for row in found}
    for suite in suites:
        if suite not in known:
            raise UnknownName("suite with results", suite, known)
    wanted = list(suites) or _shared(found)
    return sorted(
        (row for row in found if row.suite in wanted),
        key=lambda row: (wanted.index(row.suite), ORIGINS.index(row.origin)),
    )


def gather(store: Store | None, asked: Selection) -> tuple[list[BesideRow], tuple[str, ...]]:
    """The rows of a store and those beside them, with what must be said of the runs.

    The papers' rows need no store: a first look may come before the first run.

    Raises:
        UnknownName: no such suite, policy or paper.
    """
    ours = Board(())
    if store is not None:
        mine = {run.suite for run in store.runs()}
        kept = [suite for suite in asked.suites if suite in mine]
        if kept or not asked.suites:
            ours = board(store, kept, asked.policies, asked.all_runs)
    printed = asked.published or bool(asked.papers)
    library = store.library if store is not None and asked.imported else None
    return beside(ours, asked.suites, asked.papers, printed, library), ours.warnings


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


_ALIKE = (
    "suite", "policy", "training_split", "task", "metric", "kind", "headline", "value", "low",
    "high", "n", "k", "errors", "bound_low", "bound_high", "comparability", "marks",
)  # fmt: skip
"""What a row of ours is called in both."""


def _of_run(row: Row) -> BesideRow:
    return BesideRow(
        "ours",
        **{name: getattr(row, name) for name in _ALIKE},
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
    chosen = [
        row
        for row in table
        if row.metric not in _SPREADS and row.suite != "architecture"
        and (not papers or any(paper.casefold() in row.source.casefold() for paper in papers))
    ]  # fmt: skip
    return [_of_paper(row, table) for row in chosen]


def _of_paper(row: PublishedRow, table: Sequence[PublishedRow]) -> BesideRow:
    found = with_interval(row, table)
    own = [marks.BEST.name] * (row.selection == "best")
    own += [marks.UNSTATED.name] * (row.n is None)
    return BesideRow(
        origin="paper",
        suite=row.suite,
        policy=row.model,
        backbone=row.backbone,
        variant=row.variant,
        training_split=row.training_split,
        task=row.task,
        metric=row.metric,
        kind="rate" if row.rate else "mean",
        headline=row.metric in headline_names(),
        value=row.value,
        low=found.low if found else None,
        high=found.high if found else None,
        interval=found.method if found else "",
        n=row.n,
        protocol={"best": "best over checkpoints or settings, on the episodes reported",
                  "last": "last checkpoint"}.get(row.selection, "selection not stated"),
        comparability=difference(row.suite),
        marks=(*own, *row.flags),
        source=f"{row.source}, {row.table}",
        note=row.note,
    )  # fmt: skip


def _of_import(row: ImportedResult, source: Source) -> BesideRow:
    low = high = None
    if row.kind == "rate" and row.n and row.k is not None:
        limits = wilson(row.k, row.n)
        low, high = float(limits[0]), float(limits[1])
    whole = (row.n or 0) + row.errors
    bounded = row.errors and row.k is not None
    looks = marks.looks_of([source.provenance])
    return BesideRow(
        origin="imported",
        suite=row.suite,
        policy=row.policy,
        task=row.task,
        metric=row.metric,
        kind=row.kind,
        headline=row.metric in headline_names() and row.task == ALL,
        value=row.value,
        low=low,
        high=high,
        interval="Wilson" if low is not None else "",
        n=row.n,
        k=row.k,
        errors=row.errors,
        bound_low=(row.k or 0) / whole if bounded else None,
        bound_high=((row.k or 0) + row.errors) / whole if bounded else None,
        protocol=row.protocol,
        comparability=f"imported from {source.format}: another harness",
        marks=(
            marks.IMPORTED.name,
            *[marks.UNSTATED.name] * (row.n is None),
            *[marks.UNFINISHED.name] * bool(source.note),
            *[marks.BEST.name] * (looks > 1),
            *[marks.ERRORS.name] * (row.errors > 0),
        ),
        source=f"{source.id} ({source.file})",
        note="; ".join(part for part in (source.note, row.note) if part),
    )
