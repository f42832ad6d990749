"""The Bridge suites: upstream's grid as its code writes it, and what goes beyond it."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from vlm4vla.core.errors import OutOfRange
from vlm4vla.suites.simpler_bridge import GRID, SHIFT, TASKS, TURN, episodes
from vlm4vla.suites.suite import load

ON_THE_TABLE = ("spoon", "carrot", "cube")


def starts(suite: str, task: str) -> np.ndarray:
    """(episodes, 2, 3): x, y and yaw of source and target."""
    found = np.array([e.setup["starts"] for e in load(suite).episodes if e.key.task == task])
    yaw = 2 * np.arctan2(found[..., 5], found[..., 2])
    return np.concatenate([found[..., :2], yaw[..., None]], -1)


def test_the_official_grid_has_24_episodes_a_task_and_its_own_limits():
    suite = load("simpler_bridge")
    assert Counter(e.key.task for e in suite.episodes) == dict.fromkeys(suite.tasks, GRID)
    limits = {e.key.task: (e.max_steps, e.instruction) for e in suite.episodes}
    assert limits == {
        "spoon": (60, "put the spoon on the towel"),
        "carrot": (60, "put carrot on plate"),
        "cube": (60, "stack the green block on the yellow block"),
        "eggplant": (120, "put eggplant into yellow basket"),
    }
    assert suite.success == "last"


def test_the_grid_is_upstreams():
    """Written out by hand from put_on_in_scene.py: a few of its episodes."""
    low, high = -0.235, -0.085
    spoon = starts("simpler_bridge", "spoon")
    np.testing.assert_allclose(spoon[0], [[low, -0.075, 0], [low, 0.075, 0]], atol=1e-7)
    np.testing.assert_allclose(spoon[5], [[low, -0.075, math.pi / 2], [high, 0.075, 0]], atol=1e-7)
    np.testing.assert_allclose(spoon[23, 0], [high, 0.075, math.pi / 2], atol=1e-7)
    cube = starts("simpler_bridge", "cube")
    np.testing.assert_allclose(cube[0], [[-0.21, -0.05, 0], [-0.21, 0.05, 0]], atol=1e-7)
    np.testing.assert_allclose(cube[12, 0], [-0.26, -0.1, 0], atol=1e-7)
    eggplant = starts("simpler_bridge", "eggplant")
    np.testing.assert_allclose(eggplant[2, 0], [-0.115, 0.191, -math.pi / 4], atol=1e-7)
    np.testing.assert_allclose(eggplant[23, 0], [-0.095, 0.221, -math.pi / 4], atol=1e-7)
    np.testing.assert_allclose(eggplant[:, 1, :2], [[-0.125, 0.025]] * GRID, atol=1e-7)


def test_a_repeated_grid_plays_each_pose_three_times():
    for task in (*ON_THE_TABLE, "eggplant"):
        poses = starts("simpler_bridge_repeated", task)
        assert len(poses) == 3 * GRID
        np.testing.assert_array_equal(poses[:GRID], poses[2 * GRID :])


def test_a_jitter_stays_near_the_grid_and_moves_no_basket():
    for task in (*ON_THE_TABLE, "eggplant"):
        off = starts("simpler_bridge_jitter", task) - np.tile(
            starts("simpler_bridge", task), (4, 1, 1)
        )
        off[..., 2] = (off[..., 2] + math.pi) % (2 * math.pi) - math.pi
        assert np.abs(off[..., :2]).max() <= SHIFT + 1e-6
        assert np.abs(off[..., 2]).max() <= TURN + 1e-6
        assert len(np.unique(off[:, 0], axis=0)) == 4 * GRID
        assert np.abs(off[:, 1]).max() < 1e-6 if task == "eggplant" else np.any(off[:, 1])


def test_altered_things_lie_within_the_grids_bounds_and_apart():
    for task in ON_THE_TABLE:
        grid, altered = starts("simpler_bridge", task), starts("simpler_bridge_altered", task)
        for axis in (0, 1):
            assert altered[..., axis].min() >= grid[..., axis].min() - 1e-6
            assert altered[..., axis].max() <= grid[..., axis].max() + 1e-6
        apart = np.linalg.norm(altered[:, 0, :2] - altered[:, 1, :2], axis=1).min()
        assert apart >= TASKS[task].apart - 1e-6
    found = load("simpler_bridge_altered").episodes
    arms = np.array([e.setup["arm"] for e in found if "arm" in e.setup])
    assert arms.shape == (4 * 2 * GRID, 6) and 0.015 < arms.std() < 0.025
    assert sum("supported" in e.setup for e in found) == GRID


def test_another_seed_draws_other_poses_and_the_grid_takes_none():
    arguments = {"poses": "jitter"}
    one, same, other = (
        [e.setup for e in episodes("s", arguments | {"seed": seed}, {})] for seed in (1, 1, 2)
    )
    assert one == same and one != other
    with pytest.raises(OutOfRange, match="drawn from no seed"):
        episodes("s", {"seed": 1}, {})


def test_a_longer_suite_begins_as_a_shorter_one():
    few = episodes("s", {"poses": "jitter", "repeats": 1}, {})
    more = {e.key: e for e in episodes("s", {"poses": "jitter", "repeats": 2}, {})}
    assert all(more[e.key] == e for e in few)


def test_vlm4vlas_ways_of_executing_have_names():
    ways = {
        name: load("simpler_bridge", name).execution
        for name in ("default", "vlm4vla", "vlm4vla_half", "vlm4vla_first")
    }
    assert ways == {
        "default": "", "vlm4vla": "4+votes2", "vlm4vla_half": "2+votes2",
        "vlm4vla_first": "1+votes2",
    }  # fmt: skip
