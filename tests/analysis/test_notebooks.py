"""The notebooks run on the store that git keeps, say what they said, and stay light."""

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from vlm4vla.store import Store

ANALYSIS = Path(__file__).parents[2] / "analysis"
sys.path.insert(0, str(ANALYSIS))
from execute import NOTEBOOKS, execute  # noqa: E402

LIGHT = 200_000
"""Bytes of a notebook with its outputs."""


def shown(notebook, kind):
    """What its code cells show in the format `kind`, in order."""
    found = [out.get("data", {}) for cell in notebook.cells for out in cell.get("outputs", [])]
    return [data[kind] for data in found if kind in data]


def numbers(notebook):
    """Every number in its tables."""
    cells = re.findall(r"<td>(.*?)</td>", "".join(shown(notebook, "text/html")))
    return [float(cell) for cell in cells if re.fullmatch(r"-?\d+(\.\d+)?", cell)]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_it_runs_and_says_what_it_said(name):
    kept = nbformat.read(ANALYSIS / name, as_version=4)
    assert (ANALYSIS / name).stat().st_size < LIGHT
    again = execute(ANALYSIS / name)
    assert all(cell.outputs for cell in again.cells if cell.cell_type == "code")
    fix = f"{name} shows other numbers now: python analysis/execute.py {name}"
    assert numbers(kept) == pytest.approx(numbers(again), abs=1e-6), fix
    assert len(numbers(again)) > 20
    drawings = shown(again, "image/svg+xml")
    assert len(drawings) == len(shown(kept, "image/svg+xml")) >= 2
    assert all(drawing.startswith("<svg") for drawing in drawings)


def test_the_store_is_one_small_file_of_finished_runs():
    path = ANALYSIS / "store.db"
    assert path.stat().st_size < 1_000_000
    with Store.open(path) as store:
        runs = store.runs()
        assert len(runs) == 9
        assert all(len(store.finished(run.id)) == len(run.plan) == 100 for run in runs)
    tracked = subprocess.run(
        ["git", "status", "--porcelain", "--ignored", "analysis"],
        cwd=ANALYSIS.parent, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "store.db-" not in tracked, "reading it leaves nothing beside it"
