"""Ours, imported and printed rows side by side: each with its origin, interval and marks."""

import csv
import io
import json

import pytest

from vlm4vla import leaderboard
from vlm4vla.core.errors import StoreError, UnknownName
from vlm4vla.reports.board.beside import gather, paper_row
from vlm4vla.reports.board.leaderboard import beside_tables
from vlm4vla.reports.tables import text as written_as
from vlm4vla.reports.tables.registry import opened
from vlm4vla.reports.tables.selection import Selection
from vlm4vla.reports.tables.table import Exhibit
from vlm4vla.store import Store
from vlm4vla.store.library import ImportedResult, Source
from vlm4vla.store.published import published


@pytest.fixture
def mixed(emoji):
    """The runs of `emoji`, and a result of another harness on the same suite."""
    with Store.open(emoji.name, create=True) as opened:
        library = opened.library
        result = ImportedResult(
            "their-policy", "grinningface_val", "all", "success", "rate", 0.5, 20, 10, errors=4
        )
        library.add(Source("a1b2", "imported", "csv", "their.csv", "00"), [result])
    return emoji


def rows(store, suites=(), papers=(), printed=True, imported=False):
    asked = Selection(
        suites=tuple(suites), papers=tuple(papers), published=printed, imported=imported
    )
    with opened(store, asked) as read:
        return gather(read, asked)[0]


def row(found, **wanted):
    (one,) = [r for r in found if all(getattr(r, k) == v for k, v in wanted.items())]
    return one


def test_chain_length_has_the_interval_of_its_rates():
    table = published()
    wanted = [r for r in table if r.model == "KosMos-2" and r.metric == "length"]
    found = paper_row(next(r for r in wanted if r.table == "Table 1"), table)
    # var = sum(2k-1)p_k - mu^2 over 1000 chains, by hand from .878 .721 .591 .498 .408
    variance = 0.878 + 3 * 0.721 + 5 * 0.591 + 7 * 0.498 + 9 * 0.408 - 3.096**2
    assert found.high - 3.096 == pytest.approx(1.96 * (variance / 1000) ** 0.5, abs=1e-4)
    assert found.interval == "normal from SR1..5"


def test_a_mean_over_tasks_is_of_their_counts():
    table = published()
    wanted = [r for r in table if r.model == "Qwen3VL-4B" and r.suite == "simpler_bridge"]
    mean = next(r for r in wanted if r.table == "Table 2" and r.task == "all")
    found = paper_row(mean, table)
    assert found.interval == "Wilson by task" and found.value == 0.563
    assert 0.47 < found.low < 0.50 and 0.61 < found.high < 0.65
    unstated = next(r for r in table if r.model == "ThinkAct" and r.task == "all")
    assert paper_row(unstated, table).low is None


def test_conditional_rates_have_no_interval():
    assert all(
        paper_row(r, published()).low is None
        for r in published()[::7] if "conditional" in r.flags and r.printed
    )  # fmt: skip


def test_papers_stand_beside_ours_and_are_marked(mixed):
    found = rows(mixed, suites=["grinningface_val"])
    assert [r.origin for r in found] == sorted(
        (r.origin for r in found), key=["ours", "imported", "paper"].index
    )
    ours = row(found, policy="expert", metric="overall", task="all", origin="ours")
    assert ours.marks == ("privileged",) and len(ours.comparability) == 6
    theirs = row(found, variant="mean over 5 eval seeds", metric="recognition")
    assert theirs.origin == "paper" and theirs.n == 468 and theirs.value == 0.452
    assert theirs.low == pytest.approx(0.408, abs=0.002)
    assert "best of many" in theirs.marks and "Apple" in theirs.comparability
    assert "versions and assets not stated" in theirs.comparability


def test_imported_rows_are_shown_only_when_asked_for_and_marked(mixed):
    assert not [r for r in rows(mixed) if r.origin == "imported"]
    assert "their-policy" not in set(leaderboard(mixed).policy)
    one = row(rows(mixed, printed=False, imported=True), origin="imported")
    assert one.marks == ("imported", "errors") and one.n == 20 and one.errors == 4
    assert (one.bound_low, one.bound_high) == (10 / 24, 14 / 24)
    assert "another harness" in one.comparability and one.source == "a1b2 (their.csv)"


def test_without_a_suite_only_shared_ones_are_shown(mixed):
    assert {r.suite for r in rows(mixed)} == {"grinningface_val"}


def test_a_first_look_needs_no_store(tmp_path):
    found = rows(tmp_path / "none.db", papers=["VLM4VLA"])
    assert {"calvin_abcd", "simpler_bridge", "libero_10"} <= {r.suite for r in found}
    assert {r.origin for r in found} == {"paper"}
    assert all("VLM4VLA" in r.source for r in found)
    assert not (tmp_path / "none.db").exists()
    with pytest.raises(StoreError):
        rows(tmp_path / "none.db", imported=True)


def test_mistakes_are_named(mixed):
    with pytest.raises(UnknownName, match="libero_10"):
        rows(mixed, suites=["libero_1"])
    with pytest.raises(UnknownName, match="paper"):
        rows(mixed, papers=["Nature"])


def test_every_format_says_where_a_row_comes_from(mixed):
    found = rows(mixed, suites=["grinningface_val"], imported=True)
    shown = Exhibit(tuple(beside_tables(found)), found)
    markdown, latex = written_as.markdown(shown), written_as.latex(shown)
    for text in (markdown, latex):
        assert "GrinningFace Table 3" in text and "their.csv" in text
        assert "best over checkpoints" in text  # the protocol has its column
    assert "≠" in markdown and r"$\neq$" in latex
    assert "their-policy¶" in markdown and "expert†" in markdown
    assert "(25.0 [9, 53])" in markdown, "an incomplete run is no result"
    written = list(csv.DictReader(io.StringIO(written_as.csv_text(shown))))
    assert len(written) == len(found) == len(json.loads(written_as.json_text(shown)))
    assert {r["origin"] for r in written} == {"ours", "imported", "paper"}


def test_known_inconsistencies_are_marked_in_the_table(tmp_path):
    found = rows(str(tmp_path / "bench.db"), suites=["calvin_abcd"], papers=["VLM4VLA"])
    (grid,) = beside_tables(found, narrow=True)
    names = [line[0].main for line in grid.body]
    assert "pi0*‡§" in names and "Qwen3VL-2B‡" in names
    assert any("typo" in note for note in grid.notes)
    head, *rest = [column.name for column in grid.columns[1:7]]
    assert head == "length" and rest == [f"sr{i}" for i in range(1, 6)]
    line = next(line for line in grid.body if line[0].main == "Qwen3VL-2B‡")
    assert line[1].interval and not line[2].interval, "no room for six intervals"


def test_a_suite_without_means_is_shown_by_task(tmp_path):
    found = rows(str(tmp_path / "bench.db"), suites=["real_viperx"])
    (grid,) = beside_tables(found)
    assert grid.columns[1].name == "task" and len(grid.body) == 48


def test_the_frame_has_the_same_rows(mixed):
    frame = leaderboard(mixed, suite="grinningface_val", published=True)
    assert set(frame.origin) == {"ours", "paper"}
    assert len(frame) == len(rows(mixed, suites=["grinningface_val"]))
