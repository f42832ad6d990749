"""Each layout read from real files: the right picture, words and actions, and refusals."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.demonstrations import layouts
from vlm4vla.core.conventions import CONVENTIONS, LAYOUTS
from vlm4vla.core.errors import BadInput, InvalidFile, SpecMismatch
from vlm4vla.core.rotation import convert
from vlm4vla.core.specs import CameraRequest, opening, orientation, position
from vlm4vla.demonstrations.open import open_demonstrations
from vlm4vla.demonstrations.samples import Chunks
from vlm4vla.simulators import plugin


def near(picture: np.ndarray, episode: int, step: int, tolerance: int) -> bool:
    wanted = np.array(layouts.colour(episode, step))
    return bool(np.abs(np.array(layouts.shown(picture)) - wanted).max() <= tolerance)


def check(data, lengths, camera, tolerance=0, texts=("task 0", "task 1")):
    """Every step of every trajectory shows its own picture and holds its own actions."""
    assert [t.length for t in data.trajectories] == list(lengths)
    for e, trajectory in enumerate(data.trajectories):
        assert list(trajectory.pictured) == list(range(lengths[e]))
        found = trajectory.actions(1, lengths[e])
        assert np.array_equal(found, layouts.actions(e, lengths[e])[1:].astype(np.float64))
        for step in range(lengths[e]):
            picture = trajectory.image(step, camera)
            assert picture.dtype == np.uint8 and near(picture, e, step, tolerance), (e, step)
            assert picture[0].min() > 200, "not upright"
            assert trajectory.instruction(step) == texts[e % 2]


def test_libero(tmp_path):
    layouts.libero(tmp_path / "KITCHEN_demo.hdf5")
    data = open_demonstrations(tmp_path)
    check(data, (5, 7), "agentview", texts=["open the top drawer"] * 2)
    assert data.cameras == ("agentview", "eye_in_hand")
    assert (data.tail, data.flip, data.recipe) == ("zeros", "horizontal", "libero")
    assert data.action.gripper is not None and data.action.gripper.open == -1.0


def test_libero_counts_demonstrations_as_numbers(tmp_path):
    """demo_10 comes after demo_2, not after demo_1."""
    lengths = tuple(range(2, 14))
    data = open_demonstrations(layouts.libero(tmp_path / "a.hdf5", lengths))
    assert [t.length for t in data.trajectories] == list(lengths)


def test_calvin(tmp_path):
    data = open_demonstrations(layouts.calvin(tmp_path / "task_ABC_D"))
    first, second = data.trajectories
    assert (first.length, second.length) == (6, 6)  # both ends included
    assert layouts.shown(first.image(0, "static")) == layouts.colour(0, 3)
    assert layouts.shown(second.image(5, "gripper")) == layouts.colour(1, 11)
    assert np.allclose(second.actions(0, 2)[:, 0], [0.06, 0.07])
    assert first.instruction(0) == "push the red block"
    assert (data.tail, data.recipe) == ("repeat", "calvin")


def test_calvin_annotations_run_no_code(tmp_path):
    """The file is a pickle: one that calls a function is refused before it does."""
    folder = layouts.calvin(tmp_path / "d")
    path = folder / "training" / "lang_annotations" / "auto_lang_ann.npy"
    victim = tmp_path / "touched"

    class Evil:
        def __reduce__(self):
            return (open, (str(victim), "w"))

    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "|O", "fortran_order": False, "shape": ()}
        )
        pickle.dump(np.array(Evil(), dtype=object), file)
    with pytest.raises(InvalidFile, match="open"):
        open_demonstrations(folder)
    assert not victim.exists()


@pytest.mark.parametrize("filmed", [True, False])
def test_lerobot_v2(tmp_path, filmed):
    folder = layouts.lerobot_v2(tmp_path / "d", filmed=filmed)
    data = open_demonstrations(folder, CONVENTIONS["libero"])
    check(data, (5, 7), "top", tolerance=6 if filmed else 0)


def test_lerobot_v3(tmp_path):
    """Several episodes share a Parquet file and a film."""
    folder = layouts.lerobot_v3(tmp_path / "d")
    check(open_demonstrations(folder, CONVENTIONS["bridge"]), (5, 7, 4), "top", tolerance=6)


def test_a_new_instruction_begins_a_new_trajectory(tmp_path):
    """As in a chain of subtasks: no chunk reaches from one into the next."""
    folder = layouts.lerobot_v2(tmp_path / "d", (6,), filmed=False)
    path = folder / "data" / "chunk-000" / "episode_000000.parquet"
    table = pq.read_table(path)
    place = table.column_names.index("task_index")
    table = table.set_column(place, "task_index", pa.array([0, 0, 0, 0, 1, 1]))
    pq.write_table(table, path)
    data = open_demonstrations(folder, CONVENTIONS["libero"])
    first, second = data.trajectories
    assert (first.length, second.length) == (4, 2)
    assert (first.instruction(3), second.instruction(0)) == ("task 0", "task 1")
    assert near(second.image(1, "top"), 0, 5, 0) and second.actions(1, 2)[0, 0] == pytest.approx(
        0.05
    )
    samples = Chunks([data], 4, [CameraRequest("top")])
    assert samples[2].mask.tolist() == [True, True, False, False]
    assert samples[4].mask.tolist() == [True, True, False, False]


def test_lerobot_needs_to_know_what_the_actions_mean(tmp_path):
    with pytest.raises(BadInput, match="does not say what its actions mean"):
        open_demonstrations(layouts.lerobot_v2(tmp_path / "d"))


def test_damage_is_told(tmp_path):
    with pytest.raises(BadInput, match="no data set"):
        open_demonstrations(tmp_path / "absent")
    with pytest.raises(BadInput, match="no layout"):
        open_demonstrations(tmp_path)
    (tmp_path / "bad.hdf5").write_bytes(b"no hdf5")
    with pytest.raises(InvalidFile, match="hdf5"):
        open_demonstrations(tmp_path)
    folder = layouts.lerobot_v2(tmp_path / "old")
    info = json.loads((folder / "meta" / "info.json").read_text())
    (folder / "meta" / "info.json").write_text(json.dumps({**info, "codebase_version": "v1.6"}))
    with pytest.raises(InvalidFile, match=r"v1\.6"):
        open_demonstrations(folder, CONVENTIONS["libero"])
    short = layouts.lerobot_v2(tmp_path / "short")
    lines = (short / "meta" / "episodes.jsonl").read_text().replace('"length": 7', '"length": 9')
    (short / "meta" / "episodes.jsonl").write_text(lines)
    with pytest.raises(InvalidFile, match="7 steps of episode 1"):
        open_demonstrations(short, CONVENTIONS["libero"])


@pytest.mark.parametrize(("tail", "filler"), [("zeros", 0.0), ("repeat", 0.04)])
def test_a_chunk_ends_with_its_episode(tmp_path, tail, filler):
    """Beyond the end the mask is False; what stands there is the pipeline's own filling."""
    data = open_demonstrations(layouts.libero(tmp_path / "a.hdf5"))
    samples = Chunks([data], 4, [CameraRequest("agentview")], tail)
    assert len(samples) == 12
    middle, end = samples[0], samples[3]
    assert middle.mask.all() and np.allclose(middle.actions[:, 0], [0, 0.01, 0.02, 0.03])
    assert end.mask.tolist() == [True, True, False, False]
    assert np.allclose(end.actions[:, 0], [0.03, 0.04, filler, filler])
    assert np.allclose(samples[5].actions[0, :2], [0.0, 0.1]), "the next episode begins anew"
    assert end.actions.dtype == np.float32 and end.actions.shape == (4, 7)


