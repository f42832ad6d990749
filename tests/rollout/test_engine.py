"""The engine in a real Ray: results depend on the episode alone, and faults stay put."""

from __future__ import annotations

import random
import socket
import time
from collections import Counter

import psutil
import pytest
import ray
from ray.exceptions import RayError

from vlm4vla.core.errors import ErrorKind, HarnessFault
from vlm4vla.core.result import Outcome
from vlm4vla.rollout.cluster import Job, cluster
from vlm4vla.rollout.engine import Engine
from vlm4vla.rollout.events import Finished, Retried
from vlm4vla.runs.plan import resolve
from vlm4vla.runs.request import RunRequest

pytestmark = pytest.mark.usefixtures("ray_session")

PROBES = "tests.rollout.probes"


def roll_out(policy, order=None, slots=2, max_batch=64, retries=2, tcp=False, **request):
    """All events of one job."""
    timeout = request.pop("timeout_s", 20.0)
    plan = resolve(RunRequest(policy, "toy", timeout_s=timeout, **request))
    episodes = list(plan.suite.episodes)
    if order is not None:
        random.Random(order).shuffle(episodes)
    options = dict(plan.request.policy_options)
    job = Job(plan.host, episodes, plan.policy, options, slots, max_batch, retries, tcp)
    with cluster() as ray:
        engine = Engine(job, ray)
        events = [e for e in engine.run() if isinstance(e, Finished | Retried)]
    return events, engine


def outcomes(events):
    return {e.result.key: e.result for e in events if isinstance(e, Finished)}


def essence(events):
    """Everything of every result that must not depend on how the work was spread."""
    return {
        key: (
            r.outcome,
            r.success_any,
            r.success_last,
            r.steps,
            r.queries,
            tuple(r.stages.items()),
            tuple(r.measures.items()),
            r.actions.tobytes(),
        )
        for key, r in outcomes(events).items()
    }


@pytest.fixture(scope="module")
def reference():
    events, _ = roll_out(f"{PROBES}:Wanderer", slots=1, max_batch=1)
    return essence(events)


@pytest.mark.parametrize(
    ("slots", "max_batch", "order", "tcp"),
    [(3, 4, None, False), (3, 1, 1, False), (2, 4, 2, False), (1, 1, 3, False), (3, 4, 4, True)],
)
def test_results_depend_on_neither_slots_nor_batch_nor_order_nor_wire(
    reference, slots, max_batch, order, tcp
):
    events, engine = roll_out(f"{PROBES}:Wanderer", order, slots, max_batch, tcp=tcp)
    assert len(reference) == 20
    assert essence(events) == reference
    shared = 1 < engine.statistics.largest <= min(slots, max_batch)
    assert shared or min(slots, max_batch) == 1  # batches really were formed


@pytest.mark.parametrize("tcp", [False, True])
def test_the_wire_is_the_one_that_was_asked_for(tcp):
    plan = resolve(RunRequest("expert", "toy", tasks=("near",)))
    job = Job(plan.host, plan.suite.episodes, plan.policy, tcp=tcp)
    with cluster() as here:
        engine = Engine(job, here)
        next(events := engine.run())
        asked = engine._places[0].actor.__ray_call__.remote(lambda slot: slot.pid)
        used = {c.family for c in psutil.Process(ray.get(asked)).net_connections("all")}
        assert (socket.AF_INET in used) is tcp
        assert {e.result.outcome for e in events if isinstance(e, Finished)} == {Outcome.SUCCESS}


def test_another_seed_gives_other_actions(reference):
    events, _ = roll_out(f"{PROBES}:Wanderer", seed=7)
    others = {(k.task, k.init): v[-1] for k, v in essence(events).items()}
    assert all(others[k.task, k.init] != v[-1] for k, v in reference.items())


@pytest.mark.parametrize(
    ("fault", "kind", "timeout_s"),
    [
        ("raise", ErrorKind.SIMULATOR, 20.0),
        ("hang", ErrorKind.HANG, 1.0),
        ("exit", ErrorKind.CRASH, 20.0),
    ],
)
def test_a_hopeless_episode_is_quarantined_and_the_others_finish(fault, kind, timeout_s):
    options = {"fault": fault, "fault_inits": "3"}
    events, _ = roll_out("expert", options=options, tasks=("near",), timeout_s=timeout_s)
    results = outcomes(events)
    bad = [r for r in results.values() if r.error is not None]
    assert len(results) == 10 and [(r.key.init, r.error, r.attempt) for r in bad] == [(3, kind, 3)]
    assert Counter(type(e) for e in events) == {Finished: 10, Retried: 2}
    assert sum(r.outcome is Outcome.SUCCESS for r in results.values()) == 9


