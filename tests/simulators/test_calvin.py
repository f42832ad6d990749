"""CALVIN behind the simulator contract: chains, instructions, measures, options, facts."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pybullet")

from tests.simulators.calvin_hand import CLOSED, HOME, Hand, start
from vlm4vla.core.assets import locate
from vlm4vla.core.episode import Episode, EpisodeKey
from vlm4vla.core.errors import (
    BadInput,
    InvalidFile,
    MissingAsset,
    ResetNeeded,
    SpecMismatch,
    UnknownName,
)
from vlm4vla.core.specs import CameraRequest, ObservationRequest, position
from vlm4vla.simulators.calvin.oracle import TASKS
from vlm4vla.simulators.calvin.plugin import Calvin
from vlm4vla.simulators.calvin.scenes import scene
from vlm4vla.simulators.calvin.simulator import CalvinSimulator
from vlm4vla.simulators.calvin.world import PlayTable
from vlm4vla.suites.suite import load

pytestmark = [pytest.mark.calvin, pytest.mark.assets]

BOTH = (CameraRequest("static"), CameraRequest("gripper"))
STILL = np.array([0, 0, 0, 0, 0, 0, 1.0])
CHAIN = ("turn_on_led", "open_drawer", "push_red_block_left")
"""Two subtasks that `actions` do, and one that they do not."""


def episode(subtasks: tuple[str, ...] = CHAIN, steps: int = 360, **setup: object) -> Episode:
    return Episode(
        EpisodeKey("test", "chain", 0),
        f"please {subtasks[0]}",
        1800,
        {
            "scene": "calvin_scene_D",
            "robot_obs": list(HOME),
            "scene_obs": list(start()),
            "subtasks": list(subtasks),
            "instructions": [f"please {task}" for task in subtasks],
            "steps_per_subtask": steps,
            **setup,
        },
    )


def simulator(**options: str) -> CalvinSimulator:
    made = Calvin().create({"renderer": "tiny", **options})
    assert isinstance(made, CalvinSimulator)
    return made


@cache
def actions() -> np.ndarray:
    """Absolute actions (n, 7) that press the button and then pull the drawer open."""
    world = PlayTable(scene("calvin_scene_D"), locate("calvin", "data"))
    world.reset(HOME, start())
    hand = Hand(world, CLOSED)
    for place in ((-0.12, -0.12, 0.59), (-0.12, -0.12, 0.457), (-0.12, -0.20, 0.6),
                  (0.18, -0.325, 0.55), (0.18, -0.235, 0.52), (0.18, -0.235, 0.35),
                  (0.18, -0.48, 0.35)):  # fmt: skip
        hand.go(*place)
    return np.array(hand.actions)


def test_a_chain_goes_from_one_subtask_to_the_next():
    world = simulator(control="absolute")
    world.reset(episode())
    changes, said, seen = [], [], []
    for step, action in enumerate(actions()):
        said.append(world.observe(ObservationRequest()).instruction)
        progress = world.advance(action)
        seen.append(progress)
        if progress.instruction_changed:
            changes.append(step)
        assert not progress.done and not progress.success
    assert len(changes) == 2
    first, second = changes
    assert said[: first + 1] == ["please turn_on_led"] * (first + 1)
    assert said[first + 1 : second + 1] == ["please open_drawer"] * (second - first)
    assert world.observe(ObservationRequest()).instruction == "please push_red_block_left"
    assert [p.measures["solved"] for p in seen] == [
        0.0 if step < first else 1.0 if step < second else 2.0 for step in range(len(seen))
    ]
    named = {k: v for k, v in seen[-1].measures.items() if v is not None}
    assert named == {
        "solved": 2.0, "turn_on_led": 1.0, "open_drawer": 1.0, "push_red_block_left": 0.0,
    }  # fmt: skip
    assert [k for k, reached in seen[-1].stages.items() if reached] == ["solved_1", "solved_2"]
    attempted = {k for k, v in seen[0].measures.items() if v is not None}
    assert attempted == {"solved", "turn_on_led"}, "no subtask counts before it begins"


def test_a_complete_chain_ends():
    world = simulator(control="absolute")
    world.reset(episode(CHAIN[:2]))
    script = iter(actions())
    progress = world.advance(next(script))
    while not progress.done:
        progress = world.advance(next(script))
    assert progress.success and progress.terminated and not progress.truncated
    assert not progress.instruction_changed, "nothing is left to be asked for"
    assert progress.measures["solved"] == 2.0
    with pytest.raises(ResetNeeded):
        world.advance(STILL)
    assert world.observe(ObservationRequest()).instruction == "please open_drawer"


def test_each_subtask_has_its_own_steps():
    """The clock starts anew with each instruction, and a subtask that runs out ends the chain."""
    probe = simulator(control="absolute")
    probe.reset(episode())
    first = next(i for i, a in enumerate(actions(), 1) if probe.advance(a).instruction_changed)
    world = simulator(control="absolute")
    world.reset(episode(steps=first))  # just enough for the first, not for the second
    results = [world.advance(action) for action in actions()[: 2 * first]]
    assert not any(progress.done for progress in results[:-1])
    assert results[-1].truncated and not results[-1].terminated and not results[-1].success
    assert results[-1].measures["solved"] == 1.0 and results[-1].measures["open_drawer"] == 0.0
    assert results[-1].measures["push_red_block_left"] is None


def test_a_subtask_is_judged_from_its_own_beginning():
    """What was done before it was asked for does not count."""
    world = simulator(control="absolute")
    world.reset(episode(("open_drawer", "turn_on_led")))
    for action in actions():
        progress = world.advance(action)
    assert world.observe(ObservationRequest(privileged=True)).privileged["scene_obs"][5] == 1.0
    assert progress.measures["open_drawer"] == 1.0 and progress.measures["turn_on_led"] == 0.0


def test_the_gripper_is_read_by_its_sign_and_nothing_else_is_clipped():
    one, other = simulator(), simulator()
    for world in (one, other):
        world.reset(episode())
    for opening in (0.2, -0.3, 0.0):
        one.advance(np.array([0, 0, 2.5, 0, 0, 0, opening]))
        other.advance(np.array([0, 0, 2.5, 0, 0, 0, 1.0 if opening > 0 else -1.0]))
    seen = [
        w.observe(ObservationRequest(proprio=(position(),), privileged=True)) for w in (one, other)
    ]
    np.testing.assert_array_equal(seen[0].proprio, seen[1].proprio)
    assert seen[0].proprio[14] == -1.0
    begun = simulator()
    begun.reset(episode())
    before = begun.observe(ObservationRequest(privileged=True)).privileged["target"]
    risen = seen[0].privileged["target"] - before
    assert risen[2] == pytest.approx(3 * 2.5 * 0.02) and np.abs(risen[[0, 1, 3, 4, 5]]).max() == 0


def test_observation_gives_only_what_is_asked():
    world = simulator()
    world.reset(episode())
    spec = Calvin().describe({}).observation
    bare = world.observe(ObservationRequest())
    assert not bare.images and bare.proprio is None and not bare.privileged
    full = world.observe(ObservationRequest(BOTH, proprio=(position(),), privileged=True))
    for camera in spec.cameras:
        frame = full.image(camera.name)
        assert frame.shape == (camera.height, camera.width, 3) and frame.dtype == np.uint8
        assert frame.std() > 10
    assert full.proprio.shape == (spec.proprio_size,)
    assert tuple(full.privileged) == spec.privileged
    state = full.privileged
    assert state["robot_obs"].shape == (15,) and state["scene_obs"].shape == (24,)
    assert TASKS[int(state["task"][0])] == "turn_on_led"
    np.testing.assert_allclose(state["target"][:3], state["robot_obs"][:3], atol=2e-3)
    assert state["half_extents"].tolist()[0] == [0.028, 0.02, 0.02]
    assert state["touched"].tolist() == [0, 0, 0]


def digests(start_at: Episode, world: CalvinSimulator | None = None) -> list[str]:
    """Of everything a chain shows under fixed actions."""
    world = world or simulator()
    world.reset(start_at)
    random, found = np.random.default_rng(3), []
    for step in range(40):
        action = random.uniform(-1, 1, 7)
        action[1:3] += 0.3, -0.4  # towards the blocks
        progress = world.advance(action)
        seen = world.observe(
            ObservationRequest(
                BOTH if step % 20 == 19 else (), proprio=(position(),), privileged=True
            )
        )
        arrays = [seen.proprio, *seen.privileged.values(), *seen.images.values()]
        text = hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays))
        found.append(f"{text.hexdigest()[:16]} {progress.stages}")
    return found


def test_a_chain_is_the_same_after_others_and_in_another_process():
    chains = load("calvin_debug").episodes[:3]
    world = simulator()
    in_turn = [digests(chain, world) for chain in chains]
    assert len({tuple(d) for d in in_turn}) == 3
    back = [digests(chain, world) for chain in reversed(chains)]
    assert in_turn == back[::-1]
    program = (
        "from tests.simulators.test_calvin import digests, load;"
        "print(*digests(load('calvin_debug').episodes[1]), sep='\\n')"
    )
    alone = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True,
        cwd=Path(__file__).parents[2], timeout=120,
    )  # fmt: skip
    assert alone.stdout.splitlines()[-40:] == in_turn[1]


def test_describe_says_what_calvin_takes_and_gives():
    spec = Calvin().describe({})
    assert spec.action.size == 7 and spec.action.reference == "target"
    assert spec.action.translation_scale == (0.02,) * 3
    assert spec.action.rotation_scale == (0.05,) * 3 and spec.action.control_hz == 30
    assert spec.action.gripper.binary
    assert [c.name for c in spec.observation.cameras] == ["static", "gripper"]
    alone = Calvin().describe({"cameras": "static"}).observation.cameras
    assert [c.name for c in alone] == ["static"]
    absolute = Calvin().describe({"control": "absolute"}).action
    assert absolute.control == "absolute" and absolute.translation_scale == (1.0,) * 3
    assert set(spec.measures) == {"solved", *TASKS} and len(spec.measures) == 35
    assert spec.max_steps == 1800


def test_options_that_do_not_exist_are_refused():
    with pytest.raises(UnknownName, match="renderer"):
        Calvin().describe({"rendere": "egl"})
    with pytest.raises(UnknownName, match="egl"):
        Calvin().describe({"renderer": "elg"})
    with pytest.raises(UnknownName, match="absolute"):
        Calvin().describe({"control": "absolut"})


def test_another_image_size_than_upstreams_is_refused():
    from vlm4vla.core.convert import check
    from vlm4vla.core.specs import PolicySpec

    spec = Calvin().describe({})
    wanted = ObservationRequest((CameraRequest("static", 224, 224),))
    with pytest.raises(SpecMismatch, match="fixed at 200x200"):
        check(PolicySpec(spec.action, wanted), spec)


def test_preflight_states_what_numbers_depend_on(tmp_path):
    facts = Calvin().preflight({"renderer": "tiny"}, rendering=True)
    assert facts["pybullet"] == "3.2.7" and facts["renderer"] == "TinyRenderer"
    assert "797142c" in facts["data"]
    assert facts["annotations"].startswith("new_playtable_validation.yaml sha256")
    blind = Calvin().preflight({}, rendering=False)
    assert "renderer" not in blind and set(blind) <= set(facts)
    with pytest.raises(InvalidFile, match="nowhere"):
        Calvin().preflight({"annotations": str(tmp_path / "nowhere.yaml")}, rendering=False)


def test_a_file_that_is_missing_or_altered_is_named(tmp_path, monkeypatch):
    source = locate("calvin", "data")
    (tmp_path / "calvin").mkdir()
    for name in source.iterdir():
        (tmp_path / "calvin" / "data").mkdir(exist_ok=True)
        (tmp_path / "calvin" / "data" / name.name).symlink_to(name)
    monkeypatch.setenv("VLM4VLA_ASSETS", str(tmp_path))
    monkeypatch.setenv("VLM4VLA_CACHE", str(tmp_path / "none"))
    plane = tmp_path / "calvin" / "data" / "plane"
    plane.unlink()
    with pytest.raises(MissingAsset, match=r"plane/.* is missing") as caught:
        Calvin().preflight({}, rendering=False)
    assert caught.value.fix == "bench env install calvin"
    plane.mkdir()
    for file in (source / "plane").iterdir():
        (plane / file.name).write_bytes(file.read_bytes())
    with (plane / "plane.urdf").open("a") as file:
        file.write(" ")
    with pytest.raises(MissingAsset, match=r"plane\.urdf is altered"):
        Calvin().preflight({}, rendering=False)


def test_a_setup_that_cannot_be_run_is_refused():
    world = simulator()
    with pytest.raises(ResetNeeded):
        world.advance(STILL)
    with pytest.raises(UnknownName, match="open_drawer"):
        world.reset(episode(("open_drawr",)))
    with pytest.raises(UnknownName, match="calvin_scene"):
        world.reset(episode(scene="calvin_scene_E"))
    with pytest.raises(InvalidFile, match="24 finite"):
        world.reset(episode(scene_obs=[0.0] * 23))
    with pytest.raises(BadInput, match="each with its instruction"):
        world.reset(episode(instructions=["one"]))
    with pytest.raises(BadInput, match="1 to 5"):
        world.reset(replace(episode(), setup={**episode().setup, "subtasks": []}))
    world.reset(episode())
    assert not world.advance(STILL).done
