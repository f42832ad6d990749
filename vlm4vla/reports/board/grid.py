"""A leaderboard as text cells, one grid a suite: what all printed formats share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from vlm4vla.reports import marks
from vlm4vla.reports.board.leaderboard import Board
from vlm4vla.reports.scores import ALL, Row
from vlm4vla.suites.suite import load_file, suite_names

NARROW = 4
"""More metrics than that fit into eighty columns only with their intervals below them."""


@dataclass(frozen=True)
class Cell:
    """A main line, and perhaps smaller ones below it."""

    text: str
    below: tuple[str, ...] = ()


@dataclass(frozen=True)
class Grid:
    """One table."""

    suite: str
    header: tuple[str, ...]
    numeric: tuple[bool, ...]
    """Which columns align to the right."""
    body: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...]


def grids(board: Board, by_task: bool = False, narrow: bool = False) -> list[Grid]:
    """One grid for every suite of the board.

    Args:
        board: what to show.
        by_task: a line for each task below a run's own.
        narrow: put what tells runs apart below the policy's name instead of in columns.
    """
    found = []
    for suite in board.suites:
        found.append(_grid(board, suite, by_task, narrow))
        found += further(board, suite) if by_task else []
    return found


def further(board: Board, suite: str) -> list[Grid]:
    """The suite's further tables (a chain's subtasks), a line for each subtask, a column a run."""
    runs = board.of_suite(suite)
    columns = {row.metric for rows in runs for row in rows}
    rows = [row for row in board.rows if row.suite == suite and row.metric not in columns]
    found = []
    for table in dict.fromkeys(row.metric for row in rows):
        cells = {(row.task, row.run): row for row in rows if row.metric == table}
        shown = [line[0] for line in runs if any(run == line[0].run for _, run in cells)]
        body = []
        for task in dict.fromkeys(task for task, _ in cells):
            line = [_attempted(cells.get((task, one.run))) for one in shown]
            body.append((Cell(task), *line))
        labels = [f"{one.policy}{marks.signs(one.marks)} {short_run(one.run)}" for one in shown]
        notes = (f"Rates in % (Wilson) of the episodes that came to this {table}, which n counts",)
        title = f"{suite}: each {table}"
        numeric = (False, *(True for _ in labels))
        found.append(Grid(title, (table, *labels), numeric, tuple(body), notes))
    return found


def _attempted(row: Row | None) -> Cell:
    return Cell("n/a") if row is None or not row.n else Cell(f"{score(row).text} n = {row.n}")


def score(row: Row, digits: int | None = None) -> Cell:
    """A value with its interval, e.g. `95.8 [80, 99]`: percent for rates, units for means.

    Args:
        row: what to print.
        digits: decimals of the limits; by default none for rates below a thousand episodes, whose
            interval is wider than a percent.
    """
    if row.value is None or row.low is None or row.high is None:
        return Cell("n/a")
    factor, decimals = (100, 1) if row.kind == "rate" else (1, 2)
    if digits is None:
        digits = decimals if row.kind == "mean" or row.n >= 1000 else 0
    low, high = (f"{factor * limit:.{digits}f}" for limit in (row.low, row.high))
    interval = f"≤ {high}" if row.k == 0 and row.low == 0.0 else f"{low}, {high}"
    text = f"{factor * row.value:.{decimals}f} [{interval}]"
    if row.decided:
        text += marks.DECIDED.sign
    elif not row.complete:
        text = f"({text})"
    if row.bound_low is None or row.bound_high is None:
        return Cell(text)
    bounds = f"err {factor * row.bound_low:.{digits}f} to {factor * row.bound_high:.{digits}f}"
    return Cell(text, (bounds,))


def short_run(run: str) -> str:
    """The end of a default id, which is enough to name it; any other id whole."""
    found = re.search(r"(?<=-)[0-9a-f]{8}(-\d+)?$", run)
    return found[0] if found else run


def _grid(board: Board, suite: str, by_task: bool, narrow: bool) -> Grid:
    runs = board.of_suite(suite)
    first = [rows[0] for rows in runs]
    metrics = _metric_names(runs)
    extra = [
        name
        for name in ("protocol", "options", "execution", "training_split", "comparability")
        if len({getattr(row, name) for row in first}) > 1
        or (name == "training_split" and _promises_a_split(suite))
    ]
    # `execution` is also what the emoji suites call a metric.
    names = {"training_split": "trained on", "execution": "execute"}
    columns = [] if narrow else extra
    words = ["policy", *(["task"] if by_task else []), *(names.get(name, name) for name in columns)]
    header = [*words, *metrics, "n", "run"]
    numeric = [False] * len(words) + [True] * (len(metrics) + 1) + [False]
    body: list[tuple[Cell, ...]] = []
    for rows in runs:
        line = _line(rows, by_task, columns, metrics)
        if narrow and extra:
            told = ", ".join(_said(rows[0], name) for name in extra)
            line = (Cell(line[0].text, (*line[0].below, told)), *line[1:])
        body.append(line)
        if by_task:
            by = _by_task(board, rows[0].run, metrics)
            body += [_line(lines, True, columns, metrics) for lines in by]
    if narrow and len(metrics) > NARROW:
        body = [tuple(_interval_below(cell) for cell in line) for line in body]
    return Grid(
        suite,
        tuple(header),
        tuple(numeric),
        tuple(body),
        tuple(_notes(runs, extra)),
    )


def _line(
    rows: Sequence[Row], by_task: bool, extra: Sequence[str], metrics: Sequence[str]
) -> tuple[Cell, ...]:
    first = rows[0]
    headline = next((row for row in rows if row.headline), first)
    scores = {row.metric: _with_own_count(row, headline) for row in rows}
    told = [first.policy_options] if first.policy_options else []
    if first.looks > 1:
        told.append(f"best of {first.looks}")
    # The sign of a decided run stands behind each of its numbers.
    signs = marks.signs(set(first.marks) - {marks.DECIDED.name})
    return (
        Cell(first.policy + signs, tuple(told)),
        *([Cell(first.task)] if by_task else []),
        *(Cell(str(getattr(first, name))) for name in extra),
        *(scores.get(name, Cell("")) for name in metrics),
        _count(headline),
        Cell(short_run(first.run)),
    )


def _said(row: Row, name: str) -> str:
    value = str(getattr(row, name))
    words = {"execution": "execute", "training_split": "trained on"}
    return f"{words[name]} {value}" if name in words else value


def _promises_a_split(suite: str) -> bool:
    """Its name says what policies were trained on, so each line must say what its own was."""
    return suite in suite_names() and bool(load_file(suite).trained_on)


def _with_own_count(row: Row, headline: Row) -> Cell:
    cell = score(row)
    if row.n == headline.n:
        return cell
    return Cell(cell.text, (f"n = {row.n}", *cell.below))


def _count(row: Row) -> Cell:
    errors = (f"+ {row.errors} err",) if row.errors else ()
    if row.complete:
        return Cell(str(row.n), errors)
    word = "decided" if row.decided else "incomplete"
    return Cell(f"{row.finished}/{row.planned}", (word, *errors))


def _whole(percent: str) -> str:
    """Without its tenth, but never quite 0 or 100 for something that is not."""
    text = f"{float(percent):.0f}"
    return percent if text in ("0", "100") and float(percent) != float(text) else text


def _interval_below(cell: Cell) -> Cell:
    value, opens, interval = cell.text.partition(" [")
    if not opens:
        return cell
    # Tenths of a percent do not fit into eighty columns; the other formats have all digits.
    rounded = re.sub(r"\d+\.\d(?!\d)", lambda limit: _whole(limit[0]), interval)
    return Cell(value, (opens.strip() + rounded, *cell.below))


def _by_task(board: Board, run: str, metrics: Sequence[str]) -> list[list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in board.rows:
        if row.run == run and row.task != ALL and row.metric in metrics:
            found.setdefault(row.task, []).append(row)
    return list(found.values())


def _metric_names(runs: Sequence[Sequence[Row]]) -> list[str]:
    rows = [row for run in runs for row in run]
    names = dict.fromkeys(row.metric for row in rows if row.headline)
    return list(names | dict.fromkeys(row.metric for row in rows))


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
