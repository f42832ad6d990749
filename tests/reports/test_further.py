"""A chain's subtasks, each over the chains that came to it, and what policies were trained on."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest
from rich.console import Console

from tests.bench import bench
from tests.reports.conftest import exhibit
from vlm4vla.cli import screen
from vlm4vla.core.episode import EpisodeKey
from vlm4vla.core.errors import ErrorKind
from vlm4vla.core.result import EpisodeResult, Metric, Outcome
from vlm4vla.reports.board.board import board
from vlm4vla.reports.compare.comparison import shared_metrics
from vlm4vla.reports.compare.contrast import Terms
from vlm4vla.reports.tables import text as written
from vlm4vla.reports.tables.table import Exhibit
from vlm4vla.store import RunRecord, Store

METRICS = (
    Metric(name="length", kind="mean", of="solved", headline=True),
    *(Metric(name=f"sr{k}", kind="rate", of=f"solved_{k}") for k in (1, 2)),
    *(Metric(name=n, kind="rate", of=n, table="subtask") for n in ("open", "close", "lift")),
)
CHAINS = ((("open", 1), ("close", 1)), (("open", 1), ("close", 0)), (("open", 0),))
"""Of each chain the subtasks it came to, and whether they were solved."""


def heads(table):
    return [column.name for column in table.columns]


def record(policy="vla", split="ABC", chains=3, suite="calvin_debug"):
    return RunRecord(
        id=f"{suite}-{policy}", policy=policy, suite=suite, simulator="calvin", metrics=METRICS,
        plan=tuple(EpisodeKey(suite, "chain", i) for i in range(chains)), training_split=split,
    )  # fmt: skip


def result(key, chain):
    solved = sum(done for _, done in chain)
    return EpisodeResult(
        key, Outcome.SUCCESS if solved == 2 else Outcome.FAILURE,
        stages={"solved_1": solved >= 1, "solved_2": solved >= 2},
        measures={"solved": float(solved), "open": None, "close": None, "lift": None}
        | {name: float(done) for name, done in chain},
    )  # fmt: skip


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "bench.db", create=True) as opened:
        yield opened


def fill(store, run, chains=CHAINS):
    store.begin(run)
    for key, chain in zip(run.plan, chains, strict=False):
        store.record(run.id, result(key, chain))


def test_a_subtasks_denominator_is_its_attempts(store):
    fill(store, record())
    rows = {(row.task, row.metric): row for row in board(store).rows}
    assert (rows["open", "subtask"].k, rows["open", "subtask"].n) == (2, 3)
    assert (rows["close", "subtask"].k, rows["close", "subtask"].n) == (1, 2)
    assert rows["lift", "subtask"].n == 0
    assert rows["lift", "subtask"].value is None
    length = rows["all", "length"]
    assert length.value == pytest.approx(1.0)
    assert (rows["all", "sr1"].value, rows["all", "sr2"].value) == (2 / 3, 1 / 3)
    assert length.low < 1 < length.high


def test_a_chain_that_ended_in_an_error_is_no_attempt_at_anything(store):
    run = record(chains=4)
    fill(store, run)
    store.record(run.id, EpisodeResult(run.plan[3], Outcome.ERROR, error=ErrorKind.CRASH))
    rows = {(row.task, row.metric): row for row in board(store).rows}
    assert rows["open", "subtask"].n == 3
    assert rows["open", "subtask"].errors == 0
    assert rows["open", "subtask"].bound_low is None
    assert rows["all", "sr1"].errors == 1


def test_subtasks_are_a_table_of_their_own_and_no_columns(store):
    fill(store, record())
    fill(store, record("other", "ABCD"), CHAINS[:1])
    (plain,) = exhibit(board(store)).tables
    assert "subtask" not in heads(plain)
    assert "open" not in heads(plain)
    main, subtasks = exhibit(board(store), by_task=True).tables
    assert "subtask" not in heads(main)
    assert [line[0].text for line in subtasks.body] == ["open", "close", "lift"]
    cells = {line[0].text: [cell.line for cell in line[1:]] for line in subtasks.body}
    assert cells["open"][0].startswith("66.7 [")
    assert cells["open"][0].endswith("n = 3")
    assert cells["open"][1].startswith("(100.0 [")  # of a run that lacks episodes
    assert cells["lift"] == ["n/a", "n/a"]
    console = Console(width=60, file=io.StringIO(), markup=False)
    console.print(screen.rendered(Exhibit((subtasks,))))
    for word in ("open", "close", "66.7", "n = 3", "(100.0"):
        assert word in console.file.getvalue(), "folded where there is little room, never cut"
    for text in (written.markdown(Exhibit((subtasks,))), written.latex(Exhibit((subtasks,)))):
        assert "66.7" in text
    rows = list(csv.DictReader(io.StringIO(written.csv_text(exhibit(board(store))))))
    assert ["3", "2"] in [[r["n"], r["k"]] for r in rows if r["task"] == "open"]


def test_a_suite_that_promises_a_split_shows_every_policys_own(store):
    fill(store, record(split="none"))
    (grid,) = exhibit(board(store)).tables
    assert grid.body[0][heads(grid).index("trained on")].text == "none"
    (narrow,) = exhibit(board(store), narrow=True).tables
    assert "trained on none" in narrow.body[0][0].below


def test_other_suites_show_the_split_only_where_it_differs(store):
    fill(store, record(suite="mine"))
    assert "trained on" not in heads(exhibit(board(store)).tables[0])
    fill(store, record("other", "ABCD", suite="mine"))
    assert "trained on" in heads(exhibit(board(store)).tables[0])


def test_runs_of_other_renderers_are_not_compared(store):
    tiny = replace(record(), comparability={"renderer": "TinyRenderer"})
    egl = replace(record("other"), comparability={"renderer": "EGL"})
    fill(store, tiny)
    fill(store, egl)
    assert any("renderer (EGL / TinyRenderer)" in warning for warning in board(store).warnings)


def test_a_comparison_is_about_columns_not_about_subtasks():
    found = shared_metrics((record(), record("other")), Terms())
    assert [metric.name for metric in found] == ["length", "sr1", "sr2"]


def test_one_runs_page_has_both_tables(store):
    fill(store, record())
    done = bench("show", "calvin_debug-vla", "--store", store.name)
    assert done.code == 0, done.err
    lines = {line.split()[0]: line.split() for line in done.out.splitlines() if line.split()}
    assert lines["open"][-1] == "3"
    assert lines["close"][1] == "50.0"
    assert lines["lift"][1:] == ["n/a", "0"]
