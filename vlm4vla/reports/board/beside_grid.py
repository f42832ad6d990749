"""Rows of all origins as text cells, one grid a suite."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, fields

from vlm4vla.reports.board.beside import BesideRow, difference
from vlm4vla.reports.board.grid import Cell, Grid, short_run
from vlm4vla.reports.marks import (
    DECIDED,
    INCOMPLETE,
    MARKS,
    UNFINISHED,
    UNLIKE,
    UNSTATED,
    legend,
    signs,
)
from vlm4vla.reports.scores import ALL

FLAGGED = "§"
_ROOM = 4
"""So many metrics fit into a terminal with their intervals."""
_PAPERS = ("VLM4VLA", "RoboVLMs", "GenVLA", "GrinningFace")


def grids(rows: Sequence[BesideRow], by_task: bool = False, narrow: bool = False) -> list[Grid]:
    """One grid for every suite, a line for every policy and setting.

    Args:
        rows: what to show.
        by_task: a line for each task too.
        narrow: where there are many metrics, intervals of the headline alone.
    """
    return [
        _grid(suite, [row for row in rows if row.suite == suite], by_task, narrow)
        for suite in dict.fromkeys(row.suite for row in rows)
    ]


def csv_text(rows: Sequence[BesideRow]) -> str:
    """Every row with all digits; empty where undefined, marks separated by `;`."""
    out = io.StringIO()
    names = [field.name for field in fields(BesideRow)]
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) | {"marks": ";".join(row.marks)} for row in rows)
    return out.getvalue()


def json_text(rows: Sequence[BesideRow]) -> str:
    """A list of objects, null where undefined."""
    return json.dumps([asdict(row) for row in rows], indent=1) + "\n"


def _grid(suite: str, rows: Sequence[BesideRow], by_task: bool, narrow: bool) -> Grid:
    by_task = by_task or all(row.task != ALL for row in rows)  # some tables have no mean
    lines: dict[tuple[str, ...], list[BesideRow]] = {}
    for row in rows:
        if by_task or row.task == ALL:
            key = (row.origin, row.source, row.policy, row.variant, row.training_split, row.task)
            lines.setdefault(key, []).append(row)
    shown = [row for line in lines.values() for row in line]
    metrics = _metrics(shown)
    ordered = sorted(lines.values(), key=_rank)
    words = ["policy", *(["task"] if by_task else [])]
    header = (*words, *metrics, "n", *([] if narrow else ["protocol"]), "from")
    after = len(header) - len(words) - len(metrics) - 1
    numeric = (*[False] * len(words), *[True] * (len(metrics) + 1), *[False] * after)
    bare = set(metrics[1:]) if narrow and len(metrics) > _ROOM else set()
    body = tuple(_line(line, metrics, by_task, narrow, bare) for line in ordered)
    return Grid(suite, header, numeric, body, tuple(_notes(suite, shown)))


def _metrics(rows: Sequence[BesideRow]) -> list[str]:
    # The suite's own metrics first, in its order; then what only others report.
    ours = [row for row in rows if row.origin == "ours"]
    names = dict.fromkeys(row.metric for row in ours if row.headline)
    names |= dict.fromkeys(row.metric for row in ours)
    names |= dict.fromkeys(row.metric for row in rows if row.headline)
    return list(names | dict.fromkeys(row.metric for row in rows))


def _rank(line: Sequence[BesideRow]) -> tuple[int, float]:
    head = next((row for row in line if row.headline), line[0])
    value = -1.0 if head.value is None else head.value
    return ("ours", "imported", "paper").index(head.origin), -value


def _line(
    line: Sequence[BesideRow],
    metrics: Sequence[str],
    by_task: bool,
    narrow: bool,
    bare: Collection[str],
) -> tuple[Cell, ...]:
    first = line[0]
    scores = {row.metric: row for row in line}
    head = next((row for row in line if row.headline), first)
    told = [first.variant] if first.variant else []
    if first.training_split not in ("", "none"):
        told.append(f"trained on {first.training_split}")
    below = (", ".join(told),) if told else ()
    return (
        Cell(first.policy + _signs(line), below),
        *([Cell(first.task)] if by_task else []),
        *(
            _score(scores[name], head, name not in bare) if name in scores else Cell("")
            for name in metrics
        ),
        _count(head),
        *([] if narrow else [Cell(first.protocol)]),
        _from(first),
    )


def _signs(line: Sequence[BesideRow]) -> str:
    marks = {mark for row in line for mark in row.marks}
    # Each row says below `from` what it may be compared with.
    return signs(marks - {UNLIKE.name}) + FLAGGED * bool(marks - set(MARKS))


def _score(row: BesideRow, head: BesideRow, interval: bool) -> Cell:
    if row.value is None:
        return Cell("n/a")
    factor, decimals = (100, 1) if row.rate else (1, 2)
    text = f"{factor * row.value:.{decimals}f}"
    if interval and row.low is not None and row.high is not None:
        digits = decimals if not row.rate or (row.n or 0) >= 1000 else 0
        low, high = (f"{factor * limit:.{digits}f}" for limit in (row.low, row.high))
        text += f" [≤ {high}]" if row.k == 0 and row.low == 0.0 else f" [{low}, {high}]"
    if {INCOMPLETE.name, UNFINISHED.name} & set(row.marks):
        text = f"({text})"
    below = []
    if row.n != head.n and row.n is not None:
        below.append(f"n = {row.n}")
    if row.bound_low is not None and row.bound_high is not None:
        below.append(f"err {factor * row.bound_low:.0f} to {factor * row.bound_high:.0f}")
    return Cell(text, tuple(below))


def _count(row: BesideRow) -> Cell:
    errors = (f"+ {row.errors} err",) if row.errors else ()
    if INCOMPLETE.name in row.marks or DECIDED.name in row.marks:
        word, _, count = row.note.partition(" ")
        return Cell(count, (word, *errors))
    return Cell("?" if row.n is None else str(row.n), errors)


def _from(row: BesideRow) -> Cell:
    if row.origin == "ours":
        return Cell(f"run {short_run(row.source)}", (f"= {row.comparability}",))
    if row.origin == "imported":
        return Cell(row.source, (UNLIKE.sign,))
    paper, _, table = row.source.rpartition(", ")
    return Cell(f"{UNLIKE.sign} {next((name for name in _PAPERS if name in paper), paper)} {table}")


def _notes(suite: str, rows: Sequence[BesideRow]) -> list[str]:
    notes = ["Rates in %, 95 % intervals; without brackets where n (?) or parts are not printed"]
    marks = {mark for row in rows for mark in row.marks}
    notes += legend(marks - {UNLIKE.name, UNSTATED.name})
    if flags := sorted(marks - set(MARKS)):
        notes.append(f"{FLAGGED} known inconsistency ({', '.join(flags)}; --format json tells)")
    if any(row.origin == "ours" for row in rows):
        notes.append("= runs of ours with equal digits may be compared with each other")
    if any(row.origin == "imported" for row in rows):
        notes.append(f"{UNLIKE.sign} imported rows are never compared with ours")
    if any(row.origin == "paper" for row in rows):
        why = difference(suite)
        notes.append(f"{UNLIKE.sign} papers' rows are not comparable as they stand: {why}")
    return notes
