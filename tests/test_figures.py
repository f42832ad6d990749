"""Three lines from a store to a figure."""

import subprocess
import sys
import xml.dom.minidom

import pytest
from matplotlib.figure import Figure

from vlm4vla import figures
from vlm4vla.core.errors import BadInput, StoreError, UnknownName
from vlm4vla.store import Store

ANALYSIS = "analysis/store.db"
FIGURE_3 = "VLM4VLA general capability (Fig. 3 x-axis)"


def titles(drawing):
    document = xml.dom.minidom.parseString(drawing.svg)
    return [node.firstChild.data for node in document.getElementsByTagName("title")]


def test_a_correlation():
    drawing = figures.correlation(FIGURE_3, "libero_10", published=True, width=300)
    assert len(titles(drawing)) == 9 and 'width="300"' in drawing.svg
    assert drawing._repr_svg_() == drawing.svg
    other = figures.correlation(FIGURE_3, "libero_10", published=True, influence=True)
    assert "without kosmos-2" in other.svg


def test_a_leaderboard_and_a_decomposition(pytestconfig):
    path = pytestconfig.rootpath / ANALYSIS
    drawing = figures.leaderboard("grinningface_val", store=path)
    assert "expert-blind" in drawing.svg and "chance" not in titles(drawing)
    assert "chance" in titles(figures.leaderboard("grinningface_val", "recognition", store=path))
    with Store.open(path) as store:
        assert "val, n = 100" in figures.decomposition("expert-blind", store=store).svg
    theirs = figures.decomposition("Baseline (full FT)", store=path, published=True)
    assert "val, n = 500" in theirs.svg


def test_three_of_them_make_one_figure(pytestconfig, tmp_path):
    path = pytestconfig.rootpath / ANALYSIS
    figure = Figure(figsize=(15, 4), layout="constrained")
    first, second, third = figure.subplots(1, 3)
    assert figures.correlation(FIGURE_3, "libero_10", published=True, ax=first) is first
    assert figures.leaderboard("grinningface_val", store=path, ax=second) is second
    assert figures.decomposition("expert-blind", store=path, ax=third) is third
    figure.savefig(tmp_path / "all.pdf")
    assert (tmp_path / "all.pdf").read_bytes().startswith(b"%PDF")


def test_saving(tmp_path):
    drawing = figures.correlation(FIGURE_3, "libero_10", published=True)
    assert drawing.save(tmp_path / "a.svg").read_text() == drawing.svg
    assert drawing.save(str(tmp_path / "a.pdf")).read_bytes().startswith(b"%PDF")
    assert drawing.save(tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(BadInput, match="cannot be written"):
        drawing.save(tmp_path / "none" / "a.svg")
    with pytest.raises(BadInput, match="names no format"):
        drawing.save(tmp_path / "a.eps")


def test_mistakes_are_named(pytestconfig, tmp_path):
    path = pytestconfig.rootpath / ANALYSIS
    with pytest.raises(UnknownName, match="suite"):
        figures.leaderboard("grinningface_vall", store=path)
    with pytest.raises(UnknownName, match="metric"):
        figures.leaderboard("grinningface_val", "recall", store=path)
    with pytest.raises(UnknownName, match="policy"):
        figures.decomposition("experts", store=path)
    with pytest.raises(StoreError):
        figures.leaderboard("toy", store=tmp_path / "none.db")


def test_a_study_is_loaded_by_its_own_figure_alone():
    code = (
        "import sys\n"
        "from vlm4vla import figures\n"
        "figures.correlation('VLM4VLA general capability (Fig. 3 x-axis)', 'libero_10', "
        "published=True)\n"
        "print(*(name for name in sys.modules if name.startswith('vlm4vla.studies')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
