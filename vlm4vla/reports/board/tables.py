"""A leaderboard as tables: one a suite, and those of what its episodes count besides."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from vlm4vla.reports import marks
from vlm4vla.reports.board.beside import BesideRow
from vlm4vla.reports.board.board import Board
from vlm4vla.reports.scores import ALL, Row, short_run
from vlm4vla.reports.tables.numbers import score
from vlm4vla.reports.tables.table import Cell, Column, ResultTable
from vlm4vla.suites.files import load_file, suite_names

NARROW = 4
"""More metrics than that fit into eighty columns only with their intervals below them."""

POLICY, TASK = Column("policy", fold=True, least=20), Column("task", fold=True)
RUN = Column("run", fold=True, least=14)
_SETTINGS = ("protocol", "options", "execution", "training_split", "comparability")
_NAMES = {"training_split": "trained on", "execution": "execute"}
"""`execution` is also what the emoji suites call a metric."""


def tables(board: Board, by_task: bool = False, narrow: bool = False) -> list[ResultTable]:
    """One table for every suite of the board.

    Args:
        board: what to show.
        by_task: a line for each task below a run's own, and the suite's further tables.
        narrow: put what tells runs apart below the policy's name instead of in columns.
    """
    shown = []
    for suite in board.suites:
        shown.append(_table(board, suite, by_task, narrow))
        shown += further(board, suite) if by_task else []
    return shown


def further(board: Board, suite: str) -> list[ResultTable]:
    """The suite's further tables (a chain's subtasks), a line for each subtask, a column a run."""
    runs = board.of_suite(suite)
    metrics = {row.metric for rows in runs for row in rows}
    rows = [row for row in board.rows if row.suite == suite and row.metric not in metrics]
    shown = []
    for name in dict.fromkeys(row.metric for row in rows):
        cells = {(row.task, row.run): row for row in rows if row.metric == name}
        first = [line[0] for line in runs if any(run == line[0].run for _, run in cells)]
        body = [
            (Cell(task), *(_attempted(cells.get((task, one.run))) for one in first))
            for task in dict.fromkeys(task for task, _ in cells)
        ]
        heads = [f"{one.policy}{marks.signs(one.marks)} {short_run(one.run)}" for one in first]
        notes = (f"Rates in % (Wilson) of the episodes that came to this {name}, which n counts",)
        told = Column(name, fold=True, least=24)
        columns = (told, *(Column(head, numeric=True, fold=True) for head in heads))
        shown.append(ResultTable(f"{suite}: each {name}", columns, tuple(body), notes))
    return shown


def headline(rows: Sequence[Row]) -> Row:
    """Of the rows of one run, the metric that ranks."""
    return next((row for row in rows if row.headline), rows[0])


def metric_names(rows: Sequence[Row] | Sequence[BesideRow]) -> list[str]:
    """The metrics of these rows, the headline first."""
    names = dict.fromkeys(row.metric for row in rows if row.headline)
    return list(names | dict.fromkeys(row.metric for row in rows))


def _attempted(row: Row | None) -> Cell:
    if row is None or not row.n:
        return Cell("n/a")
    cell = score(row)
    return replace(cell, interval=f"{cell.interval} n = {row.n}".strip(), below=())


def _table(board: Board, suite: str, by_task: bool, narrow: bool) -> ResultTable:
    runs = board.of_suite(suite)
    first = [rows[0] for rows in runs]
    metrics = metric_names([row for rows in runs for row in rows])
    extra = [
        name
        for name in _SETTINGS
        if len({getattr(row, name) for row in first}) > 1
        or (name == "training_split" and _promises_a_split(suite))
    ]
    told = [] if narrow else extra
    columns = (
        POLICY,
        *([TASK] if by_task else []),
        *(Column(_NAMES.get(name, name), fold=name == "options") for name in told),
        *(Column(name, numeric=True) for name in (*metrics, "n")),
        RUN,
    )
    body: list[tuple[Cell, ...]] = []
    for rows in runs:
        policy, *line = _line(rows, by_task, told, metrics)
        if narrow and extra:
            said = ", ".join(_said(rows[0], name) for name in extra)
            policy = replace(policy, below=(*policy.below, said))
        body.append((policy, *line))
        if by_task:
            by = _by_task(board, rows[0].run, metrics)
            body += [_line(lines, True, told, metrics) for lines in by]
    if narrow and len(metrics) > NARROW:
        body = [tuple(map(_interval_below, line)) for line in body]
    return ResultTable(suite, columns, tuple(body), tuple(_notes(runs, extra)))


def _line(
    rows: Sequence[Row], by_task: bool, told: Sequence[str], metrics: Sequence[str]
) -> tuple[Cell, ...]:
    first, head = rows[0], headline(rows)
    scores = {row.metric: _with_own_count(row, head) for row in rows}
    below = [first.policy_options] if first.policy_options else []
    if first.looks > 1:
        below.append(f"best of {first.looks}")
    # The sign of a decided run stands behind each of its numbers.
    own = tuple(name for name in first.marks if name != marks.DECIDED.name)
    return (
        Cell(first.policy, marks=own, below=tuple(below)),
        *([Cell(first.task)] if by_task else []),
        *(Cell(str(getattr(first, name))) for name in told),
        *(scores.get(name, Cell()) for name in metrics),
        _count(head),
        Cell(short_run(first.run)),
    )


def _said(row: Row, name: str) -> str:
    value = str(getattr(row, name))
    return f"{_NAMES[name]} {value}" if name in _NAMES else value


def _promises_a_split(suite: str) -> bool:
    """Its name says what policies were trained on, so each line must say what its own was."""
    return suite in suite_names() and bool(load_file(suite).trained_on)


def _with_own_count(row: Row, head: Row) -> Cell:
    cell = score(row)
    return cell if row.n == head.n else cell.noted(f"n = {row.n}")


def _count(row: Row) -> Cell:
    errors = (f"+ {row.errors} err",) if row.errors else ()
    if row.complete:
        return Cell(str(row.n), below=errors, value=row.n)
    word = "decided" if row.decided else "incomplete"
    return Cell(f"{row.finished}/{row.planned}", below=(word, *errors))


def _whole(percent: str) -> str:
    """Without its tenth, but never quite 0 or 100 for something that is not."""
    text = f"{float(percent):.0f}"
    return percent if text in ("0", "100") and float(percent) != float(text) else text


def _interval_below(cell: Cell) -> Cell:
    # Tenths of a percent do not fit into eighty columns; the other formats have all digits.
    rounded = re.sub(r"\d+\.\d(?!\d)", lambda limit: _whole(limit[0]), cell.interval)
    return replace(cell.noted(rounded), interval="") if rounded else cell


def _by_task(board: Board, run: str, metrics: Sequence[str]) -> list[list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in board.rows:
        if row.run == run and row.task != ALL and row.metric in metrics:
            found.setdefault(row.task, []).append(row)
    return list(found.values())


def _notes(runs: Sequence[Sequence[Row]], extra: Sequence[str]) -> list[str]:
    rows = [row for run in runs for row in run]
    first = rows[0]
    notes = []
    rates = any(row.kind == "rate" for row in rows)
    means = any(row.kind == "mean" for row in rows)
    kinds = [*(["Rates in % (Wilson)"] * rates), *(["means (BCa bootstrap)"] * means)]
    notes.append(f"{' and '.join(kinds)} with 95 % intervals")
    chances = {row.metric: row.chance for row in rows if row.chance is not None}
    for name, chance in chances.items():
        notes[0] += f"; chance for {name} {100 * chance:.1f}"
    notes += marks.legend({name for row in rows for name in row.marks})
    replaced = dict.fromkeys(text for row in rows for text in row.stand_ins)
    if replaced:
        notes.append(f"{marks.STAND_IN.sign} {', '.join(replaced)}")
    same = {"options": first.options, "comparability": first.comparability}
    if first.protocol != "default":
        same["protocol"] = first.protocol
    notes += [f"{name} {value}" for name, value in same.items() if name not in extra and value]
    return notes
