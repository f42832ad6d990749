"""Conventions as files: what 0.2.0 wrote is still read, and what is not understood is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from vlm4vla.core import conventions, statistics
from vlm4vla.core.conventions import CONVENTIONS, from_json, to_json
from vlm4vla.core.errors import InvalidFile
from vlm4vla.core.specs import ActionSpec, Gripper

OLD = json.loads((Path(__file__).parent / "fixtures" / "conventions_v1.json").read_text())


@pytest.mark.parametrize("name", OLD)
def test_what_version_0_2_wrote_means_the_same(name):
    assert from_json(OLD[name], name) == CONVENTIONS[name]


@pytest.mark.parametrize(
    "spec",
    [
        *CONVENTIONS.values(),
        ActionSpec(rotation="rot6d", gripper=None, low=(-1.0,) * 9, high=2.0),
        ActionSpec(joints=2, joint_scale=(0.1, 0.2), gripper=Gripper(1, 0, True, threshold=0.3)),
    ],
)
def test_every_convention_survives_its_file(spec):
    assert from_json(json.loads(json.dumps(to_json(spec))), "file") == spec


def test_an_absent_field_has_its_default():
    assert from_json({"control": "absolute"}, "file") == ActionSpec(control="absolute")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 7}, "of format 7; this vlm4vla reads format 1"),
        ({"contrl": "delta"}, "no field 'contrl'. Did you mean control"),
        ({"gripper": {"opened": 1}}, "no field 'opened'. Did you mean open"),
        ({"rotation": "euler"}, "rotation 'euler' is not known"),
        ({"control": "velocity"}, "control 'velocity' is not known"),
        ({"low": [0, 0]}, "low has 2 numbers, not 7"),
        ({"gripper": 3}, "gripper cannot be 3"),
        ({"gripper": {"open": 1, "closed": 1}}, "both 1 says nothing"),
        ({"joints": 2.5}, "joints cannot be 2.5"),
        ({"control_hz": "ten"}, "control_hz cannot be 'ten'"),
        ({"frame": 3}, "frame cannot be 3"),
        ({"rotation_scale": [0, 1, 1]}, "holds a 0"),
        ({"translation_scale": ["a", 1, 1]}, "translation_scale cannot be 'a'"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(change, said):
    with pytest.raises(InvalidFile) as refused:
        from_json({**to_json(ActionSpec()), **change}, "meta/vlm4vla.json")
    assert said in refused.value.message and "meta/vlm4vla.json" in refused.value.message


def test_published_ones_say_where_they_were_published():
    assert set(conventions.SOURCES) == set(CONVENTIONS)
    assert set(statistics.SOURCES) == set(statistics.NAMED)


def test_a_scale_of_three_numbers_is_three_numbers():
    with pytest.raises(InvalidFile):
        from_json({**to_json(ActionSpec()), "rotation_scale": 0.5}, "file")
    assert replace(ActionSpec(), rotation_scale=(0.5,) * 3).size == 7
