"""The leaderboard: which runs, in which order, and what must be said beside their numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from vlm4vla.core.comparability import conflicts
from vlm4vla.core.errors import UnknownName
from vlm4vla.reports import marks
from vlm4vla.reports.scores import ALL, Row, in_words, rows_of, short_hash, unknown_names
from vlm4vla.store import RunRecord, Store

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Board:
    """Rows in the order they are shown: by suite, the best headline first, incomplete last."""

    rows: tuple[Row, ...]
    warnings: tuple[str, ...]
    older: int
    """Earlier runs of the same policies and suites that are not shown."""

    @property
    def suites(self) -> tuple[str, ...]:
        """Suites in the order shown."""
        return tuple(dict.fromkeys(row.suite for row in self.rows))

    def of_suite(self, suite: str, task: str = ALL) -> list[list[Row]]:
        """One list of rows (a metric each) for every run of the suite."""
        found: dict[str, list[Row]] = {}
        for row in self.rows:
            if row.suite == suite and row.task == task:
                found.setdefault(row.run, []).append(row)
        return list(found.values())


def leaderboard(
    store: Store | str | Path | None = None,
    suite: str | Collection[str] | None = None,
    policy: str | Collection[str] | None = None,
    all_runs: bool = False,
    published: bool = False,
    imported: bool = False,
) -> pd.DataFrame:
    """The leaderboard as a data frame: one row per run, task (or `all`) and metric.

    Args:
        store: an open store or its file; by default `VLM4VLA_STORE` or ./results/bench.db.
        suite: only this suite, or these.
        policy: only this policy, or these.
        all_runs: every run, not only the latest of each policy, suite, comparability, execution.
        published: set the papers' rows beside ours; the columns are those of `BesideRow`.
        imported: set imported results beside ours, likewise.

    Raises:
        StoreError: the store cannot be read.
        UnknownName: the store holds no such suite or policy.
    """
    from dataclasses import fields

    import pandas as pd

    if published or imported:
        from vlm4vla.reports.board.beside import BesideRow, gather

        rows, _ = gather(
            store, _names(suite), _names(policy), (), all_runs, published, imported
        )  # fmt: skip
        names = [field.name for field in fields(BesideRow)]
        return pd.DataFrame([asdict(row) for row in rows], columns=names)
    with ExitStack() as stack:
        opened = store if isinstance(store, Store) else stack.enter_context(Store.open(store))
        found = board(opened, _names(suite), _names(policy), all_runs)
    return pd.DataFrame(
        [asdict(row) for row in found.rows], columns=[field.name for field in fields(Row)]
    )


def board(
    store: Store,
    suites: Collection[str] = (),
    policies: Collection[str] = (),
    all_runs: bool = False,
) -> Board:
    """Read the store and settle what is shown. Raises UnknownName for a filter without runs."""
    runs = store.runs()
    for what, wanted, known in (
        ("suite with runs in this store", suites, {run.suite for run in runs}),
        ("policy with runs in this store", policies, {run.policy for run in runs}),
    ):
        for name in wanted:
            if name not in known:
                raise UnknownName(what, name, known, "`bench list runs` shows what there is.")
    chosen = [
        run
        for run in runs
        if (not suites or run.suite in suites) and (not policies or run.policy in policies)
    ]
    shown = chosen if all_runs else _latest(chosen)
    warnings = _comparability_warnings(shown)
    tables: list[list[Row]] = []
    for run in shown:
        episodes = store.episodes(run.id)
        tables.append(rows_of(run, episodes))
        if unknown := unknown_names(run, episodes):
            warnings.append(
                f"{run.id}: no episode reports {', '.join(unknown)}, which its metrics ask for."
            )
    tables.sort(key=_rank)
    rows = [row for table in tables for row in table]
    return Board(tuple(_compared(rows, shown)), tuple(warnings), len(chosen) - len(shown))


def _compared(rows: Sequence[Row], runs: Sequence[RunRecord]) -> list[Row]:
    """The rows, those marked that cannot be compared with the first of their suite."""
    known = {run.id: run for run in runs}
    unlike: set[str] = set()
    for suite in dict.fromkeys(row.suite for row in rows):
        ranked = dict.fromkeys(row.run for row in rows if row.suite == suite)
        unlike |= set(marks.unlike([known[name] for name in ranked]))
    mark = (marks.UNLIKE.name,)
    return [replace(row, marks=row.marks + mark) if row.run in unlike else row for row in rows]


def _names(given: str | Collection[str] | None) -> Collection[str]:
    return [given] if isinstance(given, str) else given or ()


def _latest(runs: Iterable[RunRecord]) -> list[RunRecord]:
    latest: dict[object, RunRecord] = {}
    for run in runs:  # the oldest first
        # What a policy without weights has for a checkpoint is the hash of its source, and an
        # edited policy replaces its former self.
        weights = "" if run.checkpoint.startswith("code ") else run.checkpoint
        key = (run.policy, in_words(run.policy_options), weights, run.suite, run.execution)
        latest[(*key, short_hash(run.comparability))] = run
    return list(latest.values())


def _comparability_warnings(runs: Sequence[RunRecord]) -> list[str]:
    warnings = []
    for suite in dict.fromkeys(run.suite for run in runs):
        facts = [run.comparability for run in runs if run.suite == suite]
        differing = [f"{name} ({' / '.join(values)})" for name, values in conflicts(facts).items()]
        if differing:
            warnings.append(
                f"{suite}: these runs cannot be compared with each other as they stand; "
                f"they differ in {', '.join(differing)}."
            )
        plans = {frozenset(run.plan) for run in runs if run.suite == suite}
        if len(plans) > 1:
            sizes = sorted(len(plan) for plan in plans)
            warnings.append(
                f"{suite}: the runs planned different episodes "
                f"({', '.join(map(str, sizes))}), so they are not paired."
            )
    return warnings


def _rank(rows: Sequence[Row]) -> tuple[str, bool, float, str]:
    headline = next((row for row in rows if row.headline), rows[0])
    value = -1.0 if headline.value is None else headline.value
    return headline.suite, not headline.complete, -value, headline.run
