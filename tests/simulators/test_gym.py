"""The Gymnasium facade: Gymnasium's own checker, and the harness's outcomes."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from vlm4vla.core.errors import BadInput, OutOfRange, ResetNeeded, UnknownName
from vlm4vla.core.policy import Session
from vlm4vla.core.simulator import Observation
from vlm4vla.core.specs import CameraRequest, ObservationRequest, position
from vlm4vla.simulators import gym, plugin
from vlm4vla.suites.suite import load

SUITES = [
    pytest.param("toy", {}, id="toy"),
    pytest.param(
        "grinningface_val", {"robot": "panda"}, id="panda", marks=pytest.mark.grinningface
    ),
    pytest.param(
        "calvin_debug",
        {"renderer": "tiny"},
        id="calvin",
        marks=[pytest.mark.calvin, pytest.mark.assets],
    ),
]


@pytest.fixture
def toy():
    env = gym.make("toy")
    yield env
    env.close()


@pytest.mark.parametrize(("suite", "options"), SUITES)
def test_passes_gymnasiums_checker(suite, options):
    env = gym.make(suite, render_mode="rgb_array", **options)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_env(env)
    remarks = [str(w.message) for w in caught if "gymnasium" in str(w.filename)]
    # It remarks on the unbounded space, which is right for proprioception, and on nothing else.
    assert remarks and [r for r in remarks if "infinity" not in r] == []
    env.close()


@pytest.mark.parametrize(("suite", "options"), SUITES)
def test_same_actions_same_outcome_as_the_simulator_alone(suite, options):
    """The scripted expert drives the bare simulator; then its actions go through the facade."""
    start = load(suite, overrides=options).episodes[0]
    spec = plugin(load(suite).simulator).describe(options)
    world = plugin(load(suite).simulator).create(options)
    expert = _expert(suite, spec)
    session = Session(start.key)
    expert.reset([session])
    world.reset(start)
    actions, progresses, looks = [], [], []
    while not (progresses and progresses[-1].done):
        seen = world.observe(ObservationRequest(proprio=(position(),), privileged=True))
        looks.append(seen.proprio)
        for action in expert.act([seen], [session])[0].actions:
            actions.append(action)
            progresses.append(world.advance(action))
            if progresses[-1].instruction_changed:
                expert.reset([session])
            if progresses[-1].done or progresses[-1].instruction_changed:
                break
    world.close()
    assert progresses[-1].success

    env = gym.make(suite, cameras=[], **options)
    observation, info = env.reset(seed=0, options={"task": start.key.task, "init": start.key.init})
    assert info["episode_id"] == str(start.key) and info["instruction"] == start.instruction
    np.testing.assert_array_equal(observation["proprio"], looks[0])
    for action, progress in zip(actions, progresses, strict=True):
        observation, reward, terminated, truncated, info = env.step(action)
        assert (terminated, truncated) == (progress.terminated, progress.truncated)
        assert reward == float(progress.success)
        assert info["stages"] == progress.stages and info["measures"] == progress.measures
    env.close()


def _expert(suite, spec):
    module, _, name = plugin(load(suite).simulator).experts()["expert"].partition(":")
    return getattr(__import__(module, fromlist=[name]), name)(spec)


def test_observes_the_requested_cameras_as_requested():
    env = gym.make("toy", cameras=[CameraRequest("top", 64, 96, flip="vertical", colour="bgr")])
    plain = gym.make("toy", cameras=[CameraRequest("top", 64, 96)])
    where = {"task": "far", "init": 2}
    turned, upright = (e.reset(seed=1, options=where)[0]["top"] for e in (env, plain))
    assert turned.shape == env.observation_space["top"].shape == (64, 96, 3)
    assert turned.std() > 0
    np.testing.assert_array_equal(turned, upright[::-1, :, ::-1])


def test_renders_nothing_that_was_not_requested(monkeypatch):
    env = gym.make("toy", cameras=[])
    asked = []
    observe = env._simulator.observe

    def spy(request: ObservationRequest) -> Observation:
        asked.append(request.cameras)
        return observe(request)

    monkeypatch.setattr(env._simulator, "observe", spy)
    env.reset(seed=0)
    env.step(env.action_space.sample())
    assert asked == [(), ()]


def test_render_shows_the_first_camera():
    env = gym.make("toy", render_mode="rgb_array")
    observation, _ = env.reset(seed=0)
    np.testing.assert_array_equal(env.render(), observation["top"])


def test_episodes_are_drawn_from_the_seed(toy):
    def drawn(seed):
        first = toy.reset(seed=seed)[1]["episode_id"]
        return [first] + [toy.reset()[1]["episode_id"] for _ in range(5)]

    assert drawn(3) == drawn(3)
    assert len(set(drawn(3))) > 1
    assert all(name.endswith("@3") for name in drawn(3))


def test_mistakes_are_named(toy):
    with pytest.raises(ResetNeeded):
        toy.step(np.zeros(7))
    with pytest.raises(ResetNeeded):
        gym.make("toy", render_mode="rgb_array").render()
    with pytest.raises(UnknownName, match="near"):
        toy.reset(options={"task": "neer"})
    with pytest.raises(UnknownName, match="init"):
        toy.reset(options={"ini": 0})
    with pytest.raises(OutOfRange, match="0 to 9"):
        toy.reset(options={"init": 10})
    with pytest.raises(OutOfRange):
        toy.reset(seed=2**31)
    with pytest.raises(UnknownName, match="top"):
        gym.make("toy", cameras=["tip"])
    toy.reset(seed=0)
    for wrong in (np.zeros(6), np.full(7, np.nan)):
        with pytest.raises(BadInput, match=r"\(7,\) and finite"):
            toy.step(wrong)


def test_an_episode_that_ended_takes_no_more_actions(toy):
    toy.reset(seed=0)
    ended = False
    while not ended:
        *_, terminated, truncated, _ = toy.step(np.zeros(7))
        ended = terminated or truncated
    assert truncated and not terminated
    with pytest.raises(ResetNeeded):
        toy.step(np.zeros(7))
