"""Sets that `bench demos` of every format wrote are read with the same numbers."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from vlm4vla.core.errors import BadInput, InvalidFile
from vlm4vla.demonstrations import ours
from vlm4vla.demonstrations.open import open_demonstrations

FIXTURES = Path(__file__).parent / "fixtures"


def numbers(data):
    """What training reads of a set; `format_N.json` holds what the vlm4vla that made it read."""
    return {
        "cameras": list(data.cameras),
        "robot": data.robot,
        "rotation": data.action.rotation,
        "gripper": [data.action.gripper.open, data.action.gripper.closed],
        "trajectories": [
            {
                "length": t.length,
                "instruction": t.instruction(0),
                "pictured": list(t.pictured),
                "actions": hashlib.sha256(t.actions(0, t.length).tobytes()).hexdigest(),
                "pictures": [
                    hashlib.sha256(t.image(step, camera).tobytes()).hexdigest()
                    for camera in data.cameras
                    for step in t.pictured
                ],
            }
            for t in data.trajectories
        ],
    }


@pytest.fixture
def folder(tmp_path):
    """The newest fixture, to be altered."""
    shutil.copytree(FIXTURES / f"format_{ours.FORMAT.version}", tmp_path / "set")
    return tmp_path / "set"


def change(folder, file, edit):
    path = folder / file
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("number", range(1, ours.FORMAT.version + 1))
def test_every_format_is_read_with_its_own_numbers(number):
    expected = json.loads((FIXTURES / f"format_{number}.json").read_text())
    assert len(expected["trajectories"]) == 2
    assert numbers(open_demonstrations(FIXTURES / f"format_{number}")) == expected


def test_an_absent_number_is_the_first_format_and_an_absent_field_its_default(folder):
    before = numbers(open_demonstrations(folder))
    for name in ("format", "failures", "seed", "provenance", "pictures"):
        change(folder, ours.OURS, lambda content, name=name: content.pop(name))
    change(folder, ours.OURS, lambda content: content["action"].pop("frame"))
    assert numbers(open_demonstrations(folder)) == before


@pytest.mark.parametrize("file", [ours.OURS, ours.SETTINGS])
@pytest.mark.parametrize("number", [0, 2, "1", None])
def test_an_unknown_number_is_refused_by_name(file, number, folder):
    change(folder, file, lambda content: content.update(format=number))
    with pytest.raises(InvalidFile, match=f"recorded demonstrations of format {number!r}"):
        open_demonstrations(folder) if file == ours.OURS else ours.settings(folder)


def test_an_unknown_field_is_refused_by_name(folder):
    change(folder, ours.OURS, lambda content: content.update(faillures=True))
    with pytest.raises(InvalidFile, match=r"no field 'faillures'. Did you mean failures"):
        open_demonstrations(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "\xff", '"format"'])
@pytest.mark.parametrize("file", [ours.OURS, ours.SETTINGS, "meta/info.json"])
def test_a_damaged_file_is_named(file, text, folder):
    (folder / file).write_bytes(text.encode("latin-1"))
    with pytest.raises(BadInput, match=Path(file).name):
        open_demonstrations(folder) if file != ours.SETTINGS else ours.settings(folder)
