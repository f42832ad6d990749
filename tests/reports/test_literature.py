"""What the literature claims: the shipped numbers, a line for each method."""

import json

import pytest

from tests.bench import bench
from vlm4vla.core.errors import UnknownName
from vlm4vla.reports.board.literature import literature_exhibit, method_rows
from vlm4vla.reports.tables.selection import Selection
from vlm4vla.store.published import literature


def test_every_row_can_be_read_and_says_where_it_comes_from():
    rows = literature()
    assert len(rows) == 5509
    assert all(row.source and row.suite and row.model for row in rows)
    rates = [row for row in rows if row.unit != "tasks"]
    assert all(0 <= row.value <= 1 for row in rates)
    assert all(0 <= row.value <= 5 for row in rows if row.unit == "tasks")
    curated = [row for row in rows if row.source.startswith("allenai")]
    assert len(curated) == 4057
    assert sum("secondary" in row.flags for row in curated) == 4040, "all but 17 reproductions"


@pytest.mark.parametrize(
    ("suite", "split", "value"),
    [
        ("calvin_abcd", "ABC", 3.242),
        ("calvin_abcd", "ABCD", 3.872),
        ("libero_spatial", "", 0.99),
        ("libero_object", "", 1.0),
        ("libero_goal", "", 0.988),
        ("libero_10", "", 0.924),
    ],
)
def test_the_shortcuts_bound_what_a_suite_says(suite, split, value):
    (row,) = (r for r in method_rows([suite])
              if "shortcut" in r.flags and r.training_split == split)  # fmt: skip
    assert row.highest == pytest.approx(value)
    shown = literature_exhibit(None, Selection(suites=(suite,), literature=True))
    assert any("without any language" in note for table in shown.tables for note in table.notes)


def test_what_was_run_again_stands_apart_from_what_is_claimed():
    rows = method_rows(["calvin_abcd"], ["x-vla"])
    protocols = {row.protocol for row in rows if row.method == "X-VLA"}
    assert any("rerun" in one for one in protocols) and protocols & {"claimed", "cited"}
    again = next(row for row in rows if "calibration" in row.protocol)
    assert again.highest == pytest.approx(4.165) and again.n == 1000
    (fallen,) = (row for row in method_rows(["calvin_abcd_resampled"]) if row.method == "X-VLA")
    assert fallen.highest == pytest.approx(3.138)


def test_methods_that_many_print_are_one_line():
    rows = method_rows(["libero"])
    keys = [(row.method, row.protocol, row.training_split) for row in rows]
    assert len(keys) == len(set(keys))
    many = max(rows, key=lambda row: row.rows)
    assert many.rows > 3 and many.lowest < many.highest and len(many.papers) > 1
    assert [row.highest for row in rows] == sorted((row.highest for row in rows), reverse=True)
    with pytest.raises(UnknownName, match="suite in the literature"):
        method_rows(["liberoo"])


def test_the_verb_needs_no_store(tmp_path):
    words = ("leaderboard", "--literature", "--suite", "libero_goal")
    told = bench(*words, "--json", cwd=tmp_path)
    rows = json.loads(told.out)
    assert rows and {row["suite"] for row in rows} == {"libero_goal"}
    assert "claims" in rows[0] and not (tmp_path / "results").exists()
