import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from statsmodels.stats.proportion import proportion_confint

from tests.reports.conftest import FACTS, emoji_result, emoji_run, exhibit, fill, quarantined
from vlm4vla.api import leaderboard
from vlm4vla.cli import screen
from vlm4vla.core.episode import EpisodeKey
from vlm4vla.core.errors import StoreError, UnknownName
from vlm4vla.core.result import EpisodeResult, Metric, Outcome
from vlm4vla.reports.board.board import board
from vlm4vla.reports.compare.comparison import comparison
from vlm4vla.reports.scores import rows_of
from vlm4vla.reports.tables import text as written
from vlm4vla.reports.tables.numbers import score
from vlm4vla.store import RunRecord, Store


def cells(found, policy, task="all"):
    return {r.metric: r for r in found.rows if r.policy == policy and r.task == task}


def printed(found, width=100, **options):
    console = Console(width=width, file=io.StringIO(), markup=False)
    console.print(screen.rendered(exhibit(found, **options)))
    return console.file.getvalue()


def test_counts_and_intervals(emoji):
    found = board(emoji)
    blind = cells(found, "expert-blind")
    assert (blind["overall"].k, blind["overall"].n) == (8, 24)
    assert (blind["execution"].k, blind["execution"].n) == (24, 24)
    assert (blind["recognition"].k, blind["recognition"].n) == (8, 24)
    low, high = proportion_confint(8, 24, method="wilson")
    assert blind["overall"].value == pytest.approx(1 / 3)
    assert (blind["overall"].low, blind["overall"].high) == pytest.approx((low, high))
    assert cells(found, "expert")["overall"].high == 1.0


def test_overall_is_execution_times_recognition_on_the_counts(emoji):
    for policy in ("expert", "expert-blind", "my_policy:Mine", "replay"):
        rows = cells(board(emoji), policy)
        assert rows["overall"].k == rows["recognition"].k
        assert rows["recognition"].n == rows["execution"].k
        product = rows["execution"].value * rows["recognition"].value
        assert rows["overall"].value == pytest.approx(product)


def test_recognition_is_undefined_where_nothing_was_executed(emoji):
    row = cells(board(emoji), "random")["recognition"]
    assert (row.value, row.low, row.high, row.n, row.k) == (None, None, None, 0, 0)
    assert score(row).line == "n/a"


def test_no_success_reports_the_one_sided_bound(emoji):
    row = cells(board(emoji), "random")["overall"]
    assert (row.value, row.low) == (0.0, 0.0)
    assert row.high == pytest.approx(1 - 0.05 ** (1 / 24))
    assert score(row).line == "0.0 [≤ 12]"


def test_no_success_in_several_tasks_reports_one_bound_for_their_mean(store):
    keys = tuple(EpisodeKey("s", task, i) for task, n in (("a", 6), ("b", 9)) for i in range(n))
    metric = Metric(name="success", kind="rate", of="success", headline=True)
    run = store.begin(RunRecord("r", "p", "s", "toy", keys, (metric,)))
    for key in keys:
        store.record(run.id, EpisodeResult(key, Outcome.FAILURE))
    row = cells(board(store), "p")["success"]
    assert row.high == pytest.approx(1 - 0.05 ** (1 / 12))
    mixes = [(p, 2 * row.high - p) for p in np.linspace(0, 2 * row.high, 21)]
    assert max((1 - a) ** 6 * (1 - b) ** 6 for a, b in mixes) <= 0.05 + 1e-12


def test_errors_are_outside_the_denominator_and_inside_the_bounds(emoji):
    rows = cells(board(emoji), "my_policy:Mine")
    overall = rows["overall"]
    assert (overall.n, overall.k, overall.errors, overall.status) == (20, 6, 4, "complete")
    assert (overall.bound_low, overall.bound_high) == pytest.approx((6 / 24, 10 / 24))
    given = rows["recognition"]
    assert (given.bound_low, given.bound_high) == pytest.approx((6 / 16, 10 / 16))
    assert cells(board(emoji), "expert")["overall"].bound_low is None


