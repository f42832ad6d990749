"""Our direct SAPIEN scene against ManiSkill3's own classes, step by step."""

from __future__ import annotations

import numpy as np
import pytest

from tests.simulators.emoji_task import STATE, episode, rollout, simulator

pytestmark = [
    pytest.mark.grinningface,
    pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning"),  # ManiSkill3's own
]
ROBOTS = ["panda", pytest.param("widowx", marks=pytest.mark.assets)]


@pytest.mark.parametrize("robot", ROBOTS)
@pytest.mark.parametrize("motion", ["expert", "random"])
def test_same_actions_same_motion(robot: str, motion: str) -> None:
    from tests.simulators.maniskill_reference import Reference

    start = episode(robot, init=1)
    if motion == "expert":
        actions = rollout(simulator(robot), start, robot).actions
    else:
        rng = np.random.default_rng(0)
        scale = np.array([0.3, 0.3, 0.3, 1, 1, 1, 1])
        actions = list(rng.uniform(-1, 1, (60, 7)) * scale + [0, 0, 0.05, 0, 0, 0, 0])
    ours = simulator(robot)
    ours.reset(start)
    theirs = Reference(robot, start.setup)
    theirs.reset(seed=0)
    grasps = 0
    for action in [None, *actions]:
        if action is not None:
            ours.advance(action)
            theirs.step(action.astype(np.float32))
        state = ours.observe(STATE).privileged
        tcp, cube, grasped = theirs.measured()
        np.testing.assert_allclose(state["tcp"][:3], tcp[:3], atol=2e-5)
        np.testing.assert_allclose(state["cube"][:3], cube[:3], atol=1e-4)
        assert abs(float(state["tcp"][3:] @ tcp[3:])) > np.cos(np.radians(0.1) / 2)
        assert bool(state["grasped"][0]) == grasped
        grasps += grasped
    theirs.close()
    assert (grasps > 10) == (motion == "expert")
