"""The Bridge tasks on the real SAPIEN 3: upstream's traces and pictures, and the contract."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests import golden_simpler, simpler_pictures
from tests.bench import bench
from tests.golden_simpler import Golden, Row
from tests.simulators.bridge_task import PICTURE, STATE, episode, play
from vlm4vla.core import assets, rotation
from vlm4vla.core.environment import load_environment
from vlm4vla.core.errors import MissingAsset, ResetNeeded
from vlm4vla.environments.state import inspect
from vlm4vla.simulators.simpler.bridge import protocol, words, world
from vlm4vla.simulators.simpler.bridge.plugin import Bridge
from vlm4vla.simulators.simpler.bridge.simulator import BridgeSimulator
from vlm4vla.simulators.simpler.contact import presses
from vlm4vla.simulators.simpler.pieces import convex_pieces
from vlm4vla.suites.suite import load
from vlm4vla.testing import check_simulator

pytestmark = [pytest.mark.simpler, pytest.mark.assets]

TRACES = (
    "widowx_spoon_on_towel/ep14/pick_partial", "widowx_carrot_on_plate/ep11/push",
    "widowx_carrot_on_plate/ep14/pick_partial", "widowx_stack_cube/ep15/rot_large",
    "widowx_stack_cube/ep08/pick_place", "widowx_put_eggplant_in_basket/ep13/reach_limit",
    "widowx_put_eggplant_in_basket/ep09/smooth_random",
)  # fmt: skip
"""Of each kind of motion one: `python -m tests.golden_simpler FILE` replays all."""


@pytest.fixture(scope="module")
def golden():
    folder = Path(os.environ["VLM4VLA_GOLDEN"]) / "simpler"
    return Golden(np.load(folder / "golden_public.npz"))


@pytest.fixture(scope="module")
def simulator():
    made = BridgeSimulator()
    yield made
    made.close()


@pytest.mark.golden
def test_upstreams_traces_are_replayed_within_the_bar(golden):
    rows: defaultdict[str, Row] = defaultdict(Row)
    for name in TRACES:
        kind = name.split("/")[-1]
        golden_simpler.replay(golden, name, rows[kind])
        golden_simpler.one_step(golden, name, rows[kind])
        golden_simpler.rules(golden, name, rows[kind])
    assert {kind: row for kind, row in rows.items() if not row.within(kind)} == {}
    assert sum(row.traces for row in rows.values()) == len(TRACES)


@pytest.mark.golden
def test_a_law_that_is_not_upstreams_is_seen(golden, monkeypatch):
    """Turned about its own target in place of the measured hand: a few millimetres."""
    turned = rotation.to_matrix

    def targets(self, action):
        turn = turned(action[3:6], "rotvec")
        self.position, self.turn = self.position + action[:3], turn @ self.turn
        joints, self.solved = self._robot.solve(
            protocol.HAND, self.position, self.turn, protocol.ARM
        )
        joints[6:] = protocol.OPEN
        return joints

    monkeypatch.setattr(world.BridgeController, "targets", targets)
    row = Row()
    name = "widowx_stack_cube/ep15/rot_large"
    golden_simpler.replay(golden, name, row)
    golden_simpler.one_step(golden, name, row)
    assert not row.within("rot_large") and row.law > 1e-4


@pytest.mark.golden
@pytest.mark.parametrize("task", ["widowx_spoon_on_towel", "widowx_stack_cube"])
def test_dropped_things_rest_where_upstreams_do(golden, task):
    dropped, played = golden_simpler.settled(golden, task, 3)
    assert dropped.max() == played < golden_simpler.SETTLED_MM


@pytest.mark.golden
def test_the_eggplant_begins_where_upstreams_rests(golden, simulator):
    task = "widowx_put_eggplant_in_basket"
    assert golden_simpler.settled(golden, task, 2)[1] < 1e-4
    init = int(golden.traces[f"{task}/init/episode_id"][3])
    simulator.reset(episode("eggplant", init))
    before = simulator.observe(STATE).privileged
    for _ in range(3):
        simulator.advance(np.array([0, 0, 0, 0, 0, 0, 1.0]))
    after = simulator.observe(STATE).privileged
    for what, recorded in (("source", "src"), ("target", "tgt")):
        rest = golden.traces[f"{task}/init/{recorded}"][3]
        np.testing.assert_allclose(before[what], rest, atol=1e-6)
        assert golden_simpler.distance(after[what], rest)[0] < 0.1  # and stays there


@pytest.mark.golden
def test_masses_are_upstreams(golden):
    for task in golden_simpler.TASKS:
        made = golden.world(task)
        for body, what in ((made.source, "src"), (made.target, "tgt")):
            recorded = {
                name: golden.traces[f"{task}/body/{what}_{name}"]
                for name in ("mass", "cmass_local", "inertia")
            }
            assert body.rigid.mass == pytest.approx(float(recorded["mass"]), rel=2e-4)
            centre = np.asarray(body.rigid.cmass_local_pose.p)
            np.testing.assert_allclose(centre, recorded["cmass_local"][:3], atol=5e-6)
            np.testing.assert_allclose(body.rigid.inertia, recorded["inertia"], rtol=5e-4)


@pytest.mark.golden
def test_pictures_are_upstreams(golden):
    shown = np.load(Path(os.environ["VLM4VLA_GOLDEN"]) / "simpler" / "images_public.npz")
    names = [str(name) for name in shown["index"] if str(name).endswith("pick_place")]
    found = simpler_pictures.compare(golden, shown, names, rows=1)
    assert len({what.split()[0] for what in found.overlap}) == 4
    assert found.within, found


def test_the_expert_succeeds_and_ends_with_success(simulator):
    for task, init in (("spoon", 1), ("carrot", 6), ("cube", 13), ("eggplant", 12)):
        start = episode(task, init)
        played = play(simulator, start)
        assert played.progress.success, (task, init)
        assert played.progress.truncated and not played.progress.terminated
        assert played.steps == start.max_steps
        reached = {name for name, now in played.progress.stages.items() if now}
        assert reached == set(words.STAGES) - {"moved_wrong_obj"}


def test_a_raised_stack_and_an_arm_off_its_start_are_as_the_manifest_says(simulator):
    raised = episode("cube_supported", 3, "simpler_bridge_altered")
    simulator.reset(raised)
    target = simulator.observe(STATE).privileged["target"]
    assert target[2] == pytest.approx(0.8725 + 0.045, abs=1e-3)
    names = simulator.picture().names
    assert {"support", "baked_yellow_cube_3cm", "baked_green_cube_3cm"} <= set(names)
    off = episode("spoon", 1, "simpler_bridge_altered")
    simulator.reset(off)
    joints = simulator.observe(STATE_AND_PROPRIO).proprio[7:13]
    nominal = np.array(protocol.TABLE_TOP.qpos[:6])
    np.testing.assert_allclose(joints, nominal + np.array(off.setup["arm"]), atol=1e-6)


STATE_AND_PROPRIO = replace(STATE, proprio=words.PROPRIO)


def test_the_picture_has_one_size_and_shows_the_photo(simulator):
    simulator.reset(episode("carrot", 0))
    picture = simulator.picture()
    assert picture.frame.shape == (480, 640, 3) and picture.frame.dtype == np.uint8
    shares = {name: (picture.labels == 1 + i).mean() for i, name in enumerate(picture.names)}
    assert shares["bridge_plate_objaverse_larger"] > 0.005
    assert 0.5 < (picture.labels == 0).mean() < 0.98
    again = simulator.observe(PICTURE).image(words.CAMERA)
    np.testing.assert_array_equal(picture.frame, again)


def test_nothing_happens_after_the_end(simulator):
    start = replace(episode("cube", 0), max_steps=1)
    simulator.reset(start)
    assert simulator.advance(np.zeros(7)).truncated
    with pytest.raises(ResetNeeded):
        simulator.advance(np.zeros(7))


def test_the_contract_holds():
    check_simulator("simpler_bridge", load("simpler_bridge").narrowed(["carrot", "cube"], [7]),
                    steps=3)  # fmt: skip


def test_a_run_says_what_stands_in_for_what(tmp_path, ray_session):
    store = tmp_path / "bench.db"
    words = ("run", "--policy", "random", "--suite", "simpler_bridge", "--task", "cube")
    done = bench(*words, "--episodes", 1, "--store", store, cwd=tmp_path)
    assert done.code == 0, done.out + done.err
    board = bench("leaderboard", "--store", store, "--suite", "simpler_bridge")
    facts = Bridge().preflight({}, rendering=False)
    stand_ins = [name for name in facts if name.startswith("stand_in")]
    assert ("△" in board.out) == bool(stand_ins)
    assert "any_step" in board.out


def test_every_file_is_upstreams_a_stand_in_or_not_verified(tmp_path, monkeypatch):
    held = world.held_files()
    mesh, photo = "custom/models/eggplant/collision.obj", "real_inpainting/bridge_sink.png"
    assert not {f for f in held.facts([mesh, photo])}
    folder = tmp_path / "simpler"
    for name in (mesh, photo):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(held.path(name).read_bytes())
    (folder / photo).write_bytes(b"another photo")
    monkeypatch.setenv("VLM4VLA_ASSETS", str(tmp_path))
    own = assets.hold("simpler_bridge", "real2sim")
    assert own.folder == folder
    facts = own.facts([mesh, photo])
    assert list(facts) == ["stand_in.real_inpainting/bridge_sink.png"]
    assert facts["stand_in.real_inpainting/bridge_sink.png"].startswith("not verified")
    with pytest.raises(MissingAsset, match=r"bridge_table_1_v1\.glb"):
        own.path("hab2_bench_assets/stages/bridge_table_1_v1.glb")


def test_a_known_stand_in_is_told_by_its_content():
    stages = [f"hab2_bench_assets/stages/bridge_table_1_v{number}.glb" for number in (1, 2)]
    held = world.held_files()
    facts = held.facts(stages)
    for stage in stages:
        name = f"stand_in.stages/{Path(stage).name}"
        assert (held.path(stage) == held.folder / stage) or "box" in facts[name]


def test_the_environment_is_ready_on_stand_ins_and_says_which():
    parts = {part.name: part for part in inspect(load_environment("simpler_bridge"))}
    assert parts["real2sim"].ready
    for name in world.held_files().facts():
        assert name.removeprefix("stand_in.") in parts["real2sim"].detail


def test_pieces_hang_together_and_lie_at_one_place(tmp_path):
    """Two triangles that share a corner by position alone, and a third apart."""
    mesh = tmp_path / "mesh.obj"
    corners = ["0 0 0", "1 0 0", "0 1 0", "0 0 0", "-1 0 0", "0 -1 0", "5 5 5", "6 5 5", "5 6 5"]
    text = "\n".join(f"v {c}" for c in corners)
    mesh.write_text(f"{text}\nf 3 2 1\nf 4/1 5/1/2 6//3\nf 7 8 9\n")
    first, second = convex_pieces(mesh)
    np.testing.assert_array_equal(first[:3], [[0, 1, 0], [1, 0, 0], [0, 0, 0]])
    assert len(first) == 5 and len(second) == 3
    apart = tmp_path / "apart.obj"
    apart.write_text(f"{text}\nf 1 2 3\no other\nf 4 5 6\n")
    assert len(convex_pieces(apart)) == 2


def test_a_finger_holds_only_what_pushes_it_open():
    opening = np.array([0.0, 1.0, 0.0])
    assert presses(np.array([0.0, 2e-6, 0.0]), opening, 60)
    assert not presses(np.array([0.0, 5e-7, 0.0]), opening, 60)
    assert presses(np.array([1.7e-6, 1e-6, 0.0]), opening, 60)  # 59.5 degrees
    assert not presses(np.array([1.8e-6, 1e-6, 0.0]), opening, 60)