def test_each_layout_fills_as_its_published_pipeline_does(tmp_path):
    calvin = open_demonstrations(layouts.calvin(tmp_path / "c"))
    last = Chunks([calvin], 3, [CameraRequest("static")])[5]
    assert last.mask.tolist() == [True, False, False]
    assert np.array_equal(last.actions[1], last.actions[0])


def test_pictures_are_oriented_as_the_policy_will_see_them(tmp_path):
    data = open_demonstrations(layouts.libero(tmp_path / "a.hdf5"))
    turned = Chunks([data], 1, [CameraRequest("agentview", flip="rotate180")])[0]
    assert turned.images["agentview"][-1, -1].min() > 200
    swapped = Chunks([data], 1, [CameraRequest("agentview", colour="bgr")])[0]
    assert layouts.shown(swapped.images["agentview"][-1]) == layouts.colour(0, 0)[::-1]


def test_a_second_set_is_converted_into_the_first_ones_convention(tmp_path):
    first = open_demonstrations(layouts.lerobot_v2(tmp_path / "a"), CONVENTIONS["libero"])
    halved = replace(CONVENTIONS["libero"], translation_scale=(0.1, 0.1, 0.1))
    second = open_demonstrations(layouts.lerobot_v2(tmp_path / "b"), halved)
    both = Chunks([first, second], 1, [CameraRequest("top")])
    assert len(both) == 24
    assert both[12 + 4].actions[0, 0] == pytest.approx(2 * both[4].actions[0, 0])
    with pytest.raises(BadInput, match="control rate"):
        Chunks(
            [first, open_demonstrations(tmp_path / "b", CONVENTIONS["bridge"])],
            1,
            [CameraRequest("top")],
        )


