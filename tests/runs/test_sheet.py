"""The contact sheet: its size, its cells, its numbers."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from vlm4vla.core.errors import BadInput
from vlm4vla.runs.sheet import write_sheet


@pytest.fixture
def frames(tmp_path):
    """Thirty frames, the n-th of brightness 8 n."""
    made = []
    for number in range(30):
        path = tmp_path / f"{number:05}.png"
        Image.new("RGB", (64, 48), (8 * number,) * 3).save(path)
        made.append(path)
    return made


def cells(sheet):
    """Brightness in the middle of every cell, row by row."""
    grey = np.asarray(sheet.convert("L"))
    rows, columns = (sheet.height - 28) // 166, (sheet.width - 6) // 166
    return [
        int(grey[22 + 166 * r + 80, 6 + 166 * c + 80]) for r in range(rows) for c in range(columns)
    ]


@pytest.mark.parametrize(
    ("count", "size"),
    [(1, (172, 194)), (4, (670, 194)), (6, (1002, 194)), (7, (1002, 360)), (30, (1002, 526))],
)
def test_it_is_as_large_as_its_frames_need(frames, tmp_path, count, size):
    target = tmp_path / "new" / "folder" / "sheet.png"
    write_sheet(frames[:count], target, "title")
    with Image.open(target) as sheet:
        assert sheet.size == size


def test_frames_are_evenly_chosen_with_first_and_last_in_order(frames, tmp_path):
    write_sheet(frames, tmp_path / "sheet.png", "title", most=6)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert cells(sheet) == [8 * n for n in (0, 6, 12, 17, 23, 29)]


def test_every_cell_carries_its_step(frames, tmp_path):
    write_sheet(frames[20:22], tmp_path / "sheet.png", "title")
    with Image.open(tmp_path / "sheet.png") as sheet:
        label = np.asarray(sheet.convert("L"))[22:36, 6:30]
    assert label.min() < 30 and label.max() > 220  # white digits on black


def test_a_long_title_does_not_fail(frames, tmp_path):
    write_sheet(frames[:2], tmp_path / "sheet.png", "grinning face 😀 " * 40)
    assert (tmp_path / "sheet.png").stat().st_size > 500


def test_no_frames_no_sheet(tmp_path):
    with pytest.raises(BadInput):
        write_sheet([], tmp_path / "sheet.png", "title")
