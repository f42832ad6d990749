"""The marks of a run: when they hold, and that every report shows them."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest
from markupsafe import escape

from tests.reports.conftest import FACTS, MARKED, emoji_run, exhibit, fill
from vlm4vla.api import report
from vlm4vla.reports import marks
from vlm4vla.reports.board.beside import gather
from vlm4vla.reports.board.board import board
from vlm4vla.reports.board.leaderboard import beside_tables
from vlm4vla.reports.correlation.correlation import correlations, sentences
from vlm4vla.reports.figures.correlation import scatter
from vlm4vla.reports.tables import text as written
from vlm4vla.reports.tables.selection import Selection
from vlm4vla.reports.tables.table import Exhibit
from vlm4vla.store import Store
from vlm4vla.store.library import Score, Source

SCORES = {"qwen3vl-2b": 0.5, "qwen3vl-4b": 0.6, "qwen3vl-8b": 0.8}


def test_each_mark_holds_where_its_fact_does_and_nowhere_else(marked):
    found = {row.run[-8:]: set(row.marks) for row in board(marked).rows}
    assert found.pop("00000000") == set()
    assert found == {f"{i:08x}": {name} for i, name in enumerate(MARKED, 1)}


def test_the_looks_may_be_stated_later_and_the_most_count():
    run = emoji_run("a", provenance={"selected_from": 3})
    assert marks.looks(run) == 3
    assert marks.looks(replace(run, continued=({"selected_from": 9}, {"command": "x"}))) == 9
    assert marks.looks(emoji_run("a")) == 1
    assert marks.looks(emoji_run("a", provenance={"selected_from": "many"})) == 1


def test_a_stand_in_is_named(store):
    facts = {**FACTS, "stand_in.robot": "panda for widowx", "stand_in": "boxes", "standing": "x"}
    assert marks.stand_ins(emoji_run("a", comparability=facts)) == (
        "robot: panda for widowx",
        "boxes",
    )


@pytest.mark.parametrize("beside_others", [False, True])
def test_every_written_format_carries_every_mark(marked, beside_others):
    found = board(marked)
    if beside_others:
        rows, _ = gather(marked, Selection(imported=True))
        written_of = Exhibit(tuple(beside_tables(rows)), rows)
        # There every row says for itself what it may be compared with.
        shown = set(MARKED) - {"other comparability"}
    else:
        written_of, shown = exhibit(found), set(MARKED)
    as_csv, as_json = written.csv_text(written_of), written.json_text(written_of)
    (table,) = written_of.tables
    notes = "; ".join(table.notes)
    for name in shown:
        assert marks.MARKS[name].meaning in notes
        policy = MARKED[name].get("policy", name.replace(" ", "-"))
        (line,) = (line for line in table.body if line[0].text.startswith(policy))
        text = " ".join(part for cell in line for part in cell.lines)
        assert marks.MARKS[name].sign in text
    assert set(MARKED) <= {n for one in json.loads(as_json) for n in one["marks"]}
    listed = {n for one in csv.DictReader(io.StringIO(as_csv)) for n in one["marks"].split(";")}
    assert set(MARKED) <= listed
    for text in (written.markdown(written_of), written.latex(written_of)):
        assert "best of 7" in text or beside_others
    assert "panda for widowx" in notes or beside_others


def test_the_page_carries_every_mark(marked, tmp_path):
    report(tmp_path / "r.html", marked)
    text = (tmp_path / "r.html").read_text()
    for mark in (marks.MARKS[name] for name in MARKED):
        assert str(escape(mark.meaning)) in text


def test_a_correlation_carries_the_marks_of_its_policies(store):
    scores = [Score(n, n, "my VQA", "accuracy", v, n=100) for n, v in SCORES.items()]
    with Store.open(store.name, create=True) as opened:
        library = opened.library
        library.add(Source("s1", "imported", "csv", "scores.csv", "00"), scores=scores)
    for number, policy in enumerate(SCORES):
        told = {"provenance": {"selected_from": 3}} if policy == "qwen3vl-4b" else {}
        fill(store, emoji_run(policy, code=f"{number:08x}", **told), 24, 8 * (number + 1))
    (found,) = correlations(["my VQA"], store=store)
    labels = [point.label for point in found.points]
    assert labels == ["qwen3vl-2b", "qwen3vl-4b‡", "qwen3vl-8b"]
    assert f"! ‡ {marks.BEST.meaning}" in sentences(found)
    drawing = scatter(found).svg
    assert "qwen3vl-4b‡<" in drawing and "qwen3vl-8b‡" not in drawing


def test_no_mark_no_legend(store):
    fill(store, emoji_run("plain", code="00000000"), 24, 24)
    (grid,) = exhibit(board(store)).tables
    assert not any(mark.meaning in "; ".join(grid.notes) for mark in marks.MARKS.values())
