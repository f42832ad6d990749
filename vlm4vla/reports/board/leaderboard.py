"""The leaderboard: a table a suite, of our runs alone or of rows of all origins."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain

from vlm4vla.reports import marks
from vlm4vla.reports.board.beside import ORIGINS, BesideRow, difference, gather
from vlm4vla.reports.board.board import Board, board
from vlm4vla.reports.board.control import beside_controls
from vlm4vla.reports.scores import ALL, Row, grouped, headline, short_run
from vlm4vla.reports.tables.numbers import interval_below, less_control, score
from vlm4vla.reports.tables.selection import Selection
from vlm4vla.reports.tables.table import Cell, Column, Exhibit, ResultTable
from vlm4vla.store import Store
from vlm4vla.store.published import paper_name
from vlm4vla.suites.files import load_file, suite_names

_ROOM = 4
"""So many numbers fit into a terminal with their intervals beside them."""

POLICY, _TASK = Column("policy", fold=True, least=20), Column("task", fold=True)
_N, _PROTOCOL = Column("n", numeric=True, least=1), Column("protocol")
_CONTROL = Column("less control", numeric=True)
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


def leaderboard_exhibit(store: Store | None, asked: Selection) -> Exhibit:
    """Our runs; beside the papers' and imported rows where asked for. Raises UnknownName."""
    if asked.published or asked.imported or asked.papers:
        rows, warnings = gather(store, asked)
        shown = beside_tables(rows, asked.by_task, asked.narrow)
        return Exhibit(tuple(shown), rows, BesideRow, warnings=warnings)
    assert store is not None, "needs_store"
    found = beside_controls(store, board(store, asked.suites, asked.policies, asked.all_runs))
    remarks = []
    if not found.rows:
        remarks.append("The store holds no runs yet: bench run --policy expert --suite toy")
    if found.older:
        remarks.append(f"{found.older} older or shorter runs are not shown; --all shows them.")
    shown = tables(found, asked.by_task, asked.narrow)
    return Exhibit(tuple(shown), found.rows, Row, warnings=found.warnings, remarks=tuple(remarks))


def tables(found: Board, by_task: bool = False, narrow: bool = False) -> list[ResultTable]:
    """One table for every suite of the board.

    If `by_task`, with a line for each task below a run's own, and the suite's further tables. If
    `narrow`, what tells runs apart stands below the policy's name instead of in columns.
    """
    shown = []
    for suite in found.suites:
        shown.append(_table(found, suite, by_task, narrow))
        shown += _further(found, suite) if by_task else []
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


def _table(found: Board, suite: str, by_task: bool, narrow: bool) -> ResultTable:
    runs = found.of_suite(suite)
    metrics = _metrics([row for rows in runs for row in rows])
    # A suite that names what policies are trained on wants to hear it of each.
    extra = [
        name
        for name in _SETTINGS
        if len({getattr(rows[0], name) for rows in runs}) > 1
        or (name == "training_split" and suite in suite_names() and load_file(suite).trained_on)
    ]
    control = [_CONTROL] * any(rows[0].control for rows in runs)
    lines: list[Line] = []
    for rows in runs:
        line = _own_line(rows)
        if narrow and extra:
            said = ", ".join(filter(None, (_said(rows[0], name) for name in extra)))
            line[POLICY] = replace(line[POLICY], below=(*line[POLICY].below, said))
        lines.append(line)
        if by_task:
            own = [row for row in found.rows if row.run == rows[0].run and row.metric in metrics]
            lines += map(_own_line, grouped([row for row in own if row.task != ALL], "task"))
    shown = _grid(
        suite, lines, _notes(runs, extra),
        [POLICY, *[_TASK] * by_task, *(_SETTINGS[name] for name in extra if not narrow),
         *map(_metric, metrics), *control, _N, _RUN],
    )  # fmt: skip
    if narrow and len((*metrics, *control)) > _ROOM:
        body = tuple(tuple(map(interval_below, line)) for line in shown.body)
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
        _CONTROL: less_control(head),
        _N: _count(head, head.status),
        _RUN: Cell(short_run(first.run)),
    }


def _own_score(row: Row, head: Row) -> Cell:
    cell = score(row)
    return cell if row.n == head.n else cell.noted(f"n = {row.n}")


def _beside(suite: str, rows: Sequence[BesideRow], by_task: bool, narrow: bool) -> ResultTable:
    by_task = by_task or all(row.task != ALL for row in rows)  # some tables have no mean
    groups = grouped(
        (row for row in rows if by_task or row.task == ALL),
        "origin", "source", "policy", "variant", "training_split", "task",
    )  # fmt: skip
    shown = list(chain.from_iterable(groups))
    # The suite's own metrics first, in its order; then what only others report.
    ours = _metrics([row for row in shown if row.origin == "ours"])
    metrics = list(dict.fromkeys((*ours, *_metrics(shown))))
    bare = metrics[1:] if narrow and len(metrics) > _ROOM else []
    return _grid(
        suite, [_beside_line(group, bare) for group in sorted(groups, key=_rank)],
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


def _further(found: Board, suite: str) -> list[ResultTable]:
    """The suite's further tables (a chain's subtasks), a line for each subtask, a column a run."""
    runs = found.of_suite(suite)
    metrics = {row.metric for rows in runs for row in rows}
    rows = [row for row in found.rows if row.suite == suite and row.metric not in metrics]
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


def _notes(runs: Sequence[Sequence[Row]], extra: Sequence[str]) -> list[str]:
    rows = [row for run in runs for row in run]
    first, kinds = rows[0], {row.kind for row in rows}
    said = {"rate": "Rates in % (Wilson)", "mean": "means (BCa bootstrap)"}
    notes = [f"{' and '.join(said[kind] for kind in said if kind in kinds)} with 95 % intervals"]
    chances = {row.metric: row.chance for row in rows if row.chance is not None}
    for name, chance in chances.items():
        notes[0] += f"; chance for {name} {100 * chance:.1f}"
    if tests := dict.fromkeys(row.control_test for row in rows if row.headline and row.control):
        notes.append(f"less control: paired by episode ({', '.join(tests)})")
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
