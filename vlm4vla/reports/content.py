"""What a page is made of: the store, read once, suite by suite."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from vlm4vla.core.comparability import conflicts
from vlm4vla.core.errors import BadInput
from vlm4vla.core.result import Outcome
from vlm4vla.reports import marks
from vlm4vla.reports.board.beside import gather
from vlm4vla.reports.board.beside_grid import grids as beside_grids
from vlm4vla.reports.board.grid import Cell, Grid, grids, score, short_run
from vlm4vla.reports.board.leaderboard import Board, board
from vlm4vla.reports.compare.comparison import Comparison, comparison
from vlm4vla.reports.correlation.capability import SUITES
from vlm4vla.reports.correlation.correlation import Correlation, correlations
from vlm4vla.reports.decomposition import FAMILY, Decomposed, decomposed
from vlm4vla.reports.figures.chains import Chains
from vlm4vla.reports.scores import ALL, Row
from vlm4vla.reports.summary import Summary, summarise
from vlm4vla.stats.multiplicity import holm
from vlm4vla.store import EpisodeRow, RunRecord, Store


@dataclass(frozen=True)
class Entry:
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
    def run(self) -> RunRecord:
        """The run itself."""
        return self.summary.run

    @property
    def headline(self) -> Row:
        """The metric that ranks."""
        return next((row for row in self.rows if row.headline), self.rows[0])


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
    leaderboard: Grid
    by_task: Grid | None
    """The same with a line for each task; None if there is only one."""
    further: tuple[Grid, ...]
    """The suite's other tables, e.g. a chain's subtasks."""
    tasks: Grid | None
    """The headline, tasks by runs; None if there is only one task."""
    entries: tuple[Entry, ...]
    """In the order of the leaderboard."""
    contrasts: tuple[Contrasted, ...]
    differing: Mapping[str, tuple[str, ...]]
    """Facts of comparability that the runs do not share."""
    beside: Grid | None
    """The same suite as papers and imports have it, if asked for."""


@dataclass(frozen=True)
class Content:
    """The whole page."""

    store: str
    warnings: tuple[str, ...]
    suites: tuple[SuitePart, ...]
    older: int
    emoji: Decomposed | None
    """Of the emoji task's suites, if there are any."""
    correlations: tuple[Correlation, ...]

    @property
    def entries(self) -> list[Entry]:
        """Every run, in the order shown."""
        return [entry for part in self.suites for entry in part.entries]


def collect(
    store: Store,
    suites: Collection[str] = (),
    policies: Collection[str] = (),
    all_runs: bool = False,
    vqa: Sequence[str] = (),
    others: bool = False,
) -> Content:
    """Read what the page shows.

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
    found = board(store, suites, policies, all_runs)
    beside: dict[str, Grid] = {}
    if others and found.suites:
        rows, _ = gather(store, found.suites, policies, (), all_runs, True, True)
        strangers = {row.suite for row in rows if row.origin != "ours"}
        grids_ = beside_grids([row for row in rows if row.suite in strangers])
        beside = {grid.suite: grid for grid in grids_}
    parts = tuple(_suite(store, found, suite, beside.get(suite)) for suite in found.suites)
    emoji = None
    if any(suite.startswith(FAMILY) for suite in found.suites):
        emoji = decomposed(store, policies)
    shared = [suite for suite in suites if suite in SUITES or not others]
    return Content(
        store=str(store.path),
        warnings=found.warnings,
        suites=parts,
        older=found.older,
        emoji=emoji,
        correlations=tuple(correlations(vqa, shared, others, store)) if vqa else (),
    )


def _suite(store: Store, found: Board, suite: str, beside: Grid | None) -> SuitePart:
    shown = found.of_suite(suite)
    names = _labels([rows[0] for rows in shown])
    entries = tuple(_entry(store, rows, names[rows[0].run]) for rows in shown)
    own = replace(found, rows=tuple(row for row in found.rows if row.suite == suite))
    metric = entries[0].headline.metric
    rows = [row for row in own.rows if row.metric == metric and row.task != ALL]
    tasks = list(dict.fromkeys(row.task for row in rows))
    several = len(tasks) > 1
    (leaderboard,), (by_task, *further) = grids(own), grids(own, by_task=True)
    return SuitePart(
        suite=suite,
        leaderboard=leaderboard,
        by_task=by_task if several else None,
        further=tuple(further),
        tasks=_tasks(suite, rows, tasks, entries) if several else None,
        entries=entries,
        contrasts=_contrasts(store, entries),
        differing=conflicts([entry.run.comparability for entry in entries]),
        beside=beside,
    )


def _labels(rows: Sequence[Row]) -> dict[str, str]:
    plain = {row.run: row.policy + marks.signs(row.marks) for row in rows}
    common = Counter(plain.values())
    return {
        run: name if common[name] == 1 else f"{name} {short_run(run)}"
        for run, name in plain.items()
    }


def _entry(store: Store, rows: Sequence[Row], label: str) -> Entry:
    record = store.run(rows[0].run)
    episodes = store.episodes(record.id)
    told = [rows[0].policy_options] if rows[0].policy_options else []
    if rows[0].looks > 1:
        told.append(f"best of {rows[0].looks}")
    if not rows[0].complete:
        told.append(rows[0].status)
    return Entry(
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


def _contrasts(store: Store, entries: Sequence[Entry]) -> tuple[Contrasted, ...]:
    found = []
    for entry in entries[1:]:
        facts = conflicts([entries[0].run.comparability, entry.run.comparability])
        if facts:
            text = f"not compared with the first row, from which it differs in {', '.join(facts)}."
            found.append(Contrasted(entry.label, None, text))
            continue
        try:
            result = comparison(store, entry.run.id, entries[0].run.id)
        except BadInput as error:
            found.append(Contrasted(entry.label, None, error.message))
        else:
            found.append(Contrasted(entry.label, result))
    ps = [one.found.headline.p for one in found if one.found is not None]
    adjusted = iter(holm([p for p in ps if p is not None]))
    return tuple(
        replace(one, p_holm=float(next(adjusted)))
        if one.found is not None and one.found.headline.p is not None
        else one
        for one in found
    )


def _tasks(suite: str, rows: Sequence[Row], tasks: Sequence[str], entries: Sequence[Entry]) -> Grid:
    """One metric, tasks by runs."""
    cells = {(row.task, row.run): score(row) for row in rows}
    body = tuple(
        (Cell(task), *(cells.get((task, e.run.id), Cell("")) for e in entries)) for task in tasks
    )
    header = ("task", *(entry.label for entry in entries))
    numeric = (False, *(True for _ in entries))
    return Grid(suite, header, numeric, body, ())
