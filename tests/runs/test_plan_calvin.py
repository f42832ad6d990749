"""What a CALVIN suite settles before anything starts."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

pytest.importorskip("pybullet")

from vlm4vla.core.errors import SpecMismatch, UnknownName
from vlm4vla.core.policy import Policy
from vlm4vla.core.specs import CameraRequest, ObservationRequest, PolicySpec
from vlm4vla.runs.plan import resolve
from vlm4vla.runs.request import RunRequest
from vlm4vla.suites.calvin_rules import TASKS

pytestmark = [pytest.mark.calvin, pytest.mark.assets]
PLAIN = RunRequest("expert", "calvin_debug")


class Trained(Policy):
    """Says what it was trained on and which cameras it wants."""

    known_options = ("split", "camera")

    @classmethod
    def describe(cls, simulator, **options):
        request = ObservationRequest((CameraRequest(options.get("camera", "static")),))
        return PolicySpec(simulator.action, request, training_split=options.get("split", "none"))

    def act(self, observations, sessions):
        raise NotImplementedError


TRAINED = replace(PLAIN, policy=f"{__name__}:Trained")


def test_the_suite_names_the_execution_and_the_user_has_the_last_word():
    assert resolve(PLAIN).record.execution == "10"
    assert resolve(replace(PLAIN, execute="first")).record.execution == "first"
    assert resolve(replace(PLAIN, suite="toy")).record.execution == "chunk"


def test_a_run_carries_the_split_its_policy_was_trained_on():
    assert resolve(PLAIN).record.training_split == "none"
    abc = replace(TRAINED, policy_options={"split": "ABC"})
    assert resolve(abc).record.training_split == "ABC"


def test_the_preset_decides_which_cameras_there_are():
    wrist = replace(TRAINED, policy_options={"camera": "gripper"})
    with pytest.raises(SpecMismatch, match="no camera 'gripper'"):
        resolve(wrist)
    assert resolve(replace(wrist, suite="calvin_abcd_wrist", episodes=1)).suite.episodes


def test_the_renderer_and_the_sentences_are_part_of_comparability(tmp_path):
    blind, seeing = resolve(PLAIN).record.comparability, resolve(TRAINED).record.comparability
    assert "renderer" not in blind
    assert "iny" in str(seeing["renderer"]) or "egl" in str(seeing["renderer"]).lower()
    mine = tmp_path / "mine.yaml"
    mine.write_text(json.dumps({task: [task] for task in TASKS}))
    other = resolve(replace(PLAIN, options={"annotations": str(mine)}))
    assert other.record.comparability["annotations"] != blind["annotations"]
    assert other.record.id != resolve(PLAIN).record.id
    assert other.suite.episodes[0].instruction in TASKS


def test_mistakes_are_named_before_anything_starts():
    with pytest.raises(UnknownName, match="cameras of calvin"):
        resolve(replace(PLAIN, options={"cameras": "statics"}))
    with pytest.raises(SpecMismatch, match="control=absolute"):
        resolve(replace(PLAIN, options={"control": "absolute"}))
