"""Scores as tables, one a suite: our runs alone, or rows of all origins side by side."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from vlm4vla.reports import marks
from vlm4vla.reports.board.beside import ORIGINS, BesideRow, difference
from vlm4vla.reports.board.board import Board
from vlm4vla.reports.scores import ALL, Row, headline, short_run
from vlm4vla.reports.tables.numbers import score
from vlm4vla.reports.tables.table import Cell, Column, ResultTable
from vlm4vla.store.published import paper_name
from vlm4vla.suites.files import load_file, suite_names

_ROOM = 4
"""So many metrics fit into a terminal with their intervals beside them."""

POLICY, _TASK = Column("policy", fold=True, least=20), Column("task", fold=True)
_N, _PROTOCOL = Column("n", numeric=True, least=1), Column("protocol")
_RUN, _FROM = Column("run", fold=True, least=14), Column("from", fold=True, least=13)
_SETTINGS = {
    "protocol": _PROTOCOL,
    "options": Column("options", fold=True),
    "execution": Column("execute"),  # `execution` is also what the emoji suites call a metric
    "training_split": Column("trained on"),
    "comparability": Column("comparability"),
}
"""What may tell runs of a suite apart."""

Line = Mapping[Column, Cell]
"""What is known of a line, shown or not."""


def tables(board: Board, by_task: bool = False, narrow: bool = False) -> list[ResultTable]:
    """One table for every suite of the board.

    If `by_task`, with a line for each task below a run's own, and the suite's further tables. If
    `narrow`, what tells runs apart stands below the policy's name instead of in columns.
    """
    shown = []
    for suite in board.suites:
        shown.append(_table(board, suite, by_task, narrow))
        shown += _further(board, suite) if by_task else []
    return shown


def beside_tables(
    rows: Sequence[BesideRow], by_task: bool = False, narrow: bool = False
) -> list[ResultTable]:
    """One table for every suite, a line for every policy and setting, whatever its origin.

    If `by_task`, with a line for each task too. If `narrow`, with the intervals of the headline
    alone where there are many metrics.
    """
    return [
        _beside(suite, [row for row in rows if row.suite == suite], by_task, narrow)
        for suite in dict.fromkeys(row.suite for row in rows)
    ]


def _table(board: Board, suite: str, by_task: bool, narrow: bool) -> ResultTable:
    runs = board.of_suite(suite)
    metrics = _metrics([row for rows in runs for row in rows])
    extra = [
        name
        for name in _SETTINGS
        if len({getattr(rows[0], name) for rows in runs}) > 1
        or (name == "training_split" and _promises_a_split(suite))
    ]
    lines: list[Line] = []
    for rows in runs:
        line = _own_line(rows)
        if narrow and extra:
            said = ", ".join(_said(rows[0], name) for name in extra)
            line[POLICY] = replace(line[POLICY], below=(*line[POLICY].below, said))
        lines.append(line)
        if by_task:
            lines += map(_own_line, _by_task(board, rows[0].run, metrics))
    shown = _grid(
        suite, lines, _notes(runs, extra),
        [POLICY, *[_TASK] * by_task, *(_SETTINGS[name] for name in extra if not narrow),
         *map(_metric, metrics), _N, _RUN],
    )  # fmt: skip
    if narrow and len(metrics) > _ROOM:
        body = tuple(tuple(map(_interval_below, line)) for line in shown.body)
        return replace(shown, body=body)
    return shown


def _own_line(rows: Sequence[Row]) -> dict[Column, Cell]:
    first, head = rows[0], headline(rows)
    below = [first.policy_options] if first.policy_options else []
    if first.looks > 1:
        below.append(f"best of {first.looks}")
    # The sign of a decided run stands behind each of its numbers.
    own = tuple(name for name in first.marks if name != marks.DECIDED.name)
    return {
        POLICY: Cell(first.policy, marks=own, below=tuple(below)),
        _TASK: Cell(first.task),
        **{column: Cell(str(getattr(first, name))) for name, column in _SETTINGS.items()},
        **{_metric(row.metric): _own_score(row, head) for row in rows},
        _N: _count(head, head.status),
        _RUN: Cell(short_run(first.run)),
    }


def _own_score(row: Row, head: Row) -> Cell:
    cell = score(row)
    return cell if row.n == head.n else cell.noted(f"n = {row.n}")


def _beside(suite: str, rows: Sequence[BesideRow], by_task: bool, narrow: bool) -> ResultTable:
    by_task = by_task or all(row.task != ALL for row in rows)  # some tables have no mean
    groups: dict[tuple[str, ...], list[BesideRow]] = {}
    for row in rows:
        if by_task or row.task == ALL:
            key = (row.origin, row.source, row.policy, row.variant, row.training_split, row.task)
            groups.setdefault(key, []).append(row)
    shown = [row for group in groups.values() for row in group]
    # The suite's own metrics first, in its order; then what only others report.
    ours = _metrics([row for row in shown if row.origin == "ours"])
    metrics = list(dict.fromkeys((*ours, *_metrics(shown))))
    bare = metrics[1:] if narrow and len(metrics) > _ROOM else []
    return _grid(
        suite, [_beside_line(group, bare) for group in sorted(groups.values(), key=_rank)],
        _beside_notes(suite, shown),
        [POLICY, *[_TASK] * by_task, *map(_metric, metrics), _N, *[_PROTOCOL] * (not narrow),
         _FROM],
    )  # fmt: skip


def _rank(rows: Sequence[BesideRow]) -> tuple[int, float]:
    head = headline(rows)
    return ORIGINS.index(head.origin), 1.0 if head.value is None else -head.value


def _beside_line(rows: Sequence[BesideRow], bare: Collection[str]) -> Line:
    first, head = rows[0], headline(rows)
    told = [first.variant] if first.variant else []
    if first.training_split not in ("", "none"):
        told.append(f"trained on {first.training_split}")
    # Each row says below `from` what it may be compared with.
    names = {mark for row in rows for mark in row.marks} - {marks.UNLIKE.name}
    signs = [name for name in marks.MARKS if name in names]
    signs += [marks.FLAGGED.name] if names - set(marks.MARKS) else []
    missing = {marks.INCOMPLETE.name, marks.DECIDED.name} & set(head.marks)
    return {
        POLICY: Cell(first.policy, marks=tuple(signs), below=(", ".join(told),) if told else ()),
        _TASK: Cell(first.task),
        **{_metric(row.metric): _beside_score(row, head, bare) for row in rows},
        _N: _count(head, head.note if missing else ""),
        _PROTOCOL: Cell(first.protocol),
        _FROM: _from(first),
    }


def _beside_score(row: BesideRow, head: BesideRow, bare: Collection[str]) -> Cell:
    if row.metric in bare:
        row = replace(row, low=None, high=None)
    # The sign of a decided run stands behind its name here.
    cell = score(replace(row, marks=tuple(m for m in row.marks if m != marks.DECIDED.name)), False)
    told = row.value is not None and row.n is not None and row.n != head.n
    return cell.noted(f"n = {row.n}") if told else cell


def _from(row: BesideRow) -> Cell:
    if row.origin == "ours":
        return Cell(f"run {short_run(row.source)}", below=(f"= {row.comparability}",))
    if row.origin == "imported":
        return Cell(row.source, below=(marks.UNLIKE.sign,))
    paper, _, table = row.source.rpartition(", ")
    return Cell(f"{marks.UNLIKE.sign} {paper_name(paper)} {table}")


def _grid(
    suite: str, lines: Iterable[Line], notes: Iterable[str], columns: Iterable[Column]
) -> ResultTable:
    shown = tuple(columns)
    body = tuple(tuple(line.get(column, Cell()) for column in shown) for line in lines)
    return ResultTable(suite, shown, body, tuple(notes))


def _metric(name: str) -> Column:
    return Column(name, numeric=True)


def _metrics(rows: Sequence[Row] | Sequence[BesideRow]) -> list[str]:
    """The metrics of these rows, the headline first."""
    names = dict.fromkeys(row.metric for row in rows if row.headline)
    return list(names | dict.fromkeys(row.metric for row in rows))


def _count(row: Row | BesideRow, status: str) -> Cell:
    """Its n; or how many there are of how many, with the word for it, as `status` says."""
    errors = (f"+ {row.errors} err",) if row.errors else ()
    word, _, count = status.partition(" ")
    if count:
        return Cell(count, below=(word, *errors))
    return Cell("?" if row.n is None else str(row.n), below=errors, value=row.n)


def _further(board: Board, suite: str) -> list[ResultTable]:
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


def _attempted(row: Row | None) -> Cell:
    if row is None or not row.n:
        return Cell("n/a")
    cell = score(row)
    return replace(cell, interval=f"{cell.interval} n = {row.n}".strip(), below=())


def _said(row: Row, name: str) -> str:
    value, title = str(getattr(row, name)), _SETTINGS[name].name
    return value if title == name else f"{title} {value}"


def _promises_a_split(suite: str) -> bool:
    """Its name says what policies were trained on, so each line must say what its own was."""
    return suite in suite_names() and bool(load_file(suite).trained_on)


def _interval_below(cell: Cell) -> Cell:
    # Tenths of a percent do not fit into eighty columns; the other formats have all digits.
    rounded = re.sub(r"\d+\.\d(?!\d)", lambda limit: _whole(limit[0]), cell.interval)
    return replace(cell.noted(rounded), interval="") if rounded else cell


def _whole(percent: str) -> str:
    """Without its tenth, but never quite 0 or 100 for something that is not."""
    text = f"{float(percent):.0f}"
    return percent if text in ("0", "100") and float(percent) != float(text) else text


def _by_task(board: Board, run: str, metrics: Sequence[str]) -> list[list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in board.rows:
        if row.run == run and row.task != ALL and row.metric in metrics:
            found.setdefault(row.task, []).append(row)
    return list(found.values())


def _notes(runs: Sequence[Sequence[Row]], extra: Sequence[str]) -> list[str]:
    rows = [row for run in runs for row in run]
    first, kinds = rows[0], {row.kind for row in rows}
    said = {"rate": "Rates in % (Wilson)", "mean": "means (BCa bootstrap)"}
    notes = [f"{' and '.join(said[kind] for kind in said if kind in kinds)} with 95 % intervals"]
    chances = {row.metric: row.chance for row in rows if row.chance is not None}
    for name, chance in chances.items():
        notes[0] += f"; chance for {name} {100 * chance:.1f}"
    notes += marks.legend({name for row in rows for name in row.marks})
    if replaced := dict.fromkeys(text for row in rows for text in row.stand_ins):
        notes.append(f"{marks.STAND_IN.sign} {', '.join(replaced)}")
    same = {"options": first.options, "comparability": first.comparability}
    if first.protocol != "default":
        same["protocol"] = first.protocol
    notes += [f"{name} {value}" for name, value in same.items() if name not in extra and value]
    return notes


def _beside_notes(suite: str, rows: Sequence[BesideRow]) -> list[str]:
    notes = ["Rates in %, 95 % intervals; without brackets where n (?) or parts are not printed"]
    names = {mark for row in rows for mark in row.marks}
    notes += marks.legend(names - {marks.UNLIKE.name, marks.UNSTATED.name})
    if flags := sorted(names - set(marks.MARKS)):
        notes.append(
            f"{marks.FLAGGED.sign} known inconsistency ({', '.join(flags)}; --format json tells)"
        )
    origins = {row.origin for row in rows}
    if "ours" in origins:
        notes.append("= runs of ours with equal digits may be compared with each other")
    if "imported" in origins:
        notes.append(f"{marks.UNLIKE.sign} imported rows are never compared with ours")
    if "paper" in origins:
        why = difference(suite)
        notes.append(f"{marks.UNLIKE.sign} papers' rows are not comparable as they stand: {why}")
    return notes
