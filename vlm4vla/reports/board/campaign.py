"""A campaign's table in the paper's layout: the printed row, and ours below it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from vlm4vla.reports import marks
from vlm4vla.reports.board.beside_grid import FLAGGED
from vlm4vla.reports.board.grid import Cell, Grid
from vlm4vla.reports.scores import Row, rows_of
from vlm4vla.store import RunRecord, Store, default_path
from vlm4vla.store.published import PublishedRow, published
from vlm4vla.suites.campaign import CampaignFile, CampaignRow, Column
from vlm4vla.suites.suite import suite_names

_DIGITS = {"percent": (100.0, 1), "fraction": (1.0, 3), "number": (1.0, 3)}
NOT_RUN, NO_SUITE = "not run", "no suite"


@dataclass(frozen=True)
class Entry:
    """One number of the table: what is printed, and what was measured here. Rates are fractions."""

    model: str
    policy: str
    """Empty in a row that is only shown."""
    column: str
    suite: str
    metric: str
    task: str
    published: float | None
    published_n: int | None
    flags: tuple[str, ...]
    """What is wrong with the printed number (results/README.md)."""
    selection: str
    """`best`: the printed number is the best of several, chosen on the episodes reported."""
    value: float | None
    low: float | None
    high: float | None
    n: int | None
    status: str
    """`complete`, `incomplete 12/24`, `not run`, or `no suite`: this version has none."""
    run: str
    marks: tuple[str, ...]


def entries(campaign: CampaignFile, store: str | Path | None = None) -> list[Entry]:
    """Every number of the campaign's table, row by row. A store that is not there holds no runs."""
    path = Path(store) if store is not None else default_path()
    ours: dict[tuple[str, str], list[Row]] = {}
    if path.is_file():
        with Store.open(path) as opened:
            for row in campaign.rows:
                for suite in campaign.suites:
                    run = _chosen(opened.runs(), campaign, row, suite.suite)
                    if run is not None:
                        ours[row.model, suite.suite] = rows_of(run, opened.episodes(run.id))
    printed = [p for p in published() if p.source == campaign.source and p.table == campaign.table]
    return [
        _entry(name, policy, column, printed, ours.get((name, column.suite), []))
        for name, policy in (
            *((reference.model, "") for reference in campaign.references),
            *((row.model, row.policy) for row in campaign.rows),
        )
        for column in campaign.columns
    ]


def grid(campaign: CampaignFile, found: Sequence[Entry]) -> Grid:
    """The table as text cells."""
    sizes = {row.model: row.size for row in campaign.rows}
    sizes |= {reference.model: reference.size for reference in campaign.references}
    titles = [column.title for column in campaign.columns]
    units = {column.title: column.unit for column in campaign.columns}
    body: list[tuple[Cell, ...]] = []
    for model in dict.fromkeys(entry.model for entry in found):
        line = [entry for entry in found if entry.model == model]
        if any(entry.published is not None for entry in line):
            cells = [_printed(entry, units[entry.column]) for entry in line]
            body.append((Cell(model), Cell(sizes[model]), Cell("paper"), *cells))
        if line[0].policy:
            signs = marks.signs({mark for entry in line for mark in entry.marks} - _SHOWN)
            cells = [_measured(line, i, units[entry.column]) for i, entry in enumerate(line)]
            name = Cell("" if body and body[-1][0].text == model else model)
            body.append((name, Cell(""), Cell(f"ours{signs}"), *cells))
    return Grid(
        suite=campaign.summary,
        header=("model", "size", "", *titles),
        numeric=(False, True, False, *[True] * len(titles)),
        body=tuple(body),
        notes=tuple(_notes(campaign, found)),
    )


def csv_text(found: Iterable[Entry]) -> str:
    """Every entry with all digits."""
    out = io.StringIO()
    names = [field.name for field in fields(Entry)]
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    for entry in found:
        lists = {"flags": ";".join(entry.flags), "marks": ";".join(entry.marks)}
        writer.writerow(asdict(entry) | lists)
    return out.getvalue()


def json_text(found: Iterable[Entry]) -> str:
    """A list of objects, null where undefined."""
    return json.dumps([asdict(entry) for entry in found], indent=1) + "\n"


