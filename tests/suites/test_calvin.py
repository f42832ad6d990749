"""Chains and initial states of CALVIN against the lists the benchmark is published with."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from vlm4vla.core.errors import InvalidFile, MissingAsset, OutOfRange, UnknownName
from vlm4vla.suites import calvin, calvin_rules, calvin_sequences, calvin_states
from vlm4vla.suites.files import load_file
from vlm4vla.suites.suite import load


def upstream(name):
    return json.loads((Path(os.environ["VLM4VLA_ASSETS"]) / "calvin" / name).read_text())


def test_the_chains_that_ship_are_what_the_rules_and_seeds_draw():
    assert calvin_sequences.draw() == calvin_sequences.sequences()


@pytest.mark.assets
def test_the_chains_are_upstreams():
    ours = [
        {"initial_state": dict(chain.scene), "subtasks": list(chain.subtasks)}
        for chain in calvin_sequences.sequences()
    ]
    assert ours == upstream("sequences.json")


@pytest.mark.assets
def test_the_initial_states_are_upstreams():
    wanted = upstream("initial_states_all_unique.json")
    assert len(wanted) == len(calvin_sequences.initial_scenes()) == 192
    for state in wanted:
        scene = state["initial_state"]
        assert calvin_states.seed(scene) == state["fnv_seed"]
        assert calvin_states.scene_obs(scene) == state["scene_obs"]
        assert list(calvin_states.ROBOT_OBS) == state["robot_obs"]


def test_the_hash_is_pyhashs():
    assert calvin_states.fnv1("test") == 3910690890


def test_rules_say_what_may_follow_what():
    scene = calvin_sequences.initial_scenes()[0] | {
        "slider": "right", "drawer": "open", "red_block": "slider_left", "blue_block": "table",
        "pink_block": "slider_right",
    }  # fmt: skip
    assert calvin_rules.apply("lift_red_block_slider", scene)["red_block"] == "grasped"
    assert calvin_rules.apply("lift_pink_block_slider", scene) is None  # behind the door
    assert calvin_rules.apply("push_into_drawer", scene)["blue_block"] == "drawer"
    assert calvin_rules.apply("place_in_drawer", scene) is None  # nothing in the gripper
    assert calvin_rules.apply("open_drawer", scene) is None


def write(path, **changed):
    content = {task: [f"do {task}", f"please {task}"] for task in calvin_rules.TASKS} | changed
    path.write_text(json.dumps(content))
    return str(path)


def test_an_episode_is_a_chain_with_a_sentence_for_each_subtask(tmp_path):
    options = {"annotations": write(tmp_path / "mine.yaml")}
    found = calvin.episodes("calvin_debug", {"count": 40}, options)
    assert [e.key.init for e in found] == list(range(40))
    setup = found[0].setup
    assert setup["subtasks"] == list(calvin_sequences.sequences()[0].subtasks)
    assert found[0].instruction == setup["instructions"][0]
    assert found[0].max_steps == 5 * setup["steps_per_subtask"] == 1800
    assert (len(setup["robot_obs"]), len(setup["scene_obs"])) == (15, 24)
    for episode in found:
        for task, sentence in zip(
            episode.setup["subtasks"], episode.setup["instructions"], strict=True
        ):
            assert sentence in (f"do {task}", f"please {task}")
    said = {s.split()[0] for e in found for s in e.setup["instructions"]}
    assert said == {"do", "please"}
    assert found == calvin.episodes("calvin_debug", {"count": 40}, options)


@pytest.mark.assets
def test_the_official_sentences_are_the_default():
    episode = calvin.episodes("calvin_abcd", {}, {})[0]
    sentences = calvin.load_sentences(calvin.OFFICIAL)
    assert {len(of_task) for of_task in sentences.values()} == {1}
    subtasks = episode.setup["subtasks"]
    assert episode.setup["instructions"] == [sentences[task][0] for task in subtasks]


def test_without_the_official_sentences_it_says_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setenv("VLM4VLA_ASSETS", str(tmp_path))
    monkeypatch.setenv("VLM4VLA_CACHE", str(tmp_path))
    with pytest.raises(MissingAsset, match="bench env install calvin"):
        calvin.episodes("calvin_abcd", {}, {})


def test_mistakes_in_annotations_and_arguments_are_named(tmp_path):
    with pytest.raises(InvalidFile, match=r"none\.yaml cannot be read"):
        calvin.load_sentences(str(tmp_path / "none.yaml"))
    with pytest.raises(InvalidFile, match="'open_drawer' has no list"):
        calvin.load_sentences(write(tmp_path / "a.yaml", open_drawer=[]))
    with pytest.raises(UnknownName, match="open_drawers"):
        calvin.load_sentences(write(tmp_path / "b.yaml", open_drawers=["x"]))
    with pytest.raises(OutOfRange, match=r"1\.\.1000"):
        calvin.episodes("s", {"count": 1001}, {})
    with pytest.raises(UnknownName, match="counts"):
        calvin.episodes("s", {"counts": 3}, {})


@pytest.mark.parametrize("name", ["calvin_abcd", "calvin_abcd_wrist", "calvin_debug"])
def test_presets_name_cameras_execution_split_and_every_subtask(name):
    file = load_file(name)
    assert file.options["cameras"] == ("static+gripper" if "wrist" in name else "static")
    assert (file.execution, file.trained_on) == ("10", "ABC")
    assert file.tables == {"subtask": list(calvin_rules.TASKS)}


def test_a_table_becomes_a_rate_for_each_of_its_measures(tmp_path):
    suite = load("calvin_debug", overrides={"annotations": write(tmp_path / "mine.yaml")})
    assert len(suite.episodes) == 8
    assert suite.execution == "10"
    subtasks = [metric for metric in suite.metrics if metric.table]
    assert [metric.of for metric in subtasks] == list(calvin_rules.TASKS)
    assert {(metric.table, metric.kind) for metric in subtasks} == {("subtask", "rate")}
    assert [m.name for m in suite.metrics if m.headline] == ["length"]
