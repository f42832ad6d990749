"""Rows of all origins as tables, one a suite."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from vlm4vla.reports import marks
from vlm4vla.reports.board.beside import ORIGINS, BesideRow, difference
from vlm4vla.reports.board.tables import POLICY, TASK, metric_names
from vlm4vla.reports.scores import ALL, short_run
from vlm4vla.reports.tables.numbers import score
from vlm4vla.reports.tables.table import Cell, Column, ResultTable
from vlm4vla.store.published import paper_name

_ROOM = 4
"""So many metrics fit into a terminal with their intervals."""
_FROM = Column("from", fold=True, least=13)


def beside_tables(
    rows: Sequence[BesideRow], by_task: bool = False, narrow: bool = False
) -> list[ResultTable]:
    """One table for every suite, a line for every policy and setting.

    Args:
        rows: what to show.
        by_task: a line for each task too.
        narrow: where there are many metrics, intervals of the headline alone.
    """
    return [
        _table(suite, [row for row in rows if row.suite == suite], by_task, narrow)
        for suite in dict.fromkeys(row.suite for row in rows)
    ]


def _table(suite: str, rows: Sequence[BesideRow], by_task: bool, narrow: bool) -> ResultTable:
    by_task = by_task or all(row.task != ALL for row in rows)  # some tables have no mean
    lines: dict[tuple[str, ...], list[BesideRow]] = {}
    for row in rows:
        if by_task or row.task == ALL:
            key = (row.origin, row.source, row.policy, row.variant, row.training_split, row.task)
            lines.setdefault(key, []).append(row)
    shown = [row for line in lines.values() for row in line]
    metrics = _metrics(shown)
    columns = (
        POLICY,
        *([TASK] if by_task else []),
        *(Column(name, numeric=True) for name in (*metrics, "n")),
        *([] if narrow else [Column("protocol")]),
        _FROM,
    )
    bare = set(metrics[1:]) if narrow and len(metrics) > _ROOM else set()
    ordered = sorted(lines.values(), key=_rank)
    body = tuple(_line(line, metrics, by_task, narrow, bare) for line in ordered)
    return ResultTable(suite, columns, body, tuple(_notes(suite, shown)))


def _metrics(rows: Sequence[BesideRow]) -> list[str]:
    # The suite's own metrics first, in its order; then what only others report.
    ours = metric_names([row for row in rows if row.origin == "ours"])
    return list(dict.fromkeys((*ours, *metric_names(rows))))


def _rank(line: Sequence[BesideRow]) -> tuple[int, float]:
    head = _headline(line)
    return ORIGINS.index(head.origin), 1.0 if head.value is None else -head.value


def _headline(line: Sequence[BesideRow]) -> BesideRow:
    return next((row for row in line if row.headline), line[0])


def _line(
    line: Sequence[BesideRow],
    metrics: Sequence[str],
    by_task: bool,
    narrow: bool,
    bare: Collection[str],
) -> tuple[Cell, ...]:
    first, head = line[0], _headline(line)
    scores = {row.metric: row for row in line}
    told = [first.variant] if first.variant else []
    if first.training_split not in ("", "none"):
        told.append(f"trained on {first.training_split}")
    below = (", ".join(told),) if told else ()
    return (
        Cell(first.policy, marks=_signs(line), below=below),
        *([Cell(first.task)] if by_task else []),
        *(
            _score(scores[name], head, name not in bare) if name in scores else Cell()
            for name in metrics
        ),
        _count(head),
        *([] if narrow else [Cell(first.protocol)]),
        _from(first),
    )


def _signs(line: Sequence[BesideRow]) -> tuple[str, ...]:
    # Each row says below `from` what it may be compared with.
    names = {mark for row in line for mark in row.marks} - {marks.UNLIKE.name}
    flagged = [marks.FLAGGED.name] if names - set(marks.MARKS) else []
    return (*(name for name in marks.MARKS if name in names), *flagged)


def _score(row: BesideRow, head: BesideRow, interval: bool) -> Cell:
    if not interval:
        row = replace(row, low=None, high=None)
    # The sign of a decided run stands behind its name here.
    cell = score(replace(row, marks=tuple(m for m in row.marks if m != marks.DECIDED.name)), False)
    told = row.value is not None and row.n is not None and row.n != head.n
    return cell.noted(f"n = {row.n}") if told else cell


def _count(row: BesideRow) -> Cell:
    errors = (f"+ {row.errors} err",) if row.errors else ()
    if marks.INCOMPLETE.name in row.marks or marks.DECIDED.name in row.marks:
        word, _, count = row.note.partition(" ")
        return Cell(count, below=(word, *errors))
    return Cell("?" if row.n is None else str(row.n), below=errors, value=row.n)


def _from(row: BesideRow) -> Cell:
    if row.origin == "ours":
        return Cell(f"run {short_run(row.source)}", below=(f"= {row.comparability}",))
    if row.origin == "imported":
        return Cell(row.source, below=(marks.UNLIKE.sign,))
    paper, _, table = row.source.rpartition(", ")
    return Cell(f"{marks.UNLIKE.sign} {paper_name(paper)} {table}")


def _notes(suite: str, rows: Sequence[BesideRow]) -> list[str]:
    notes = ["Rates in %, 95 % intervals; without brackets where n (?) or parts are not printed"]
    names = {mark for row in rows for mark in row.marks}
    notes += marks.legend(names - {marks.UNLIKE.name, marks.UNSTATED.name})
    if flags := sorted(names - set(marks.MARKS)):
        notes.append(
            f"{marks.FLAGGED.sign} known inconsistency ({', '.join(flags)}; --format json tells)"
        )
    if any(row.origin == "ours" for row in rows):
        notes.append("= runs of ours with equal digits may be compared with each other")
    if any(row.origin == "imported" for row in rows):
        notes.append(f"{marks.UNLIKE.sign} imported rows are never compared with ours")
    if any(row.origin == "paper" for row in rows):
        why = difference(suite)
        notes.append(f"{marks.UNLIKE.sign} papers' rows are not comparable as they stand: {why}")
    return notes
