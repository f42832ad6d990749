"""The play table itself: four scenes, two ways to command it, lights, and independence of order."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pybullet")

from tests.simulators.calvin_hand import CLOSED, HOME, Hand, start, table
from vlm4vla.core.assets import locate
from vlm4vla.core.environment import load_environment
from vlm4vla.core.errors import UnknownName
from vlm4vla.simulators.calvin.oracle import solved_tasks
from vlm4vla.simulators.calvin.renderer import picture
from vlm4vla.simulators.calvin.robot import TRANSLATION, TURN
from vlm4vla.simulators.calvin.scenes import SCENES, scene
from vlm4vla.simulators.calvin.world import PlayTable

pytestmark = [pytest.mark.calvin, pytest.mark.assets]

STILL = np.array([0, 0, 0, 0, 0, 0, 1.0])


def walk(
    world: PlayTable, seed: int, steps: int = 60, look: Callable[[], object] = lambda: None
) -> np.ndarray:
    """States (steps, 39): down into the blocks, then about there at random."""
    random, states = np.random.default_rng(seed), []
    for step in range(steps):
        action = random.uniform(-1, 1, 7)
        if step < 12:
            action[:3] = 0.1, 0.45, -0.5
        action[6] = np.sign(action[6])
        world.step_rel(action)
        states.append(np.concatenate([world.robot_obs(), world.scene_obs()]))
        look()
    return np.array(states)


@pytest.mark.parametrize("name", SCENES)
def test_a_scene_stands_as_it_was_put(name):
    put = start(name, slide=0.1, drawer=0.15)
    world = PlayTable(scene(name), locate("calvin", "data"))
    world.reset(HOME, put)
    seen = world.scene_obs()
    np.testing.assert_allclose(seen[:6], put[:6], atol=1e-4)
    np.testing.assert_allclose(world.robot_obs()[7:14], HOME[7:14], atol=2e-3)
    for block, pose in zip(world.scene.blocks, seen[6:].reshape(3, 6), strict=True):
        corners = np.array(world.bullet.getAABB(world.blocks[block.name]))
        along_y, along_x, up = np.ptp(corners, axis=0)[[1, 0, 2]] / 2  # blocks lie across
        np.testing.assert_allclose((along_y, along_x, up), block.half_extents, atol=2e-3)
        np.testing.assert_allclose(pose[:3], corners.mean(0), atol=2e-3)
    assert world.robot.uid == 0 and world.table.uid == 5
    assert sorted(world.blocks.values()) == [2, 3, 4]
    assert world.bullet.getNumBodies() == 7


@pytest.mark.parametrize("name", SCENES)
def test_the_button_of_every_scene_lights_its_led(name):
    world = table(name)
    hand, before = Hand(world, CLOSED), world.snapshot()
    link = world.table.links["button_link"]
    x, y, top = np.mean(world.bullet.getAABB(world.table.uid, link), axis=0)
    hand.go(x, y, top + 0.12)
    dark = picture(world, "static")
    hand.go(x, y, top - 0.02)
    assert "turn_on_led" in solved_tasks(before, world.snapshot())
    hand.go(x, y, top + 0.12)
    green = np.array([0, 1, 0])
    shining = picture(world, "static").astype(int) - dark.astype(int)
    assert (np.sign(shining) == green - 1).all(-1).sum() > 20, "white to green loses red and blue"


def test_scenes_look_different_and_their_names_are_checked():
    views = {name: picture(table(name), "static") for name in SCENES}
    for name, view in views.items():
        assert view.shape == (200, 200, 3) and view.dtype == np.uint8
        others = [v for n, v in views.items() if n != name]
        assert all(np.abs(view.astype(int) - other).mean() > 5 for other in others)
    with pytest.raises(UnknownName, match="calvin_scene_D"):
        scene("calvin_scene_d")


def test_the_data_that_is_fetched_is_all_that_is_needed(tmp_path: Path):
    source = locate("calvin", "data")
    for name in load_environment("calvin").asset("data").files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / name, tmp_path / name)
    for chosen in SCENES.values():
        ours, theirs = PlayTable(chosen, tmp_path), PlayTable(chosen, source)
        for world in (ours, theirs):
            world.reset(HOME, start(chosen.name))
        for camera in ("static", "gripper"):
            np.testing.assert_array_equal(picture(ours, camera), picture(theirs, camera))
        np.testing.assert_array_equal(walk(ours, 1, 10), walk(theirs, 1, 10))


def test_what_came_before_leaves_no_trace():
    world = PlayTable(scene("calvin_scene_D"), locate("calvin", "data"))
    starts = [start(slide=0.28), start(drawer=0.22, led=1), start(bulb=1)]
    alone = []
    for index, put in enumerate(starts):
        fresh = PlayTable(scene("calvin_scene_D"), locate("calvin", "data"))
        fresh.reset(HOME, put)
        alone.append(walk(fresh, index))
        blocks = alone[-1][:, [21, 22, 27, 28, 33, 34]]
        assert np.ptp(blocks, axis=0).max() > 0.005, "nothing was touched: too easy"
    for index in (2, 0, 1, 1, 2):
        world.reset(HOME, starts[index])
        np.testing.assert_array_equal(walk(world, index), alone[index])


def test_looking_changes_nothing():
    put = start(drawer=0.22)
    worlds = [PlayTable(scene("calvin_scene_D"), locate("calvin", "data")) for _ in range(2)]
    for world in worlds:
        world.reset(HOME, put)
    blind, seeing = worlds

    def look() -> None:
        picture(seeing, "static")
        picture(seeing, "gripper")
        seeing.snapshot()

    np.testing.assert_array_equal(walk(seeing, 1, 30, look), walk(blind, 1, 30))


def test_relative_actions_add_up_on_the_commanded_pose():
    relative, absolute = table(), table()
    place = relative.robot.target_position
    turn = relative.robot.target_euler
    random = np.random.default_rng(2)
    for _ in range(30):
        action = np.append(random.uniform(-1, 1, 6), 1.0)
        place = place + TRANSLATION * action[:3]
        turn = turn + TURN * action[3:6]
        relative.step_rel(action)
        absolute.step_abs(np.array([*place, *turn, 1.0]))
        np.testing.assert_array_equal(relative.robot_obs(), absolute.robot_obs())
    assert np.abs(relative.robot_obs()[:3] - place).max() > 1e-4, "the arm lags behind"


def test_fingers_open_and_close():
    world = table()
    for gripper, width in ((-1.0, 0.0), (1.0, 0.08)):
        for _ in range(15):
            world.step_rel(np.append(np.zeros(6), gripper))
        assert world.robot_obs()[6] == pytest.approx(width, abs=2e-3)
        assert world.robot_obs()[14] == gripper


def test_a_switch_that_starts_up_lights_its_bulb():
    world = table(bulb=1)
    assert world.table.lights["lightbulb"] == 1
    world.step_rel(STILL)
    assert world.table.lights["lightbulb"] == 1


def test_an_led_that_starts_lit_is_put_out_by_the_button():
    world = table(led=1)
    hand, before = Hand(world, CLOSED), world.snapshot()
    hand.go(-0.12, -0.12, 0.59)
    hand.go(-0.12, -0.12, 0.457)
    assert solved_tasks(before, world.snapshot()) == {"turn_off_led"}
