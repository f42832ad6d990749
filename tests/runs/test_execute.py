"""A plan carried out into a store, and the same from Python."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from vlm4vla import leaderboard, run
from vlm4vla.core.errors import PolicyFault, RunConflict, UnknownName
from vlm4vla.core.result import EpisodeResult, Outcome
from vlm4vla.rollout.events import Finished, Retried, Tick
from vlm4vla.runs.execute import Opened, execute
from vlm4vla.runs.plan import resolve
from vlm4vla.runs.request import RunRequest
from vlm4vla.store import RunStatus, Store

pytestmark = pytest.mark.usefixtures("ray_session")

PLAIN = RunRequest("expert", "toy", tasks=("near",), episodes=4)
PROBES = "tests.rollout.probes"


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "bench.db", create=True) as opened:
        yield opened


@pytest.fixture(scope="module")
def ran(tmp_path_factory, ray_session):
    """A store in which the plain request is complete."""
    path = tmp_path_factory.mktemp("ran") / "bench.db"
    with Store.open(path, create=True) as opened:
        execute(resolve(PLAIN), opened, Watcher())
    return path


@pytest.fixture
def finished(ran, tmp_path):
    """The same, for a test of its own to write into."""
    with Store.open(shutil.copy(ran, tmp_path / "finished.db"), create=True) as opened:
        yield opened


class Watcher:
    def __init__(self, store=None):
        self.events, self.store, self.committed = [], store, True

    def __call__(self, event):
        self.events.append(event)
        if isinstance(event, Finished) and self.store is not None:
            (run,) = self.store.runs()
            self.committed &= event.result.key in self.store.finished(run.id)

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]


def test_every_episode_is_committed_before_it_is_told(store):
    watcher = Watcher(store)
    summary = execute(resolve(PLAIN), store, watcher)
    assert (summary.planned, summary.finished, summary.errors) == (4, 4, 0)
    assert summary.complete and not summary.interrupted and summary.statistics.queries > 4
    assert isinstance(watcher.events[0], Opened) and watcher.of(Tick)
    assert len(watcher.of(Finished)) == 4 and watcher.committed
    assert store.run(summary.run).status is RunStatus.COMPLETE


def test_a_finished_run_can_be_said_to_be_the_best_of_many(finished):
    store = finished
    plan = resolve(PLAIN)
    done = execute(plan, store, Watcher())
    before = leaderboard(store)
    watcher = Watcher()
    said = execute(resolve(replace(PLAIN, selected_from=5)), store, watcher)
    assert said.run == done.run and watcher.of(Finished) == []
    after = leaderboard(store)
    assert set(before.looks) == {1} and set(after.looks) == {5}
    assert {"best of many"} == set(after.marks[0]) - set(before.marks[0])
    assert (after.value == before.value).all()


def test_the_same_request_runs_only_what_is_missing(finished):
    store = finished
    plan = resolve(PLAIN)
    whole = execute(plan, store, Watcher())
    rows = store.episodes(whole.run)
    lost = replace(plan, record=replace(plan.record, id="copy"))
    store.begin(lost.record)
    half = replace(lost, suite=plan.suite.narrowed(inits=[1, 3]))
    assert not execute(half, store, Watcher()).complete
    assert store.run("copy").status is RunStatus.INCOMPLETE
    before = {row.key: row.ended for row in store.episodes("copy")}
    watcher = Watcher()
    assert execute(lost, store, watcher).complete
    assert sorted(e.result.key.init for e in watcher.of(Finished)) == [0, 2]
    assert watcher.events[0] == Opened("copy", 4, dict.fromkeys(before, Outcome.SUCCESS), 2)
    after = {row.key: row.ended for row in store.episodes("copy")}
    assert before.items() <= after.items() and len(after) == len(rows) == 4


def test_a_complete_run_starts_nothing(store):
    first = execute(resolve(PLAIN), store, Watcher())
    watcher = Watcher()
    assert execute(resolve(PLAIN), store, watcher).complete
    assert [type(event) for event in watcher.events] == [Opened]
    assert len(store.runs()) == 1 and store.runs()[0].id == first.run


def test_new_runs_are_numbered(finished):
    ids = [execute(resolve(replace(PLAIN, new=new)), finished, Watcher()).run for new in (0, 1, 1)]
    assert ids[1:] == [f"{ids[0]}-2", f"{ids[0]}-3"]


def test_another_configuration_under_a_taken_id_changes_nothing(store):
    request = replace(PLAIN, run_id="mine")
    execute(resolve(request), store, Watcher())
    rows = store.episodes("mine")
    for other in (
        {"seed": 1},
        {"execute": "first"},
        {"inits": (6, 7, 8, 9)},
        {"options": {"step_ms": 1}},
    ):
        with pytest.raises(RunConflict, match=r"stored.*asked for"):
            execute(resolve(replace(request, **other)), store, Watcher())
    assert store.episodes("mine") == rows


@pytest.mark.parametrize("name", [None, "mine"])
def test_more_episodes_extend_the_run_and_fewer_play_nothing(store, name):
    request = replace(PLAIN, run_id=name, episodes=3)
    few = execute(resolve(request), store, Watcher())
    before = {row.key: row.ended for row in store.episodes(few.run)}
    watcher = Watcher()
    more = execute(resolve(replace(request, episodes=6)), store, watcher)
    assert watcher.events[0] == Opened(few.run, 6, dict.fromkeys(before, Outcome.SUCCESS), 3)
    assert (more.run, more.complete) == (few.run, True) and len(watcher.of(Finished)) == 3
    idle = Watcher()
    again = execute(resolve(request), store, idle)
    assert (again.run, again.finished, again.complete) == (few.run, 6, True)
    assert not idle.of(Finished) and len(store.runs()) == 1
    after = {row.key: row.ended for row in store.episodes(few.run)}
    assert before.items() <= after.items() and len(after) == 6
    assert len(store.run(few.run).plan) == 6


def test_a_run_of_which_more_was_planned_stays_incomplete(finished):
    (run,) = finished.runs()
    finished.begin(replace(run, plan=resolve(replace(PLAIN, episodes=6)).record.plan))
    summary = execute(resolve(PLAIN), finished, Watcher())
    assert (summary.planned, summary.finished, summary.complete) == (6, 4, False)
    assert finished.run(run.id).status is RunStatus.INCOMPLETE


def test_a_run_under_the_id_of_an_earlier_version_is_continued(finished):
    """There the number of episodes was part of the id."""
    plan = resolve(PLAIN)
    assert plan.former_id != plan.record.id == resolve(replace(PLAIN, episodes=None)).former_id
    with Store.open(finished.artifacts / "old.db", create=True) as old:
        old.begin(replace(plan.record, id=plan.former_id))
        for row in finished.episodes(plan.record.id):
            old.record(plan.former_id, EpisodeResult(row.key, row.outcome))
        watcher = Watcher()
        assert execute(plan, old, watcher).complete and not watcher.of(Finished)
        assert [run.id for run in old.runs()] == [plan.former_id]


def test_a_policy_that_always_fails_alike_is_given_up(store):
    failing = RunRequest(f"{PROBES}:Misbehaving", "toy", policy_options={"how": "always"})
    with pytest.raises(PolicyFault, match=r"each of the first 3 .*no such layer") as caught:
        execute(resolve(replace(failing, give_up_after=3)), store, Watcher())
    assert "--give-up-after 0" in caught.value.fix
    (run,) = store.runs()
    assert run.status is RunStatus.INCOMPLETE and 3 <= len(store.episodes(run.id)) < 20
    summary = execute(resolve(replace(failing, give_up_after=0)), store, Watcher())
    assert (summary.finished, summary.errors) == (20, 20)


def test_a_policy_that_fails_now_and_then_is_not_given_up(store):
    request = RunRequest(f"{PROBES}:Misbehaving", "toy", policy_options={"how": "raise"})
    summary = execute(resolve(replace(request, give_up_after=2)), store, Watcher())
    assert (summary.finished, summary.errors) == (20, 2)


def test_faults_are_kept_and_quarantined_episodes_wait_for_a_word(store, tmp_path):
    options = {"fault": "raise-once", "fault_inits": "1", "fault_memory": str(tmp_path)}
    request = replace(PLAIN, options=options, retries=0)
    summary = execute(resolve(request), store, Watcher())
    assert (summary.errors, summary.finished, summary.complete) == (1, 4, False)
    idle = Watcher()
    assert execute(resolve(request), store, idle).errors == 1 and not idle.of(Finished)
    summary = execute(resolve(replace(request, retry_errors=True)), store, Watcher())
    assert summary.complete and store.run(summary.run).status is RunStatus.COMPLETE
    assert [(f.key.init, f.kind.value) for f in store.faults(summary.run)] == [(1, "simulator")]


def test_attempts_that_failed_are_told_and_stored(store, tmp_path):
    options = {"fault": "raise-once", "fault_inits": "1", "fault_memory": str(tmp_path)}
    watcher = Watcher()
    summary = execute(resolve(replace(PLAIN, options=options)), store, watcher)
    assert summary.complete
    assert [event.result.key.init for event in watcher.of(Retried)] == [1]
    assert [(f.key.init, f.attempt) for f in store.faults(summary.run)] == [(1, 1)]


def test_the_verbs_as_functions(tmp_path):
    path = tmp_path / "bench.db"
    settings = {"tasks": "near", "inits": range(3), "slots": 1, "store": path}
    frame = run("expert", "toy", **settings)
    assert len(frame) == 3 and set(frame["outcome"]) == {"success"}
    again = run("expert", "toy", **settings)
    assert list(again["ended"]) == list(frame["ended"])
    board = leaderboard(path)
    (row,) = board[(board["metric"] == "success") & (board["task"] == "all")].to_dict("records")
    assert (row["policy"], row["n"], row["value"]) == ("expert", 3, 1.0) and row["low"] < 1
    with pytest.raises(UnknownName, match="Did you mean episodes"):
        run("expert", "toy", store=path, epsiodes=3)
