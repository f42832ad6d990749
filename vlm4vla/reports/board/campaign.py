"""A campaign's table in the paper's layout: the printed row, and ours below it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from vlm4vla.reports import marks
from vlm4vla.reports.scores import Row, rows_of
from vlm4vla.reports.tables.numbers import PERCENT, Unit, interval_text
from vlm4vla.reports.tables.selection import Selection
from vlm4vla.reports.tables.table import Cell, Exhibit, ResultTable, columns, words
from vlm4vla.stats.intervals import Estimate
from vlm4vla.store import RunRecord, Store
from vlm4vla.store.published import PublishedRow, published
from vlm4vla.suites.campaign import (
    CampaignColumn,
    CampaignFile,
    CampaignRow,
    CampaignSuite,
    Reference,
    load_campaign,
)
from vlm4vla.suites.files import suite_names

_UNITS = {
    "percent": PERCENT,
    "fraction": Unit(1.0, 3, 3, bare=True),
    "number": Unit(1.0, 3, 2),
}
"""Limits short enough for six columns in a terminal: `.917`, `4.06`, `85`."""
NOT_RUN, NO_SUITE = "not run", "no suite"


@dataclass(frozen=True)
class CampaignEntry:
    """One number of the table: what is printed, and what was measured here. Rates are fractions."""

    model: str
    policy: str
    """Empty in a row that is only shown."""
    column: str
    suite: str
    metric: str
    task: str
    published: float | None = None
    published_n: int | None = None
    flags: tuple[str, ...] = ()
    """What is wrong with the printed number (results/README.md)."""
    selection: str = ""
    """`best`: the printed number is the best of several, chosen on the episodes reported."""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    status: str = NOT_RUN
    """`complete`, `incomplete 12/24`, `not run`, or `no suite`: this version has none."""
    run: str = ""
    marks: tuple[str, ...] = ()


def campaign_exhibit(store: Store | None, asked: Selection) -> Exhibit:
    """The table of the campaign that was asked for. Raises UnknownName or InvalidFile."""
    campaign = load_campaign(asked.campaign)
    found = entries(campaign, store)
    return Exhibit((campaign_table(campaign, found),), found, CampaignEntry)


def entries(campaign: CampaignFile, store: Store | None = None) -> list[CampaignEntry]:
    """Every number of the campaign's table, row by row; without a store, none of ours."""
    ours: dict[tuple[str, ...], Row] = {}
    if store is not None:
        runs = store.runs()
        for row, suite in product(campaign.rows, campaign.suites):
            if (run := _chosen(runs, row, suite)) is not None:
                found = rows_of(run, store.episodes(run.id))
                ours |= {(row.model, suite.suite, one.metric, one.task): one for one in found}
    printed = {
        (p.model, p.suite, p.metric, p.task): p
        for p in reversed(published())
        if p.source == campaign.source and p.table == campaign.table
    }
    return [
        _entry(row, column, printed.get(key), ours.get(key))
        for row, column in product((*campaign.references, *campaign.rows), campaign.columns)
        for key in [(row.model, column.suite, column.metric, column.task)]
    ]


def campaign_table(campaign: CampaignFile, found: Sequence[CampaignEntry]) -> ResultTable:
    """The paper's row of each model, and ours below it."""
    units = [_UNITS[column.unit] for column in campaign.columns]
    body: list[tuple[Cell, ...]] = []
    for one in (*campaign.references, *campaign.rows):
        line = [entry for entry in found if entry.model == one.model]
        printed = any(entry.published is not None for entry in line)
        if printed:
            cells = map(_printed, line, units)
            body.append((*words(one.model, one.size, "paper"), *cells))
        if line[0].policy:
            own = {mark for entry in line for mark in entry.marks} - _SHOWN
            ours = Cell("ours", marks=tuple(name for name in marks.MARKS if name in own))
            cells = map(_measured, line, (None, *line), units)
            body.append((Cell("" if printed else one.model), Cell(), ours, *cells))
    titles = [column.title for column in campaign.columns]
    heads = columns("model", "size", "", *titles, numeric=("size", *titles))
    return ResultTable(campaign.summary, heads, tuple(body), tuple(_notes(campaign, found)))


_SHOWN = {marks.INCOMPLETE.name, marks.ERRORS.name}
"""Marks that the number itself shows."""


def _chosen(runs: Iterable[RunRecord], row: CampaignRow, suite: CampaignSuite) -> RunRecord | None:
    """The run that fills the cell: the one of most episodes, the latest among equals."""
    fitting = [
        run
        for run in runs
        if (run.policy, run.suite, run.protocol) == (row.policy, suite.suite, suite.protocol)
        and suite.execute in (None, run.execution)
        and all(run.policy_options.get(key) == value for key, value in row.options.items())
    ]
    return max(fitting, key=lambda run: (len(run.plan), run.created), default=None)


def _entry(
    row: Reference, column: CampaignColumn, theirs: PublishedRow | None, ours: Row | None
) -> CampaignEntry:
    known: dict[str, Any] = column.model_dump(exclude={"title", "unit"})
    if theirs is not None:
        known |= {"published": theirs.value, "published_n": theirs.n}
        known |= {"flags": theirs.flags, "selection": theirs.selection}
    if ours is not None:
        names = ("value", "low", "high", "n", "status", "run", "marks")
        known |= {name: getattr(ours, name) for name in names}
    elif not column.suite.endswith((".yaml", ".yml")) and column.suite not in suite_names():
        known["status"] = NO_SUITE
    policy = row.policy if isinstance(row, CampaignRow) else ""
    return CampaignEntry(row.model, policy, column.title, **known)


def _printed(entry: CampaignEntry, unit: Unit) -> Cell:
    if entry.published is None:
        return Cell("-")
    flagged = (marks.FLAGGED.name,) if entry.flags else ()
    return Cell(unit.text(entry.published), marks=flagged, value=entry.published)


def _measured(entry: CampaignEntry, before: CampaignEntry | None, unit: Unit) -> Cell:
    """The value, its interval below; in brackets where the run is incomplete.

    What holds for a whole suite, that it was not run or its n, stands in its first column.
    """
    first = before is None or before.suite != entry.suite
    if not entry.run:
        return Cell(entry.status if first else "")
    if entry.value is None or entry.low is None or entry.high is None:
        return Cell("n/a")
    text = unit.text(entry.value)
    below = [interval_text(entry.low, entry.high, unit, comma=",")]
    if first and entry.n != entry.published_n:
        below.append(f"n = {entry.n}")
    return Cell(
        f"({text})" if entry.status.startswith("incomplete") else text,
        below=tuple(below),
        value=Estimate(entry.value, entry.low, entry.high),
    )


def _notes(campaign: CampaignFile, found: Sequence[CampaignEntry]) -> list[str]:
    notes = ["95 % intervals in square brackets"]
    if campaign.source:
        best = any(entry.selection == "best" for entry in found)
        how = ", best of several checkpoints and executions chosen on these episodes" * best
        notes.append(f"paper: {campaign.source}, {campaign.table}{how}")
    lacking = sorted({entry.suite for entry in found if entry.status == NO_SUITE})
    if lacking:
        notes.append(f"this version has no suite {' and no '.join(lacking)} yet")
    if any(entry.flags for entry in found):
        notes += marks.legend({marks.FLAGGED.name})
    notes += marks.legend({name for entry in found for name in entry.marks})
    return notes
