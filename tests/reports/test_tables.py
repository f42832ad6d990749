"""One table, every writer; and tables that others add."""

import csv
import io
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from tests.reports.conftest import exhibit
from vlm4vla.api import report
from vlm4vla.cli import screen
from vlm4vla.core.errors import BadInput, UnknownName
from vlm4vla.reports import marks
from vlm4vla.reports.board.board import board
from vlm4vla.reports.tables import registry, text
from vlm4vla.reports.tables.numbers import MEAN, PERCENT, estimate_cell, interval_text, score
from vlm4vla.reports.tables.registry import NothingToShow, table_maker
from vlm4vla.reports.tables.selection import Selection
from vlm4vla.reports.tables.table import Cell, Column, Exhibit, ResultTable, columns, words
from vlm4vla.stats.intervals import Estimate
from vlm4vla.store import Store

GUIDE = Path(__file__).parents[2] / "docs" / "add_a_table.md"
SHOWN = Exhibit(
    (
        ResultTable(
            "A & B",
            columns("policy", "score", "n", numeric=("score", "n")),
            (
                (
                    Cell("a_b", marks=("privileged",), below=("x=1",)),
                    estimate_cell(Estimate(0.5, 0.25, 0.75), PERCENT),
                    Cell("8", value=8),
                ),
                (Cell("c"), estimate_cell(None, PERCENT), Cell("0", value=0)),
            ),
            ("a note",),
        ),
    ),
    warnings=("beware",),
)


def printed(shown, width=80):
    console = Console(width=width, file=io.StringIO(), markup=False)
    console.print(screen.rendered(shown))
    return console.file.getvalue()


def test_every_writer_tells_the_same():
    for written in (printed(SHOWN), text.markdown(SHOWN), text.latex(SHOWN)):
        plain = written.replace("\\", "").replace("{[}", "[")
        for told in ("50.0 [25, 75]", "x=1", "n/a", "a note", "beware"):
            assert told in plain, written
    assert "a_b†" in printed(SHOWN) and r"a\_b$^\dagger$" in text.latex(SHOWN)
    assert r"A \& B" in text.latex(SHOWN)


def test_a_table_without_records_gives_programs_its_own_digits():
    first, second = json.loads(text.json_text(SHOWN))
    assert (first["score"], first["score_low"], first["score_high"]) == (0.5, 0.25, 0.75)
    assert first["policy_marks"] == ["privileged"] and first["n"] == 8
    assert second["score"] == "n/a" and second["table"] == "A & B"
    one, other = csv.DictReader(io.StringIO(text.csv_text(SHOWN)))
    assert (one["score_low"], one["policy_marks"], other["score_low"]) == ("0.25", "privileged", "")


def test_json_is_what_every_program_reads():
    assert json.loads(text.strict_json({"a": [float("nan"), float("inf"), 1.5]})) == {
        "a": [None, None, 1.5]
    }


@dataclass(frozen=True)
class Counted:
    name: str
    steps: tuple[int, ...]
    share: float
    n: np.int64


def test_records_of_others_may_hold_what_numpy_counts():
    lines = [Counted("a", (1, 2), float("nan"), np.int64(7)), Counted("b", (), 0.5, np.int64(8))]
    shown = Exhibit((ResultTable("A", columns("name"), (words("a"),)),), lines, Counted)
    assert text.csv_text(shown) == "name,steps,share,n\na,1;2,,7\nb,,0.5,8\n"
    assert json.loads(text.json_text(shown)) == [
        {"name": "a", "steps": [1, 2], "share": None, "n": 7},
        {"name": "b", "steps": [], "share": 0.5, "n": 8},
    ]
    row = [{"row": np.array([1.5, np.nan])}]
    assert text.csv_text(Exhibit((), row)) == "row\n1.5;\n"
    many = {"ok": np.bool_(True), "row": np.array([1.5, np.nan])}
    assert json.loads(text.strict_json(many)) == {"ok": True, "row": [1.5, None]}


def test_a_caption_without_notes_ends_once():
    shown = Exhibit((ResultTable("A & B", columns("name"), (words("a"),)),))
    assert r"\caption{A \& B.}" in text.latex(shown)
    assert r"\caption{A \& B. a note.}" in text.latex(SHOWN)