_SHOWN = {marks.INCOMPLETE.name, marks.ERRORS.name}
"""Marks that the number itself shows."""


def _chosen(
    runs: Iterable[RunRecord], campaign: CampaignFile, row: CampaignRow, suite: str
) -> RunRecord | None:
    """The run that fills the cell: the one of most episodes, the latest among equals."""
    wanted = next(s for s in campaign.suites if s.suite == suite)
    fitting = [
        run
        for run in runs
        if (run.policy, run.suite, run.protocol) == (row.policy, suite, wanted.protocol)
        and wanted.execute in (None, run.execution)
        and all(run.policy_options.get(key) == value for key, value in row.options.items())
    ]
    return max(fitting, key=lambda run: (len(run.plan), run.created), default=None)


def _entry(
    model: str, policy: str, column: Column, printed: Iterable[PublishedRow], ours: Iterable[Row]
) -> Entry:
    theirs = next(
        (
            p
            for p in printed
            if (p.model, p.suite, p.metric, p.task)
            == (model, column.suite, column.metric, column.task)
        ),
        None,
    )
    row = next((r for r in ours if (r.metric, r.task) == (column.metric, column.task)), None)
    missing = NOT_RUN if _exists(column.suite) else NO_SUITE
    return Entry(
        model=model,
        policy=policy,
        column=column.title,
        suite=column.suite,
        metric=column.metric,
        task=column.task,
        published=theirs.value if theirs else None,
        published_n=theirs.n if theirs else None,
        flags=theirs.flags if theirs else (),
        selection=theirs.selection if theirs else "",
        value=row.value if row else None,
        low=row.low if row else None,
        high=row.high if row else None,
        n=row.n if row else None,
        status=row.status if row else missing,
        run=row.run if row else "",
        marks=row.marks if row else (),
    )


def _exists(suite: str) -> bool:
    return suite.endswith((".yaml", ".yml")) or suite in suite_names()


def _printed(entry: Entry, unit: str) -> Cell:
    if entry.published is None:
        return Cell("-")
    factor, digits = _DIGITS[unit]
    return Cell(f"{factor * entry.published:.{digits}f}" + (FLAGGED if entry.flags else ""))


def _measured(line: Sequence[Entry], number: int, unit: str) -> Cell:
    """The value, its interval below; in brackets where the run is incomplete.

    What holds for a whole suite, that it was not run or its n, stands in its first column.
    """
    entry = line[number]
    first = number == 0 or line[number - 1].suite != entry.suite
    if not entry.run:
        return Cell(entry.status if first else "")
    if entry.value is None or entry.low is None or entry.high is None:
        return Cell("n/a")
    factor, digits = _DIGITS[unit]
    text = f"{factor * entry.value:.{digits}f}"
    below = [f"[{_limit(entry.low, unit)},{_limit(entry.high, unit)}]"]
    if first and entry.n != entry.published_n:
        below.append(f"n = {entry.n}")
    return Cell(f"({text})" if entry.status.startswith("incomplete") else text, tuple(below))


def _limit(value: float, unit: str) -> str:
    """Short enough for six columns in a terminal: `.917`, `4.06`, `85`."""
    if unit == "fraction":
        return f"{value:.3f}".removeprefix("0")
    return f"{value:.2f}" if unit == "number" else f"{100 * value:.0f}"


def _notes(campaign: CampaignFile, found: Sequence[Entry]) -> list[str]:
    notes = ["95 % intervals in square brackets"]
    if campaign.source:
        best = any(entry.selection == "best" for entry in found)
        how = ", best of several checkpoints and executions chosen on these episodes" * best
        notes.append(f"paper: {campaign.source}, {campaign.table}{how}")
    lacking = sorted({entry.suite for entry in found if entry.status == NO_SUITE})
    if lacking:
        notes.append(f"this version has no suite {' and no '.join(lacking)} yet")
    if any(entry.flags for entry in found):
        notes.append(f"{FLAGGED} the printed number contradicts others: results/README.md")
    notes += marks.legend({name for entry in found for name in entry.marks})
    return notes