def test_while_one_slot_hangs_the_other_never_pauses():
    options = {"fault": "hang", "fault_inits": "0", "step_ms": 2.0}
    events, _ = roll_out(
        "expert", options=options, tasks=("near",), timeout_s=4.0, retries=0, slots=2
    )
    order = [e.result.key.init for e in events]
    assert order[-1] == 0  # nine episodes were finished before the watchdog struck


def test_a_fault_that_passes_leaves_no_trace_in_the_result(tmp_path):
    options = {"fault": "raise-once", "fault_inits": "3", "fault_memory": str(tmp_path)}
    events, _ = roll_out("expert", options=options, tasks=("near",))
    results = outcomes(events)
    assert all(r.outcome is Outcome.SUCCESS for r in results.values())
    retried = [e.result for e in events if isinstance(e, Retried)]
    assert [(r.key.init, r.attempt) for r in retried] == [(3, 1)]
    assert next(r.attempt for k, r in results.items() if k.init == 3) == 2


@pytest.mark.parametrize("how", ["raise", "nan", "shape"])
def test_a_policys_fault_is_never_a_failure_of_the_episode_and_never_retried(how):
    events, _ = roll_out(
        f"{PROBES}:Misbehaving", policy_options={"how": how}, tasks=("near",), episodes=4
    )
    results = outcomes(events)
    assert not any(isinstance(e, Retried) for e in events)
    assert {k.init: r.error for k, r in results.items()} == {
        0: None,
        1: ErrorKind.POLICY,
        2: None,
        3: None,
    }


def test_a_policy_that_kills_its_server_is_given_up_after_its_tries(monkeypatch):
    monkeypatch.setattr("vlm4vla.rollout.engine._HARNESS_RETRIES", 2)
    events, _ = roll_out(
        f"{PROBES}:Misbehaving", policy_options={"how": "die"}, tasks=("near",), episodes=3, slots=1
    )
    results = outcomes(events)
    assert {k.init: r.error for k, r in results.items()} == {
        0: None,
        1: ErrorKind.HARNESS,
        2: None,
    }


def test_a_policy_that_cannot_be_loaded_ends_the_run_with_its_reason():
    with pytest.raises(HarnessFault, match="the weights are not there"):
        roll_out(f"{PROBES}:Unloadable")


def test_an_engine_that_is_left_early_stops_its_actors():
    plan = resolve(RunRequest("expert", "toy", options={"step_ms": 20.0}))
    with cluster() as here:
        engine = Engine(Job(plan.host, plan.suite.episodes, plan.policy), here)
        for event in engine.run():
            if isinstance(event, Finished):
                break
        actors = [engine._policy, *(place.actor for place in engine._places)]
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and any(_answers(actor) for actor in actors):
            time.sleep(0.1)
        assert not any(_answers(actor) for actor in actors)


@pytest.mark.parametrize(("step_ms", "most"), [(0.0, 2), (60.0, 1)])
def test_only_a_slot_whose_episodes_are_short_has_a_second_at_hand(step_ms, most):
    options = {"step_ms": step_ms}
    plan = resolve(RunRequest("expert", "toy", tasks=("near",), episodes=4, options=options))
    with cluster() as here:
        engine = Engine(Job(plan.host, plan.suite.episodes, plan.policy), here)
        given = [len(place.given) for _ in engine.run() for place in engine._places]
    assert max(given) == most


def test_what_a_dead_slot_had_at_hand_is_run_elsewhere():
    plan = resolve(RunRequest("expert", "toy", tasks=("near",)))
    events, killed = [], False
    with cluster() as here:
        engine = Engine(Job(plan.host, plan.suite.episodes, plan.policy), here)
        for event in engine.run():
            events.append(event)
            (place,) = engine._places
            if not killed and len(place.given) == 2:
                killed = True
                ray.kill(place.actor)
    assert killed
    results = outcomes(events)
    # The one that ran has lost an attempt; the one that waited has not.
    assert Counter(e.result.error for e in events if isinstance(e, Retried)) == {
        ErrorKind.HARNESS: 1
    }
    assert sorted(r.attempt for r in results.values()) == [1] * 9 + [2]
    assert len(results) == 10
    assert all(r.outcome is Outcome.SUCCESS for r in results.values())


def _answers(actor):
    try:
        ray.get(actor.__ray_ready__.remote(), timeout=1)
    except RayError:
        return False
    return True
