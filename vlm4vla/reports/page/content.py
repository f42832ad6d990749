"""What a page is made of: the store, read once, suite by suite."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from vlm4vla.core import __version__
from vlm4vla.core.comparability import conflicts
from vlm4vla.core.episode import JSON
from vlm4vla.core.errors import BadInput
from vlm4vla.core.result import Outcome
from vlm4vla.reports import marks
from vlm4vla.reports.board.beside import gather
from vlm4vla.reports.board.beside_tables import beside_tables
from vlm4vla.reports.board.board import Board, board
from vlm4vla.reports.board.tables import tables
from vlm4vla.reports.compare.comparison import Comparison, comparison
from vlm4vla.reports.correlation.capability import correlated_suites
from vlm4vla.reports.correlation.correlation import Correlation, correlations
from vlm4vla.reports.figures.chains import Chains
from vlm4vla.reports.scores import ALL, Row, short_run
from vlm4vla.reports.summary import Summary, summarise
from vlm4vla.reports.tables.numbers import score
from vlm4vla.reports.tables.registry import Selection, page_exhibits
from vlm4vla.reports.tables.table import Cell, Exhibit, ResultTable, columns
from vlm4vla.stats.multiplicity import holm
from vlm4vla.store import EpisodeRow, RunRecord, Store
from vlm4vla.store.snapshot import StoreSnapshot


@dataclass(frozen=True)
class PageRun:
    """One run of a suite, with what the drawings show of it."""

    label: str
    """Policy and signs; with the end of its id where the suite has several so named."""
    note: str
    """Policy options and status, as far as there is something to say."""
    rows: tuple[Row, ...]
    """A row for each metric, over all tasks."""
    summary: Summary
    successes: int
    chains: Chains | None

    @property
    def record(self) -> RunRecord:
        """The run itself."""
        return self.summary.run

    @property
    def headline(self) -> Row:
        """The metric that ranks."""
        return next((row for row in self.rows if row.headline), self.rows[0])

    @property
    def causes(self) -> str:
        """How many episodes were given up for what."""
        kinds = Counter(str(row.error) for row in self.summary.quarantined)
        return ", ".join(f"{count} {kind}" for kind, count in kinds.items())

    @property
    def outcomes(self) -> str:
        """Its status, and how many episodes ended how."""
        lost = len(self.summary.quarantined)
        failed = self.summary.finished - lost - self.successes
        text = f"{self.summary.status}, {self.successes} successes, {failed} failures"
        return f"{text}, {lost} errors" if lost else text


@dataclass(frozen=True)
class Contrasted:
    """A run less the first of its suite, on identical episodes; or why not."""

    label: str
    found: Comparison | None
    refusal: str = ""
    p_holm: float | None = None
    """p of the headline, adjusted for all comparisons of the suite (Holm)."""


@dataclass(frozen=True)
class SuitePart:
    """Everything about one suite."""

    suite: str
    leaderboard: ResultTable
    by_task: ResultTable | None
    """The same with a line for each task; None if there is only one."""
    further: tuple[ResultTable, ...]
    """The suite's other tables, e.g. a chain's subtasks."""
    tasks: ResultTable | None
    """The headline, tasks by runs; None if there is only one task."""
    runs: tuple[PageRun, ...]
    """In the order of the leaderboard."""
    contrasts: tuple[Contrasted, ...]
    differing: ResultTable | None
    """Facts of comparability that the runs do not share."""
    shared: Mapping[str, JSON]
    """Those that they do."""
    beside: ResultTable | None
    """The same suite as papers and imports have it, if asked for."""

    @property
    def adjusted(self) -> list[Contrasted]:
        """The contrasts whose p was adjusted."""
        return [one for one in self.contrasts if one.p_holm is not None]

    @property
    def chains(self) -> bool:
        """Whether episodes are chains of subtasks."""
        return any(run.chains for run in self.runs)


@dataclass(frozen=True)
class Content:
    """The whole page."""

    store: str
    warnings: tuple[str, ...]
    suites: tuple[SuitePart, ...]
    older: int
    sections: tuple[Exhibit, ...]
    """What installed tables of studies and plugins show of this store."""
    correlations: tuple[Correlation, ...]
    version: str = __version__

    @property
    def runs(self) -> list[PageRun]:
        """Every run, in the order shown."""
        return [run for part in self.suites for run in part.runs]

    @property
    def marks(self) -> set[str]:
        """Names of all marks that some run bears."""
        return {name for run in self.runs for row in run.rows for name in row.marks}

    @property
    def repeated(self) -> int:
        """Failed attempts that were repeated."""
        return sum(len(run.summary.faults) for run in self.runs)


def collect(
    store: Store,
    suites: Collection[str] = (),
    policies: Collection[str] = (),
    all_runs: bool = False,
    vqa: Sequence[str] = (),
    others: bool = False,
) -> Content:
    """Read what the page shows, each run once.

    Args:
        store: where the runs are.
        suites: only these.
        policies: only these.
        all_runs: every run, not only the latest of its kind.
        vqa: benchmarks to correlate scores of policies with.
        others: add what papers print and what was imported; correlate the papers' policies.

    Raises:
        UnknownName: a filter without runs, or no such benchmark.
        BadInput: too few backbones to correlate.
    """
    store = StoreSnapshot.of(store)
    found = board(store, suites, policies, all_runs)
    beside: dict[str, ResultTable] = {}
    if others and found.suites:
        asked = Selection(
            found.suites, tuple(policies), (), all_runs, published=True, imported=True
        )
        rows, _ = gather(store, asked)
        strangers = {row.suite for row in rows if row.origin != "ours"}
        shared = beside_tables([row for row in rows if row.suite in strangers])
        beside = {table.title: table for table in shared}
    correlated = [suite for suite in suites if suite in correlated_suites() or not others]
    return Content(
        store=store.name,
        warnings=found.warnings,
        suites=tuple(_suite(store, found, name, beside.get(name)) for name in found.suites),
        older=found.older,
        sections=tuple(page_exhibits(store, Selection(found.suites, tuple(policies)))),
        correlations=tuple(correlations(vqa, correlated, others, store)) if vqa else (),
    )


def _suite(store: Store, found: Board, suite: str, beside: ResultTable | None) -> SuitePart:
    shown = found.of_suite(suite)
    names = _labels([rows[0] for rows in shown])
    runs = tuple(_run(store, rows, names[rows[0].run]) for rows in shown)
    own = replace(found, rows=tuple(row for row in found.rows if row.suite == suite))
    metric = runs[0].headline.metric
    by_run = [row for row in own.rows if row.metric == metric and row.task != ALL]
    tasks = list(dict.fromkeys(row.task for row in by_run))
    several = len(tasks) > 1
    cells = {(row.task, row.run): score(row) for row in by_run}
    (leaderboard,), (by_task, *further) = tables(own), tables(own, by_task=True)
    facts = [run.record.comparability for run in runs]
    differing = conflicts(facts)
    by_task_cells = {
        task: [cells.get((task, run.record.id), Cell("")) for run in runs] for task in tasks
    }
    stated = {
        name: [Cell(str(fact.get(name, "not stated: did not matter"))) for fact in facts]
        for name in differing
    }
    return SuitePart(
        suite=suite,
        leaderboard=leaderboard,
        by_task=by_task if several else None,
        further=tuple(further),
        tasks=_by_run("task", runs, by_task_cells, numeric=True) if several else None,
        runs=runs,
        contrasts=_contrasts(store, runs),
        differing=_by_run("differs", runs, stated) if differing else None,
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


def _run(store: Store, rows: Sequence[Row], label: str) -> PageRun:
    record, first = store.run(rows[0].run), rows[0]
    episodes = store.episodes(record.id)
    told = [first.policy_options] if first.policy_options else []
    if first.looks > 1:
        told.append(f"best of {first.looks}")
    if not first.complete:
        told.append(first.status)
    return PageRun(
        label=label,
        note=", ".join(told),
        rows=tuple(rows),
        summary=summarise(store, record),
        successes=sum(row.outcome is Outcome.SUCCESS for row in episodes),
        chains=_chains(label, record, episodes),
    )


def _chains(label: str, run: RunRecord, episodes: Sequence[EpisodeRow]) -> Chains | None:
    """Lengths, where the headline is the mean of a count whose steps are stages: `solved_1`, ..."""
    head = next((metric for metric in run.metrics if metric.headline), None)
    done = [row for row in episodes if row.outcome is not Outcome.ERROR]
    if head is None or head.kind != "mean" or not done:
        return None
    steps = 0
    while f"{head.of}_{steps + 1}" in done[0].stages:
        steps += 1
    if steps < 2:
        return None
    counts = Counter(int(row.measures.get(head.of) or 0) for row in done)
    return Chains(label, tuple(counts[k] for k in range(steps + 1)))


def _contrasts(store: Store, runs: Sequence[PageRun]) -> tuple[Contrasted, ...]:
    first, *others = runs
    contrasts = []
    for run in others:
        facts = conflicts([first.record.comparability, run.record.comparability])
        if facts:
            text = f"not compared with the first row, from which it differs in {', '.join(facts)}."
            contrasts.append(Contrasted(run.label, None, text))
            continue
        try:
            result = comparison(store, run.record.id, first.record.id)
        except BadInput as error:
            contrasts.append(Contrasted(run.label, None, error.message))
        else:
            contrasts.append(Contrasted(run.label, result))
    tested = [
        (one, one.found.headline.p)
        for one in contrasts
        if one.found is not None and one.found.headline.p is not None
    ]
    adjusted = holm([p for _, p in tested])
    holms = {one.label: float(p) for (one, _), p in zip(tested, adjusted, strict=True)}
    return tuple(replace(one, p_holm=holms.get(one.label)) for one in contrasts)