def test_one_way_to_print_an_interval():
    assert interval_text(0.123, 0.456, PERCENT) == "[12, 46]"
    assert interval_text(-0.1, 0.4567, MEAN, signed=True) == "[-0.10, +0.46]"
    assert interval_text(0.0, 0.14, PERCENT, at_most=True) == "[≤ 14]"
    cell = estimate_cell(Estimate(0.5, 0.4, 0.6), PERCENT, bracketed=True)
    assert cell.line == "(50.0 [40, 60])"


def test_a_score_keeps_all_its_digits_beside_what_is_printed(emoji):
    row = next(r for r in board(emoji).rows if r.policy == "expert-blind" and r.task == "all"
               and r.metric == "recognition")  # fmt: skip
    cell = score(row)
    assert cell.line == "33.3 [18, 53]"
    assert cell.value == Estimate(row.value, row.low, row.high)


def test_columns_that_fit_are_not_broken():
    wide = ResultTable("", (Column("policy", fold=True, least=20), *columns("a", "b")),
                       (words("x" * 18, "y" * 30, "z" * 25),))  # fmt: skip
    assert "x" * 18 in printed(Exhibit((wide,)), 70)


def test_an_unknown_table_is_refused_with_near_names():
    with pytest.raises(UnknownName, match="Did you mean decomposition"):
        table_maker("decompositon")
    with pytest.raises(BadInput, match="cannot be loaded"):
        table_maker("no_such_module:f")
    with pytest.raises(BadInput, match="not a function"):
        table_maker("vlm4vla.reports.marks:PRIVILEGED")


@pytest.fixture
def guide(tmp_path):
    """The example of the guide as a user's own module."""
    name, code = re.search(r"```python\n# (\S+)\n(.*?)```", GUIDE.read_text(), re.S).groups()
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / name).write_text(code)
    return tmp_path / "own"


def test_the_table_of_the_guide_is_shown_in_every_format(guide, emoji):
    commands = re.findall(r"^    (bench leaderboard --table .*)$", GUIDE.read_text(), re.M)
    assert len(commands) == 2
    for command in commands:
        done = subprocess.run(
            [sys.executable, "-m", "vlm4vla.cli", *command.split()[1:]],
            cwd=guide, capture_output=True, text=True, timeout=120,
            env={"VLM4VLA_STORE": emoji.name, "PYTHONPATH": str(guide)},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "expert-blind" in done.stdout and "place" in done.stdout
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [float(row["score"]) for row in rows] == sorted(float(row["score"]) for row in rows)
    assert {"score_low", "score_high", "policy_marks"} <= set(rows[0])


def test_an_installed_table_has_a_section_on_the_page(guide, emoji, tmp_path, monkeypatch):
    def nothing(store, asked):
        raise NothingToShow("Nothing.")

    monkeypatch.syspath_prepend(str(guide))
    monkeypatch.setattr(sys.modules[__name__], "nothing", nothing, raising=False)
    entries = [
        EntryPoint("hardest", "hardest:hardest", registry.GROUP),
        EntryPoint("nothing", f"{__name__}:nothing", registry.GROUP),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group, **_: entries)
    shown = registry.page_exhibits(emoji, Selection())
    assert [one.name for one in shown] == ["hardest"]
    report(tmp_path / "r.html", emoji)
    page = (tmp_path / "r.html").read_text()
    assert '<section id="hardest"><h2>Hardest</h2>' in page and 'href="#hardest"' in page
    assert marks.PRIVILEGED.sign in page[page.index('id="hardest"') :]


def test_a_table_over_a_store_that_is_not_there(tmp_path):
    asked = Selection(campaign="vlm4vla_table1")
    with registry.opened(tmp_path / "none.db", asked) as read:
        assert read is None
        shown = table_maker("campaign")(read, asked)
    assert len(shown.tables[0].body) == 20 and "not run" in text.markdown(shown)


def test_an_empty_board_still_has_the_head_of_its_csv(tmp_path):
    with Store.open(tmp_path / "bench.db", create=True) as store:
        assert text.csv_text(exhibit(board(store))).startswith("policy,suite,task,metric")