def test_quaternions_become_angles(tmp_path):
    data = open_demonstrations(layouts.libero(tmp_path / "a.hdf5"))
    spec = replace(data.action, rotation="quat_wxyz", rotation_scale=(1.0, 1.0, 1.0))

    class Quaternions:
        key, length, pictured = "q", 1, (0,)

        def instruction(self, step):
            return "turn"

        def actions(self, start, stop):
            half = np.pi / 8
            return np.array([[0, 0, 0, np.cos(half), 0, 0, np.sin(half), 1.0]])

        def image(self, step, camera):
            return np.zeros((8, 8, 3), np.uint8)

    turned = Chunks(
        [replace(data, action=spec, trajectories=[Quaternions()])], 1, [CameraRequest("agentview")]
    )
    assert turned.target.rotation == "euler_xyz"
    assert np.allclose(turned[0].actions[0], [0, 0, 0, 0, 0, np.pi / 4, 1.0])


MILLIMETRES = (opening(1.0), position("world", "mm"), orientation("quat_wxyz", "world"))


@pytest.mark.parametrize("layout", ["calvin", "libero"])
def test_proprioception_is_read_and_converted(tmp_path, layout):
    """In the parts of its simulator, so that a policy is told the same at run time."""
    if layout == "calvin":
        data, camera = open_demonstrations(layouts.calvin(tmp_path / "c")), "static"
        stored = layouts.states(0, 12, 15)[5]  # the third step of the stretch from 3
        angles, opened = convert(stored[3:6], "euler_xyz", "quat_wxyz"), stored[6]
    else:
        data, camera = open_demonstrations(layouts.libero(tmp_path / "a.hdf5")), "agentview"
        stored = layouts.states(0, 5, 15)[2]
        angles, opened = convert(stored[3:6], "rotvec", "quat_wxyz"), stored[13] - stored[14]
    samples = Chunks([data], 2, [CameraRequest(camera)], offsets=(-1, 0), proprio=MILLIMETRES)
    found = samples[2].proprio
    assert found.shape == (2, 8) and found.dtype == np.float32
    np.testing.assert_allclose(
        found[1], [opened / 0.08, *(1000 * stored[:3]), *angles], rtol=1e-6, atol=1e-6
    )
    assert np.allclose(samples[0].proprio[0], samples[0].proprio[1]), "the first stands before it"
    offered = plugin(layout).describe({}).observation.proprio
    held = {part.name: part for part in data.proprio}
    for part in offered:
        own = held[part.name]
        assert replace(own, rotation=part.rotation, size=part.size, unit=part.unit) == part
    with pytest.raises(SpecMismatch, match=r"no proprioception 'torque' \(there is: position"):
        Chunks([data], 2, [CameraRequest(camera)], proprio=[replace(position(), name="torque")])
    with pytest.raises(SpecMismatch, match="'position' is in frame 'world', not 'base'"):
        Chunks([data], 2, [CameraRequest(camera)], proprio=[position("base")])


def test_lerobots_state_is_read_where_its_layout_is_known(tmp_path):
    folder = layouts.lerobot_v2(tmp_path / "d", filmed=False)
    data = open_demonstrations(folder, CONVENTIONS["libero"], LAYOUTS["libero"])
    wanted = [position("world"), data.proprio[2]]
    found = Chunks([data], 1, [CameraRequest("top")], proprio=wanted)[5 + 3].proprio
    np.testing.assert_allclose(found[0], layouts.states(1, 7, 8)[3][[0, 1, 2, 6, 7]], rtol=1e-6)
    for layout in ((), LAYOUTS["calvin"]):  # nobody says what it means, or it is another
        other = open_demonstrations(folder, CONVENTIONS["libero"], layout)
        with pytest.raises(SpecMismatch, match=r"no proprioception 'position' \(there is: none\)"):
            Chunks([other], 1, [CameraRequest("top")], proprio=wanted)
