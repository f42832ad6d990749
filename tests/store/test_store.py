import json
import sqlite3
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.store.conftest import METRICS, make_run
from vlm4vla.core.episode import EpisodeKey
from vlm4vla.core.errors import ErrorKind, RunConflict, UnknownName
from vlm4vla.core.result import EpisodeResult, Outcome, Timing
from vlm4vla.store import EpisodeRow, RunRecord, RunStatus, Store

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
FACTS = st.dictionaries(WORDS, JSONS, max_size=4)
KEYS = st.builds(EpisodeKey, WORDS, WORDS, st.integers(-(2**62), 2**62), st.integers(0, 2**31 - 1))
NUMBERS = st.floats(allow_nan=False)
SECONDS = st.floats(0, 1e6)


@st.composite
def results(draw, keys=KEYS):
    outcome = draw(st.sampled_from(Outcome))
    shape = (draw(st.integers(0, 20)), draw(st.integers(1, 8)))
    bits = draw(st.integers(0, 2**32 - 1))
    return EpisodeResult(
        key=draw(keys),
        outcome=outcome,
        instruction=draw(WORDS),
        success_any=draw(st.booleans()),
        success_last=draw(st.booleans()),
        stages=draw(st.dictionaries(WORDS, st.booleans(), max_size=5)),
        measures=draw(st.dictionaries(WORDS, NUMBERS | st.none(), max_size=5)),
        steps=draw(st.integers(0, 10**6)),
        query_steps=tuple(sorted(draw(st.sets(st.integers(0, 2**31 - 1), max_size=20)))),
        renders=draw(st.integers(0, 10**6)),
        timing=Timing(draw(SECONDS), draw(SECONDS), draw(SECONDS), draw(SECONDS)),
        error=draw(st.sampled_from(ErrorKind)) if outcome is Outcome.ERROR else None,
        error_text=draw(WORDS),
        attempt=draw(st.integers(1, 9)),
        actions=np.random.default_rng(bits).standard_normal(shape),
        video=draw(WORDS),
        memory_mb=draw(SECONDS),
    )


def as_row(run, result, ended):
    names = {f.name for f in fields(EpisodeRow)} - {"run", "ended"}
    return EpisodeRow(run=run, ended=ended, **{n: getattr(result, n) for n in names})


SLOW_DISK = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@SLOW_DISK
@given(data=st.data())
def test_a_run_comes_back_as_it_went_in(store, data):
    run = RunRecord(
        id=f"r{len(store.runs())}",
        policy=data.draw(WORDS),
        suite=data.draw(WORDS),
        simulator=data.draw(WORDS),
        plan=tuple(sorted(data.draw(st.sets(KEYS, max_size=5)))),
        metrics=METRICS,
        success_rule=data.draw(st.sampled_from(["last", "any"])),
        policy_options=data.draw(FACTS),
        privileged=data.draw(st.booleans()),
        options=data.draw(FACTS),
        comparability=data.draw(FACTS),
        provenance=data.draw(FACTS),
        seed=data.draw(st.integers(0, 2**31 - 1)),
    )
    assert store.begin(run) == run
    assert store.begin(replace(run, created="9999")) == run
    assert store.run(run.id) == run


@SLOW_DISK
@given(several=st.lists(results(), max_size=6, unique_by=lambda r: r.key))
def test_episodes_and_actions_come_back_bit_for_bit(store, several):
    run = store.begin(make_run(f"r{len(store.runs())}")).id
    for result in several:
        assert store.record(run, result)
    ended = {row.key: row.ended for row in store.episodes(run)}
    expected = sorted((as_row(run, r, ended[r.key]) for r in several), key=lambda row: row.key)
    assert store.episodes(run) == expected
    assert store.finished(run) == {r.key: r.outcome for r in several}
    for result in several:
        actions, asked = store.actions(run, result.key), store.trace(run, result.key).query_steps
        assert asked == (result.query_steps if result.actions.size else ())
        assert actions.dtype == np.float64
        assert actions.tobytes() == result.actions.tobytes()


@SLOW_DISK
@given(
    attempts=st.lists(
        results(st.builds(EpisodeKey, st.just("toy"), st.sampled_from("ab"), st.integers(0, 1))),
        max_size=12,
    )
)
def test_only_errors_are_overwritten_and_none_is_forgotten(store, attempts):
    """Against a model in plain Python, for any order of outcomes."""
    run = store.begin(make_run(f"r{len(store.runs())}")).id
    final, overwritten = {}, []
    for result in attempts:
        before = final.get(result.key)
        kept = before is not None and before.outcome is not Outcome.ERROR
        assert store.record(run, result) is not kept
        if not kept:
            if before is not None:
                overwritten.append((before.key, before.attempt, before.error, before.error_text))
            final[result.key] = result
    rows = store.episodes(run)
    assert rows == [as_row(run, final[row.key], row.ended) for row in rows]
    assert len(rows) == len(final)
    assert [(f.key, f.attempt, f.kind, f.text) for f in store.faults(run)] == overwritten
    for key, result in final.items():
        assert store.actions(run, key).tobytes() == result.actions.tobytes()


