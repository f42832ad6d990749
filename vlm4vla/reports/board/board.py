"""Which runs are shown, in which order, and what must be said beside their numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Literal

from vlm4vla.core.comparability import conflicts, differing
from vlm4vla.core.errors import UnknownName
from vlm4vla.reports import marks
from vlm4vla.reports.scores import (
    ALL,
    Row,
    grouped,
    headline,
    in_words,
    rows_of,
    short_hash,
    unknown_names,
)
from vlm4vla.store import RunRecord, Store

Notice = tuple[Literal["comparability", "unpaired", "unknown names"], str]
"""What must be said of the runs of a board: of which kind it is, and in words."""


@dataclass(frozen=True)
class Board:
    """Rows in the order they are shown: by suite, the best headline first, incomplete last."""

    rows: tuple[Row, ...]
    notices: tuple[Notice, ...] = ()
    older: int = 0
    """Further runs of the same policies and suites that are not shown: older or less complete."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """The notices in words."""
        return tuple(text for _, text in self.notices)

    @property
    def suites(self) -> tuple[str, ...]:
        """Suites in the order shown."""
        return tuple(dict.fromkeys(row.suite for row in self.rows))

    def of_suite(self, suite: str) -> list[list[Row]]:
        """One list of rows (a metric each, over all tasks) for every run of the suite."""
        return grouped((row for row in self.rows if (row.suite, row.task) == (suite, ALL)), "run")


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
        UnknownName.check(what, wanted, known, "`bench list runs` shows what there is.")
    chosen = [
        run
        for run in runs
        if (not suites or run.suite in suites) and (not policies or run.policy in policies)
    ]
    shown = chosen if all_runs else _fullest(chosen, store.counts())
    notices = _notices(shown)
    tables = []
    for run in shown:
        episodes = store.episodes(run.id)
        tables.append(rows_of(run, episodes))
        if unknown := unknown_names(run, episodes):
            text = f"no episode reports {', '.join(unknown)}, which its metrics ask for."
            notices.append(("unknown names", f"{run.id}: {text}"))
    tables.sort(key=_rank)
    rows = _compared(chain.from_iterable(tables), shown)
    return Board(tuple(rows), tuple(notices), len(chosen) - len(shown))


def _compared(rows: Iterable[Row], runs: Iterable[RunRecord]) -> Iterator[Row]:
    """The rows in groups that may be compared; those outside their suite's first are marked.

    A run joins the first group in which it is at odds with nobody: one that states little, as an
    expert that sees nothing, hides no conflict between two others.
    """
    facts = {run.id: run.comparability for run in runs}
    groups: dict[str, list[list[str]]] = {}
    number: dict[str, int] = {}
    for row in rows:
        if row.run not in number:
            own = groups.setdefault(row.suite, [])
            for group in own:
                if not any(conflicts([facts[run], facts[row.run]]) for run in group):
                    break
            else:
                own.append(group := [])
            group.append(row.run)
            number[row.run] = 1 + own.index(group)
        row = replace(row, group=number[row.run])
        yield row if row.group == 1 else replace(row, marks=(*row.marks, marks.UNLIKE.name))


def _fullest(runs: Iterable[RunRecord], finished: Mapping[str, int]) -> list[RunRecord]:
    """Of each policy, suite, split and comparability the fullest, the newest of equals."""
    best: dict[tuple[str, ...], RunRecord] = {}
    for run in runs:  # the oldest first
        kind = (*played(run), run.training_split, short_hash(run.comparability))
        old = best.setdefault(kind, run)
        if finished.get(run.id, 0) >= finished.get(old.id, 0):
            best[kind] = run
    return list(best.values())


def played(run: RunRecord) -> tuple[str, ...]:
    """What was played how, whatever the conditions."""
    # What a policy without weights has for a checkpoint is the hash of its source, and an edited
    # policy replaces its former self.
    weights = "" if run.checkpoint.startswith("code ") else run.checkpoint
    return run.policy, in_words(run.policy_options), weights, run.suite, run.execution


def _notices(runs: Sequence[RunRecord]) -> list[Notice]:
    notices: list[Notice] = []
    for suite in dict.fromkeys(run.suite for run in runs):
        own = [run for run in runs if run.suite == suite]
        if facts := differing([run.comparability for run in own]):
            text = "these runs cannot be compared with each other as they stand; they differ in"
            notices.append(("comparability", f"{suite}: {text} {facts}."))
        plans = {frozenset(run.plan) for run in own}
        if len(plans) > 1:
            sizes = ", ".join(str(size) for size in sorted(map(len, plans)))
            text = f"the runs planned different episodes ({sizes}), so they are not paired."
            notices.append(("unpaired", f"{suite}: {text}"))
    return notices


def _rank(rows: Sequence[Row]) -> tuple[str, bool, float, str]:
    head = headline(rows)
    value = -1.0 if head.value is None else head.value
    return head.suite, not head.complete, -value, head.run