def test_an_incomplete_run_never_shows_a_bare_number(emoji):
    found = board(emoji)
    assert cells(found, "replay")["overall"].status == "incomplete 12/24"
    assert found.rows[-1].policy == "replay", "whatever its value, it ranks last"
    rows = [row.value for row in found.rows if row.policy == "replay" and row.value is not None]
    for text in (
        printed(found),
        written.markdown(exhibit(found)),
        written.latex(exhibit(found)),
    ):
        (line,) = (line for line in text.splitlines() if "replay" in line)
        assert len(re.findall(r"\(\d+\.\d ", line)) == len(rows) / 2 == 4
        assert not re.search(r"(?<!\()\b\d+\.\d \{?\[", line)
        assert "12/24" in line and "incomplete" in text


def test_a_suite_weighs_its_tasks_the_same(store):
    """Two tasks of 2 and 8 episodes: 1/2 and 8/8 average to 3/4, not to 9/10."""
    keys = tuple(EpisodeKey("s", task, i) for task, n in (("a", 2), ("b", 8)) for i in range(n))
    metrics = (
        Metric(name="success", kind="rate", of="success", headline=True),
        Metric(name="length", kind="mean", of="length"),
    )
    run = store.begin(RunRecord("r", "p", "s", "toy", keys, metrics))
    for key in keys:
        won = key.task == "b" or key.init == 0
        outcome = Outcome.SUCCESS if won else Outcome.FAILURE
        length = {"length": float(key.init)}
        store.record(run.id, EpisodeResult(key, outcome, measures=length))
    found = board(store)
    total = cells(found, "p")
    assert total["success"].value == 0.75 and (total["success"].k, total["success"].n) == (9, 10)
    assert total["length"].value == pytest.approx((0.5 + 3.5) / 2)
    assert total["length"].k is None
    assert total["length"].low < total["length"].value < total["length"].high
    assert cells(found, "p", "a")["success"].value == 0.5
    assert cells(found, "p", "b")["success"].value == 1.0
    assert board(store) == found, "the bootstrap is seeded"


def test_undefined_measures_leave_a_mean_but_fail_a_rate(store):
    keys = tuple(EpisodeKey("s", "a", i) for i in range(4))
    metrics = (
        Metric(name="m", kind="mean", of="x"),
        Metric(name="r", kind="rate", of="x"),
        Metric(name="typo", kind="rate", of="nowhere"),
    )
    run = store.begin(RunRecord("r", "p", "s", "toy", keys, metrics))
    for key, x in zip(keys, (1.0, 0.0, None, 5.0), strict=True):
        store.record(run.id, EpisodeResult(key, Outcome.FAILURE, measures={"x": x}))
    found = board(store)
    rows = cells(found, "p")
    assert (rows["m"].value, rows["m"].n) == (2.0, 3)
    assert (rows["r"].k, rows["r"].n) == (2, 4)
    assert found.warnings == ("r: no episode reports nowhere, which its metrics ask for.",)


def test_the_latest_run_of_a_kind_is_shown(store):
    old = emoji_run("expert", code="aaaaaaaa", created="2026-01-01")
    new = emoji_run("expert", code="bbbbbbbb", created="2026-02-01", checkpoint="code 123")
    half = emoji_run("expert", code="cccccccc", execution="half")
    option = emoji_run("expert", code="dddddddd", policy_options={"card": "2"})
    weights = emoji_run("expert", code="eeeeeeee", checkpoint="5f5f")
    for run in (new, old, half, option, weights):
        fill(store, run, 24, 24)
    found = board(store)
    assert {row.run for row in found.rows} == {r.id for r in (new, half, option, weights)}
    assert found.older == 1
    assert len({row.run for row in board(store, all_runs=True).rows}) == 5


def test_a_smoke_run_does_not_hide_a_fuller_one(store):
    whole = emoji_run("expert", code="aaaaaaaa", created="2026-01-01")
    smoke = emoji_run("expert", 5, code="bbbbbbbb", created="2026-02-01", checkpoint="code 123")
    killed = emoji_run("expert", code="cccccccc", created="2026-03-01", checkpoint="code 456")
    for run, last in ((whole, None), (smoke, None), (killed, 9)):
        fill(store, run, 24, 24, last=last)
    fill(store, emoji_run("random", code="dddddddd"), 0, 0)
    found = board(store, policies=["expert"])
    assert {(row.run, row.n) for row in found.rows if row.task == "all"} == {(whole.id, 24)}
    assert found.older == 2
    for sides in (("expert", "random"), ("random", "expert")):
        assert comparison(store, *sides).headline.n == 24


