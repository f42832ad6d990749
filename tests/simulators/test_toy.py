"""The toy: solvable, honest about its stages, unchanged by being looked at, faulty on request."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from vlm4vla.core.errors import BadInput, ResetNeeded, SimulatorFault
from vlm4vla.core.policy import Session
from vlm4vla.core.specs import CameraRequest, ObservationRequest, position
from vlm4vla.simulators import plugin
from vlm4vla.simulators.toy.expert import ToyExpert
from vlm4vla.suites.suite import load

STATE = ObservationRequest(privileged=True)
ALL = ObservationRequest((CameraRequest("top", 48, 64),), proprio=(position(),), privileged=True)
SPEC = plugin("toy").describe({})


def rollout(world, episode, look=STATE, looks=1):
    """Every progress of the expert's episode."""
    expert, session = ToyExpert(SPEC), Session(episode.key)
    world.reset(episode)
    progresses = []
    while not progresses or not progresses[-1].done:
        for _ in range(looks):
            seen = world.observe(look)
        progresses.append(world.advance(expert.act([seen], [session])[0].actions[0]))
    return progresses


@pytest.fixture
def world():
    return plugin("toy").create({})


def test_the_expert_solves_every_episode(world):
    for episode in load("toy").episodes:
        end = rollout(world, episode)[-1]
        assert end.success and end.terminated and all(end.stages.values()), str(episode.key)
        assert end.measures["distance"] < 0.06
        assert all(type(reached) is bool for reached in end.stages.values())


def test_stages_are_latched_and_come_in_their_declared_order(world):
    for episode in load("toy").episodes[:5]:
        progresses = rollout(world, episode)
        first = [next(i for i, p in enumerate(progresses) if p.stages[s]) for s in SPEC.stages]
        assert first == sorted(first)
        for before, after in pairwise(progresses):
            assert all(after.stages[s] >= before.stages[s] for s in SPEC.stages)


def test_looking_changes_nothing_and_neither_does_what_came_before(world):
    first, second = load("toy").episodes[:2]
    alone = rollout(world, first)
    rollout(world, second)
    assert rollout(world, first, ALL, looks=3) == alone


def test_another_seed_trembles_otherwise(world):
    episode = load("toy").episodes[0]
    other = load("toy").narrowed(seed=1).episodes[0]
    assert rollout(world, episode) != rollout(world, other)


def test_doing_nothing_is_cut_off_without_success(world):
    episode = load("toy").episodes[0]
    world.reset(episode)
    ends = [world.advance(np.zeros(7)) for _ in range(episode.max_steps)]
    assert [p.truncated for p in ends] == [False] * (episode.max_steps - 1) + [True]
    assert not any(p.success or p.terminated for p in ends)


def test_a_drawing_shows_pad_puck_and_hand_where_they_are(world):
    episode = load("toy").episodes[0]
    world.reset(episode)
    seen = world.observe(ObservationRequest((CameraRequest("top", 200, 300),), privileged=True))
    frame = seen.image("top")
    assert frame.shape == (200, 300, 3) and frame.dtype == np.uint8
    for name, colour in (("puck", (200, 70, 50)), ("pad", (60, 120, 180))):
        rows, columns = np.nonzero((frame == colour).all(-1))
        x, y = seen.privileged[name][:2]
        assert (
            abs(columns.mean() / 299 - 0.5 - x) < 0.03 and abs(0.5 - rows.mean() / 199 - y) < 0.03
        )


def test_an_empty_request_sees_nothing(world):
    world.reset(load("toy").episodes[0])
    seen = world.observe(ObservationRequest())
    assert not seen.images and seen.proprio is None and not seen.privileged


def test_nothing_goes_before_reset(world):
    for call in (lambda: world.advance(np.zeros(7)), lambda: world.observe(ALL)):
        with pytest.raises(ResetNeeded):
            call()


def test_a_fault_strikes_at_the_third_step_of_its_inits_only(tmp_path):
    options = {"fault": "raise-once", "fault_inits": "1", "fault_memory": str(tmp_path)}
    world, (sound, faulty) = plugin("toy").create(options), load("toy").episodes[:2]
    assert rollout(world, sound)[-1].success
    world.reset(faulty)
    for _ in range(2):
        world.advance(np.zeros(7))
    with pytest.raises(SimulatorFault):
        world.advance(np.zeros(7))
    assert rollout(plugin("toy").create(options), faulty)[-1].success  # once, across processes


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"steps_ms": 3}, "Did you mean step_ms"),
        ({"step_ms": "abc"}, "abc"),
        ({"step_ms": -1}, "-1"),
        ({"step_ms": float("nan")}, "nan"),
        ({"fault": "hangs"}, "Did you mean hang"),
        ({"fault_inits": "3;4"}, "not a list of numbers"),
        ({"fault_memory": "none"}, "not a folder"),
    ],
)
def test_options_are_checked(options, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # no folder of any name is here
    with pytest.raises(BadInput, match=said):
        plugin("toy").describe(options)