def test_faults_are_kept_beside_the_final_row(store):
    run = store.begin(make_run()).id
    key = EpisodeKey("toy", "reach", 0)
    broken = EpisodeResult(
        key, Outcome.ERROR, error=ErrorKind.CRASH, error_text="exit \udcff -11", attempt=1
    )
    store.fault(run, broken)
    store.record(run, EpisodeResult(key, Outcome.SUCCESS, attempt=2))
    (fault,) = store.faults(run)
    assert (fault.kind, fault.attempt, fault.text) == (ErrorKind.CRASH, 1, "exit \\udcff -11")
    assert store.finished(run) == {key: Outcome.SUCCESS}
    assert store.counts() == {run: 1}


def test_another_configuration_is_refused_with_every_difference(store):
    store.begin(make_run())
    elsewhere = tuple(EpisodeKey("toy", "reach", i) for i in range(1, 7))
    options = {"size": 128, "faults": ["hang", None]}
    other = make_run(plan=elsewhere, execution="half", options=options)
    with pytest.raises(RunConflict) as caught:
        store.begin(other)
    text = str(caught.value)
    assert "execution: chunk (stored) / half (asked for)" in text
    assert "options.size: 64 (stored) / 128 (asked for)" in text
    assert "plan: 4 episodes, 1 of them not in the new plan" in text
    assert "6 episodes, 3 of them not in the old plan" in text
    assert "faults" not in text and "provenance" not in text
    assert store.run("run-1") == replace(make_run(), created=store.run("run-1").created)


def test_the_greater_of_two_plans_that_hold_each_other_stays(store):
    for asked, planned in ((4, 4), (6, 6), (3, 6)):
        assert len(store.begin(make_run(episodes=asked)).plan) == planned


def test_a_continued_run_remembers_every_provenance_once(store):
    store.begin(make_run())
    store.set_status("run-1", RunStatus.INCOMPLETE)
    for commit in ("abc", "def", "def", "abc"):
        again = store.begin(make_run(provenance={"commit": commit}))
    assert again.provenance == {"commit": "abc"}
    assert again.continued == ({"commit": "def"},)
    assert again.status is RunStatus.RUNNING


def test_runs_are_found_by_unique_beginning_or_end(store):
    for name in ("abc1", "abd2", "abd"):
        store.begin(make_run(name))
    assert store.run("abc").id == "abc1"
    assert store.run("abd").id == "abd"
    assert store.run("c1").id == "abc1"
    with pytest.raises(UnknownName, match="3 ids match"):
        store.run("ab")
    with pytest.raises(UnknownName, match="Did you mean abd2"):
        store.run("abe2")
    with pytest.raises(UnknownName):
        store.run("")


def test_what_was_never_begun_or_recorded_is_named(store):
    result = EpisodeResult(EpisodeKey("toy", "reach", 0), Outcome.FAILURE)
    for act in (
        lambda: store.record("ghost", result),
        lambda: store.fault("ghost", result),
        lambda: store.set_status("ghost", RunStatus.COMPLETE),
    ):
        with pytest.raises(UnknownName, match="ghost"):
            act()
    store.begin(make_run())
    with pytest.raises(UnknownName, match="toy/reach/0"):
        store.actions("run-1", result.key)
    store.record("run-1", result)
    assert store.actions("run-1", result.key).size == 0


def test_the_file_is_plain_sqlite_with_the_documented_tables(store):
    run = store.begin(make_run()).id
    key = EpisodeKey("toy", "reach", 3)
    store.record(run, EpisodeResult(key, Outcome.SUCCESS, stages={"near": True, "at": False}))
    store.close()
    with sqlite3.connect(store.name) as raw:
        assert raw.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        ((task, init, stages),) = raw.execute("SELECT task, init, stages FROM episodes")
    assert (task, init, list(json.loads(stages))) == ("reach", 3, ["near", "at"])


def test_a_finished_store_is_one_file(tmp_path):
    with Store.open(tmp_path / "bench.db", create=True) as store:
        store.begin(make_run())
    assert [p.name for p in tmp_path.iterdir()] == ["bench.db"]


def test_a_drawn_state_is_kept_with_its_episode_alone(store):
    run = store.begin(make_run())
    state = np.random.default_rng(0).normal(size=65)
    drew, listed = run.plan[:2]
    actions = np.ones((3, 7))
    store.record(run.id, EpisodeResult(drew, Outcome.ERROR, actions=actions, drawn=state))
    store.record(run.id, EpisodeResult(listed, Outcome.SUCCESS, actions=actions))
    assert store.trace(run.id, drew).drawn.tobytes() == state.tobytes()
    assert store.trace(run.id, listed).drawn.size == 0
    store.record(run.id, EpisodeResult(drew, Outcome.SUCCESS, actions=actions, drawn=state + 1))
    assert np.array_equal(store.trace(run.id, drew).drawn, state + 1)