def test_an_expert_on_top_hides_no_conflict_below(store):
    """It sees nothing, states no renderer, and is at odds with nobody."""
    blind = {name: fact for name, fact in FACTS.items() if name != "renderer"}
    for code, (policy, renderer) in enumerate((("a", "one"), ("b", "two"), ("c", "one"))):
        facts = blind | {"renderer": renderer}
        fill(store, emoji_run(policy, code=f"{code}" * 8, comparability=facts), 24, 20 - code)
    fill(store, emoji_run("expert", code="eeeeeeee", comparability=blind), 24, 24)
    found = board(store)
    unlike = {row.policy for row in found.rows if "other comparability" in row.marks}
    groups = {row.policy: row.group for row in found.rows}
    assert unlike == {"b"} and groups == {"expert": 1, "a": 1, "b": 2, "c": 1}
    shown = exhibit(found)
    listed = {(one["policy"], one["group"]) for one in json.loads(written.json_text(shown))}
    lines = csv.DictReader(io.StringIO(written.csv_text(shown)))
    assert listed == set(groups.items())
    assert {(one["policy"], int(one["group"])) for one in lines} == listed
    frame = leaderboard(store)
    assert dict(zip(frame["policy"], frame["group"], strict=True)) == groups
    assert "not comparable with the rows that lack this sign" in written.latex(shown)


def test_differing_comparability_is_said_aloud(store):
    fill(store, emoji_run("expert", code="aaaaaaaa"), 24, 24)
    other = FACTS | {"renderer": "nvidia 570", "assets": "noto"}
    fill(store, emoji_run("random", code="bbbbbbbb", comparability=other), 0, 0)
    found = board(store)
    (warning,) = found.warnings
    assert "renderer (lavapipe 25.0 / nvidia 570)" in warning
    assert "assets" not in warning  # a fact only one of them states did not matter to the other
    assert "sapien" not in warning
    assert "cannot be compared" in printed(found)
    assert "comparability" in [column.name for column in exhibit(found).tables[0].columns]
    assert board(store, policies=["expert"]).warnings == ()


def test_different_episodes_are_said_aloud(store):
    fill(store, emoji_run("expert", code="aaaaaaaa"), 24, 24)
    fill(store, emoji_run("random", code="bbbbbbbb", episodes=3), 0, 0)
    (warning,) = board(store).warnings
    assert "different episodes (3, 24)" in warning


def test_filters_name_what_there_is(emoji):
    assert {row.policy for row in board(emoji, policies=["expert"]).rows} == {"expert"}
    with pytest.raises(UnknownName, match="grinningface_val"):
        board(emoji, suites=["grinningface_va"])
    with pytest.raises(UnknownName, match="expert-blind"):
        board(emoji, policies=["expert-blnd"])


def test_the_table_fits_a_hundred_columns_and_runs_a_line_each(store):
    for i, policy in enumerate(("expert", "expert-blind", "random")):
        fill(store, emoji_run(policy, code=f"{i}a1b2c3d"), 24 - 8 * i, 8)
    text = printed(board(store))
    lines = [line for line in text.splitlines() if re.search(r"[0-9]a1b2c3d$", line.rstrip())]
    assert len(lines) == 3
    assert all(len(line) <= 100 for line in text.splitlines())
    assert lines[0].split()[:4] == ["expert†", "33.3", "[18,", "53]"]


def test_every_format_holds_every_run_and_the_same_numbers(emoji):
    found = board(emoji)
    listed = [vars(row) | {"marks": [*row.marks], "stand_ins": []} for row in found.rows]
    assert json.loads(written.json_text(exhibit(found))) == listed
    rows = list(csv.DictReader(io.StringIO(written.csv_text(exhibit(found)))))
    assert [float(r["value"]) if r["value"] else None for r in rows] == [
        row.value for row in found.rows
    ]
    shown = exhibit(found)
    for text in (printed(found), written.markdown(shown), written.latex(shown)):
        for run in {row.run for row in found.rows}:
            assert run[-8:] in text
        assert text.count("33.3 ") >= 3


