"""The emoji task on the real simulator: order, rendering, conventions, ends, experts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.simulators.emoji_task import STATE, episode, rollout, simulator
from vlm4vla.core import rotation
from vlm4vla.core.convert import action_converter, check
from vlm4vla.core.errors import BadInput, ResetNeeded, UnknownName
from vlm4vla.core.simulator import Simulator
from vlm4vla.core.specs import ActionSpec, CameraRequest, ObservationRequest, position
from vlm4vla.simulators.grinningface.expert import BlindExpert, Expert, Plan
from vlm4vla.simulators.grinningface.plugin import GrinningFace
from vlm4vla.suites.suite import load

pytestmark = pytest.mark.grinningface
ROBOTS = ["panda", pytest.param("widowx", marks=pytest.mark.assets)]


def _idle(**changes: float) -> np.ndarray:
    action = np.zeros(7)
    action[6] = 1.0
    for name, value in changes.items():
        action["x y z rx ry rz gripper".split().index(name)] = value
    return action


@pytest.mark.parametrize("robot", ROBOTS)
def test_an_episode_depends_on_nothing_before_it(robot: str) -> None:
    world, start = simulator(robot), episode(robot, init=3)
    rollout(world, episode(robot, init=1), robot, pictures=20)
    after = rollout(world, start, robot, pictures=5)
    again = rollout(world, start, robot, pictures=5)
    alone = rollout(simulator(robot), start, robot, pictures=5)
    assert after.progress.success
    assert after.digests == again.digests == alone.digests
    assert after.pictures == again.pictures == alone.pictures
    assert len(set(after.pictures)) > len(after.pictures) // 2  # they do show the motion
    fresh = subprocess.run(
        [sys.executable, "-m", "tests.simulators.emoji_task", robot, "3", "5"],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert fresh.stdout.split() == ["True", *after.digests, *after.pictures]


@pytest.mark.parametrize("robot", ROBOTS)
def test_looking_at_every_step_changes_nothing(robot: str) -> None:
    start = episode(robot, init=2)
    seen = rollout(simulator(robot), start, robot, pictures=1)
    unseen = rollout(simulator(robot), start, robot)
    assert seen.progress == unseen.progress
    assert seen.digests == unseen.digests


def test_no_picture_opens_no_renderer(tmp_path: Path) -> None:
    """Where no renderer exists at all, an expert's episode still runs."""
    none = dict.fromkeys(("VK_ICD_FILENAMES", "VK_DRIVER_FILES"), str(tmp_path / "none.json"))
    command = [sys.executable, "-m", "tests.simulators.emoji_task", "panda", "0"]
    run = subprocess.run(
        [*command, "0"], env=os.environ | none, capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0 and run.stdout.startswith("True")
    refused = subprocess.run(
        [*command, "1"], env=os.environ | none, capture_output=True, text=True, timeout=120
    )
    assert refused.returncode == 1
    assert "RendererUnavailable" in refused.stderr and "apt-get install" in refused.stderr


@pytest.mark.parametrize("robot", ROBOTS)
def test_an_idle_episode_is_cut_off_and_recognises_nothing(robot: str) -> None:
    world, start = simulator(robot), episode(robot)
    world.reset(start)
    steps = 0
    while True:
        progress = world.advance(_idle())
        steps += 1
        if progress.done:
            break
    assert (steps, progress.truncated, progress.terminated) == (200, True, False)
    assert not any(progress.stages.values())
    assert progress.measures == {
        "picked": 0.0, "executed": 0.0, "recognised": None, "success_paper": 0.0,
    }  # fmt: skip
    cube = world.observe(STATE).privileged["cube"]
    np.testing.assert_allclose(cube[:2], start.setup["cube_xy"], atol=1e-3)
    with pytest.raises(ResetNeeded):
        world.advance(_idle())


def test_nothing_before_reset() -> None:
    world = simulator("panda")
    assert isinstance(world, Simulator)
    with pytest.raises(ResetNeeded):
        world.advance(_idle())
    with pytest.raises(ResetNeeded):
        world.observe(STATE)


@pytest.mark.parametrize("robot", ROBOTS)
@pytest.mark.parametrize("card", [0, 1, 2])
def test_a_placement_on_any_card_ends_the_episode(robot: str, card: int) -> None:
    class Stubborn(Expert):
        def choose(self, state, session):
            return card

    start = episode(robot, init=5)
    played = rollout(simulator(robot), start, robot, Stubborn)
    right = card == start.setup["target"]
    assert played.progress.terminated and not played.progress.truncated
    assert played.progress.success == right
    assert played.progress.measures == {
        "picked": 1.0, "executed": 1.0, "recognised": float(right), "success_paper": float(right),
    }  # fmt: skip
    assert all(played.progress.stages.values())


@pytest.mark.parametrize("robot", ROBOTS)
def test_actions_mean_what_the_spec_says(robot: str) -> None:
    """A turn and a shift given in SI units arrive as such, through the converter."""
    world = simulator(robot)
    spec = GrinningFace().describe({"robot": robot}).action
    policy = ActionSpec(rotation="rotvec", gripper=spec.gripper)
    convert = action_converter(policy, spec)
    world.reset(episode(robot))
    before = world.observe(STATE).privileged["tcp"]
    for _ in range(5):
        world.advance(convert(np.array([0.01, -0.006, 0.004, 0.0, 0.0, 0.05, 1.0])))
    for _ in range(40):
        world.advance(convert(np.array([0, 0, 0, 0, 0, 0, 1.0])))
    after = world.observe(STATE).privileged["tcp"]
    np.testing.assert_allclose(after[:3] - before[:3], [0.05, -0.03, 0.02], atol=2e-3)
    turned = (
        rotation.to_matrix(after[3:], "quat_wxyz") @ rotation.to_matrix(before[3:], "quat_wxyz").T
    )
    np.testing.assert_allclose(rotation.from_matrix(turned, "rotvec"), [0, 0, 0.25], atol=0.01)


@pytest.mark.assets
def test_the_papers_gripper_closes_half_way_and_still_holds_the_cube() -> None:
    openings = {}
    for gripper, closed in (("default", -1.0), ("paper", 0.0)):
        world = simulator("widowx", gripper=gripper)
        spec = GrinningFace().describe({"robot": "widowx", "gripper": gripper}).action
        assert spec.gripper is not None and spec.gripper.closed == closed
        world.reset(episode("widowx"))
        for _ in range(20):
            world.advance(_idle(gripper=closed))
        openings[gripper] = world.observe(STATE).proprio[6] * 0.08
        start = episode("widowx", init=4)
        assert rollout(world, start, "widowx", gripper=gripper).progress.success
    # The drive pulls to 0.015 m a finger, which is also where the fingers' own range ends.
    assert openings["paper"] == pytest.approx(0.03, abs=2e-3)
    assert openings["default"] <= openings["paper"] + 1e-4


def test_the_two_proprioceptions() -> None:
    proprio = {}
    for reading in ("corrected", "paper"):
        world = simulator("panda", proprio=reading)
        world.reset(episode("panda"))
        seen = world.observe(STATE)
        proprio[reading], quaternion = seen.proprio, seen.privileged["tcp"][3:]
    np.testing.assert_array_equal(proprio["corrected"][:3], proprio["paper"][:3])
    matrix = rotation.to_matrix(proprio["corrected"][3:6], "euler_xyz")
    np.testing.assert_allclose(matrix, rotation.to_matrix(quaternion, "quat_wxyz"), atol=1e-9)
    misread = rotation.to_matrix(proprio["paper"][3:6], "euler_xyz")
    np.testing.assert_allclose(misread, rotation.to_matrix(quaternion, "quat_xyzw"), atol=1e-9)
    assert np.abs(matrix - misread).max() > 0.5


@pytest.mark.parametrize("robot", ROBOTS)
@pytest.mark.parametrize("suite", ["id", "train", "val", "hard"])
def test_expert_succeeds(robot: str, suite: str) -> None:
    world = simulator(robot)
    played = [
        rollout(world, start, robot)
        for start in load(f"grinningface_{suite}", overrides={"robot": robot}).episodes
    ]
    assert sum(each.progress.success for each in played) >= 97
    assert max(len(each.actions) for each in played) <= 120


@pytest.mark.parametrize("robot", ROBOTS)
def test_blind_expert_executes_alike_and_recognises_by_chance(robot: str) -> None:
    world = simulator(robot)
    counts: Counter[str] = Counter()
    starts = load("grinningface_val", overrides={"robot": robot}).episodes
    for start in starts:
        played = rollout(world, start, robot, BlindExpert)
        assert played.session is not None and isinstance(played.session.memory, Plan)
        chosen = played.session.memory.card
        measures = played.progress.measures
        if measures["executed"]:
            assert measures["recognised"] == float(chosen == start.setup["target"])
        counts["success"] += played.progress.success
        counts["executed"] += int(measures["executed"] or 0)
        counts["recognised"] += int(measures["recognised"] or 0)
        counts[f"card {chosen}"] += 1
    assert counts["executed"] >= 97
    assert counts["success"] == counts["recognised"]  # overall = execution x recognition
    assert abs(counts["recognised"] - 100 / 3) <= 3 * np.sqrt(100 * 2 / 9)
    assert min(counts[f"card {i}"] for i in range(3)) >= 15


def test_experts_fit_the_simulator_and_see_no_image() -> None:
    spec = GrinningFace().describe({"robot": "panda"})
    for policy in (Expert, BlindExpert):
        declared = policy.describe(spec)
        check(declared, spec)
        assert declared.privileged and not declared.request.cameras


def test_options_are_checked(tmp_path: Path) -> None:
    plugin = GrinningFace()
    for options in ({"robto": "panda"}, {"robot": "ur5"}, {"gripper": "soft"}):
        with pytest.raises(UnknownName):
            plugin.describe(options)
    with pytest.raises(BadInput, match="cannot hold"):
        plugin.describe({"robot": "panda", "gripper": "paper"})
    with pytest.raises(BadInput, match="no folder"):
        plugin.preflight({"robot": "panda", "art": str(tmp_path / "none")}, rendering=True)


def test_preflight_states_what_numbers_depend_on() -> None:
    plugin = GrinningFace()
    facts = plugin.preflight({"robot": "panda"}, rendering=True)
    assert facts["sapien"] and facts["mani_skill"] and facts["renderer"]
    assert "Noto Color Emoji" in facts["art"]
    unseen = plugin.preflight({"robot": "panda", "labels": "official"}, rendering=False)
    assert "renderer" not in unseen and "art" not in unseen
    assert unseen == {key: facts[key] for key in unseen}


def test_observation_gives_only_what_is_asked() -> None:
    world = simulator("panda")
    world.reset(episode("panda"))
    spec = GrinningFace().describe({"robot": "panda"}).observation
    bare = world.observe(ObservationRequest())
    assert not bare.images and bare.proprio is None and not bare.privileged
    full = world.observe(ObservationRequest((CameraRequest("view"),), (position(),), True))
    assert full.image("view").shape == (224, 224, 3) and full.image("view").dtype == np.uint8
    assert len(full.proprio) == spec.proprio_size
    assert tuple(full.privileged) == spec.privileged


def test_pictures_that_are_not_the_papers_own_are_stand_ins(tmp_path):
    """Apple's emoji under ray tracing: neither can be had, so whoever looks is marked."""
    art = tmp_path / "art"
    art.mkdir()
    (art / "1F600.png").write_bytes(b"a picture")
    looks = {"robot": "panda"}, {"robot": "panda", "art": str(art)}
    told = [GrinningFace().preflight(options, True) for options in looks]
    shader = "SAPIEN's default for ray tracing"
    assert [facts["stand_in.art"] for facts in told] == [
        "Noto Color Emoji for Apple's",
        "a folder of unchecked pictures for Apple's",
    ]
    assert {facts["stand_in.shader"] for facts in told} == {shader}
    blind = GrinningFace().preflight(looks[0], False)
    assert [name for name in blind if name.startswith("stand_in")] == ["stand_in.robot"]
