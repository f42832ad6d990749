"""What a page is made of: the store, read once, suite by suite."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from vlm4vla.core.comparability import conflicts
from vlm4vla.core.episode import JSON
from vlm4vla.core.errors import BadInput
from vlm4vla.reports import marks
from vlm4vla.reports.board.beside import gather
from vlm4vla.reports.board.board import Board, board
from vlm4vla.reports.board.control import beside_controls
from vlm4vla.reports.board.leaderboard import beside_tables, tables
from vlm4vla.reports.compare.comparison import Comparison, comparison
from vlm4vla.reports.correlation.capability import correlated_suites
from vlm4vla.reports.correlation.correlation import Correlation, correlations
from vlm4vla.reports.scores import ALL, Row, headline, short_run
from vlm4vla.reports.summary import Summary, summarise
from vlm4vla.reports.tables.numbers import score
from vlm4vla.reports.tables.registry import page_exhibits
from vlm4vla.reports.tables.selection import Selection
from vlm4vla.reports.tables.table import Cell, Exhibit, ResultTable, columns
from vlm4vla.stats.multiplicity import holm
from vlm4vla.store import RunRecord, Store, StoreSnapshot

_EVERYTHING = Selection()


@dataclass(frozen=True)
class PageRun:
    """One run of a suite, as the page names it."""

    label: str
    """Policy and signs; with the end of its id where the suite has several so named."""
    rows: tuple[Row, ...]
    """A row for each metric, over all tasks."""
    summary: Summary

    @property
    def record(self) -> RunRecord:
        """The run itself."""
        return self.summary.run

    @property
    def headline(self) -> Row:
        """The metric that ranks."""
        return headline(self.rows)

    @property
    def note(self) -> str:
        """Policy options, looks and status, as far as there is something to say."""
        first = self.rows[0]
        looks = f"best of {first.looks}" if first.looks > 1 else ""
        status = "" if first.complete else first.status
        return ", ".join(text for text in (first.policy_options, looks, status) if text)

    @property
    def causes(self) -> str:
        """How many episodes were given up for what."""
        kinds = Counter(str(row.error) for row in self.summary.quarantined)
        return ", ".join(f"{count} {kind}" for kind, count in kinds.items())


@dataclass(frozen=True)
class SuitePart:
    """Everything about one suite."""

    suite: str
    leaderboard: ResultTable
    by_task: ResultTable
    """The same with a line for each task."""
    further: tuple[ResultTable, ...]
    """The suite's other tables, e.g. a chain's subtasks."""
    tasks: ResultTable | None
    """The headline, tasks by runs; None if there is only one task."""
    runs: tuple[PageRun, ...]
    """In the order of the leaderboard."""
    contrasts: Mapping[str, Comparison | str]
    """By label: a run less the first, on identical episodes; or why not."""
    adjusted: Mapping[str, float]
    """By label: p of the headline, adjusted for all of these comparisons (Holm)."""
    differing: ResultTable | None
    """Facts of comparability that the runs do not share."""
    shared: Mapping[str, JSON]
    """Those that they do."""
    beside: ResultTable | None
    """The same suite as papers and imports have it, if asked for."""


@dataclass(frozen=True)
class Content:
    """The whole page."""

    store: str
    board: Board
    suites: tuple[SuitePart, ...]
    sections: tuple[Exhibit, ...]
    """What installed tables of studies and plugins show of this store."""
    correlations: tuple[Correlation, ...]

    @property
    def runs(self) -> list[PageRun]:
        """Every run, in the order shown."""
        return [run for part in self.suites for run in part.runs]

    @property
    def marks(self) -> set[str]:
        """Names of all marks that some run bears."""
        return {name for run in self.runs for row in run.rows for name in row.marks}


def collect(store: Store, asked: Selection = _EVERYTHING, vqa: Sequence[str] = ()) -> Content:
    """Read what the page shows, each run once; and correlate with the benchmarks `vqa`.

    If `asked` says `published`, it shows what papers print and what was imported too, and
    correlates the papers' policies. Raises UnknownName, or BadInput where nothing correlates.
    """
    store = StoreSnapshot.of(store)
    found = beside_controls(store, board(store, asked.suites, asked.policies, asked.all_runs))
    beside: dict[str, ResultTable] = {}
    if asked.published and found.suites:
        rows, _ = gather(store, replace(asked, suites=found.suites, imported=True))
        strangers = {row.suite for row in rows if row.origin != "ours"}
        shared = beside_tables([row for row in rows if row.suite in strangers])
        beside = {table.title: table for table in shared}
    known = correlated_suites() if asked.published else asked.suites
    against = [suite for suite in asked.suites if suite in known]
    return Content(
        store=store.name,
        board=found,
        suites=tuple(_suite(store, found, name, beside.get(name)) for name in found.suites),
        sections=tuple(page_exhibits(store, Selection(found.suites, asked.policies))),
        correlations=tuple(correlations(vqa, against, asked.published, store)) if vqa else (),
    )


def _suite(store: Store, found: Board, suite: str, beside: ResultTable | None) -> SuitePart:
    shown = found.of_suite(suite)
    names = _labels([rows[0] for rows in shown])
    runs = tuple(
        PageRun(names[rows[0].run], tuple(rows), summarise(store, store.run(rows[0].run)))
        for rows in shown
    )
    own = replace(found, rows=tuple(row for row in found.rows if row.suite == suite))
    metric = runs[0].headline.metric
    by_run = [row for row in own.rows if row.metric == metric and row.task != ALL]
    cells = {(row.task, row.run): score(row) for row in by_run}
    tasks = {
        task: [cells.get((task, run.record.id), Cell()) for run in runs]
        for task in dict.fromkeys(row.task for row in by_run)
    }
    (leaderboard,), (by_task, *further) = tables(own), tables(own, by_task=True)
    facts = [run.record.comparability for run in runs]
    differing = {
        name: [Cell(str(fact.get(name, "not stated: did not matter"))) for fact in facts]
        for name in conflicts(facts)
    }
    contrasts = {run.label: _contrast(store, run, runs[0]) for run in runs[1:]}
    ps = {
        label: p
        for label, one in contrasts.items()
        if not isinstance(one, str) and (p := one.headline.p) is not None
    }
    return SuitePart(
        suite=suite,
        leaderboard=leaderboard,
        by_task=by_task,
        further=tuple(further),
        tasks=_by_run("task", runs, tasks, numeric=True) if len(tasks) > 1 else None,
        runs=runs,
        contrasts=contrasts,
        adjusted=dict(zip(ps, map(float, holm(list(ps.values()))), strict=True)),
        differing=_by_run("differs", runs, differing) if differing else None,
        shared={k: v for fact in reversed(facts) for k, v in fact.items() if k not in differing},
        beside=beside,
    )


def _by_run(
    what: str, runs: Sequence[PageRun], lines: Mapping[str, Sequence[Cell]], numeric: bool = False
) -> ResultTable:
    """A table with a column for each run."""
    labels = [run.label for run in runs]
    body = tuple((Cell(name), *cells) for name, cells in lines.items())
    return ResultTable("", columns(what, *labels, numeric=labels if numeric else ()), body)


def _labels(rows: Sequence[Row]) -> dict[str, str]:
    plain = {row.run: row.policy + marks.signs(row.marks) for row in rows}
    common = Counter(plain.values())
    return {
        run: name if common[name] == 1 else f"{name} {short_run(run)}"
        for run, name in plain.items()
    }


def _contrast(store: Store, run: PageRun, first: PageRun) -> Comparison | str:
    if facts := conflicts([first.record.comparability, run.record.comparability]):
        return f"not compared with the first row, from which it differs in {', '.join(facts)}."
    try:
        return comparison(store, run.record.id, first.record.id)
    except BadInput as error:
        return error.message