def test_markdown_and_latex_escape_what_they_are_given(store):
    run = emoji_run("random", code="aaaaaaaa", policy_options={"a_b": "50% & |x| {y} #1 \\z"})
    fill(store, run, 0, 0)
    shown = exhibit(board(store))
    assert r"a\_b=50% & \|x\| {y} #1 \\z" in written.markdown(shown)
    assert r"a\_b=50\% \& |x| \{y\} \#1 \textbackslash{}z" in written.latex(shown)


def test_latex_is_a_booktabs_table(emoji):
    text = written.latex(exhibit(board(emoji)))
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 1
    body = text[text.index(r"\midrule") : text.index(r"\bottomrule")]
    rows = [line for line in body.splitlines() if line.endswith("\\\\")]
    assert len(rows) == 5 and all(line.count(" & ") == 6 for line in rows)
    assert "lrrrrrl" in text


def test_by_task_adds_a_line_for_each_task(emoji):
    (grid,) = exhibit(board(emoji, policies=["expert"]), by_task=True).tables
    assert grid.columns[1].name == "task"
    assert [line[1].text for line in grid.body] == ["all", "place"]


def test_large_runs_get_a_decimal(store):
    keys = tuple(EpisodeKey("s", "a", i) for i in range(1000))
    metric = Metric(name="success", kind="rate", of="success", headline=True)
    run = store.begin(RunRecord("r", "p", "s", "toy", keys, (metric,)))
    for key in keys:
        outcome = Outcome.SUCCESS if key.init % 4 == 0 else Outcome.FAILURE
        store.record(run.id, EpisodeResult(key, outcome))
    (row,) = cells(board(store), "p").values()
    assert score(row).line == "25.0 [22.4, 27.8]"


def test_only_errors_and_only_half_a_run(store):
    run = store.begin(emoji_run("random", code="aaaaaaaa"))
    store.record(run.id, quarantined(run.plan[0]))
    row = cells(board(store), "random")["overall"]
    assert (row.value, row.n, row.errors, row.status) == (None, 0, 1, "incomplete 1/24")
    assert (row.bound_low, row.bound_high) == (0.0, 1.0)
    assert "n/a" in printed(board(store))


def test_an_empty_store_is_an_empty_board(store):
    found = board(store)
    assert found.rows == () and printed(found).strip() == ""
    frame = leaderboard(store)
    assert len(frame) == 0 and {"policy", "suite", "task", "metric", "value"} <= set(frame)


def test_the_python_function_returns_the_same_rows(emoji):
    frame = leaderboard(emoji.name, suite="grinningface_val")
    blind = frame[(frame.policy == "expert-blind") & (frame.task == "all")].set_index("metric")
    assert blind.value["recognition"] == pytest.approx(1 / 3)
    assert blind.n["overall"] == 24
    with pytest.raises(StoreError):
        leaderboard(Path(emoji.name).with_name("absent.db"))


def test_non_finite_measures_are_undefined(store):
    run = store.begin(
        emoji_run("random", code="aaaaaaaa", episodes=2, metrics=(Metric(name="m", kind="mean",
                                                                         of="x"),))
    )  # fmt: skip
    for key, x in zip(run.plan, (np.inf, 2.0), strict=True):
        result = replace(emoji_result(key, 0, 0), measures={"x": x})
        store.record(run.id, result)
    row = cells(board(store), "random")["m"]
    assert (row.value, row.n) == (2.0, 1)


def test_a_grid_that_is_repeated_counts_poses(tmp_path):
    """72 episodes of 24 poses, each pose always alike: the interval is that of 24."""
    found = {}
    with Store.open(tmp_path / "bench.db", create=True) as store:
        for suite, count in (("simpler_bridge", 24), ("simpler_bridge_repeated", 72)):
            plan = tuple(EpisodeKey(suite, "cube", i) for i in range(count))
            metrics = (Metric(name="success", kind="rate", of="success", headline=True),)
            run = emoji_run("random", id=f"{suite}-random", suite=suite, plan=plan, metrics=metrics)
            store.begin(run)
            for key in plan:
                success = key.init % 24 < 6
                store.record(run.id, emoji_result(key, success, success))
            found[suite] = rows_of(run, store.episodes(run.id))[0]
    once, thrice = found["simpler_bridge"], found["simpler_bridge_repeated"]
    assert (once.n, once.k, thrice.n, thrice.k) == (24, 6, 72, 18)
    assert (thrice.value, thrice.low, thrice.high) == pytest.approx(
        (once.value, once.low, once.high)
    )
