"""Drawings: to scale, telling series apart by more than colour, saved as what the name says."""

import re
import xml.dom.minidom
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from vlm4vla.core.errors import BadInput
from vlm4vla.reports.correlation.correlation import correlations
from vlm4vla.reports.figures.correlation import influence, scatter
from vlm4vla.reports.figures.drawing import COLOURS, Drawing, series, svg_text
from vlm4vla.reports.figures.episodes import funnel, lengths, seconds, survival
from vlm4vla.reports.figures.intervals import Interval, differences, intervals
from vlm4vla.reports.summary import Spent, Stage
from vlm4vla.studies.emoji.decomposition import decomposed
from vlm4vla.studies.emoji.decomposition_figure import decomposition

RUNS = {"a": (1, 0, 0, 0, 0, 3), "b": (2, 2, 0, 0, 0, 0)}
HOSTILE = "<script>alert('$\\frac{$')</script>\"&"


def paper(draw):
    """A drawing of what VLM4VLA prints."""
    vqa = ["VLM4VLA general capability (Fig. 3 x-axis)"]
    return lambda ax: draw(correlations(vqa, ["libero_10"], published=True)[0], ax)


def splits(ax):
    """A drawing of what the GrinningFace paper prints of one policy."""
    found = decomposed(None, (), printed=True).splits
    theirs = [one for one in found if one.origin == "paper"]
    return decomposition(tuple(one for one in theirs if one.policy == theirs[0].policy), ax)


DRAWN = {
    "intervals": lambda ax: intervals([Interval(HOSTILE, 0.5, 0.2, 0.8, HOSTILE)], True, ax=ax),
    "differences": lambda ax: differences([Interval(HOSTILE, 1, 0, 2, HOSTILE)], False, ax),
    "funnel": lambda ax: funnel([Stage(HOSTILE, 1, 2)], ax),
    "seconds": lambda ax: seconds({HOSTILE: Spent({HOSTILE: 1.0}, 1)}, ax),
    "survival": lambda ax: survival({HOSTILE: (1, 2, 3)}, ax),
    "lengths": lambda ax: lengths({HOSTILE: (1, 2, 3)}, ax),
    "scatter": paper(scatter),
    "influence": paper(influence),
    "decomposition": splits,
}


def series_of(ax, marker):
    """(x, y) of the lines with that marker, in the order drawn; `None` for lines without."""
    return [
        (list(line.get_xdata()), list(line.get_ydata()))
        for line in ax.lines
        if line.get_marker() == marker
    ]


def ticks(ax):
    return [text.get_text() for text in ax.get_xticklabels()]


def texts(ax):
    """What stands in the drawing, beside its axes and on them."""
    return [text.get_text() for text in ax.texts]


def widths(ax):
    return [bar.get_width() for bar in ax.patches]


@pytest.mark.parametrize("name", DRAWN)
def test_every_drawing_is_made_on_the_axes_given_or_on_a_sheet_of_its_own(name):
    figure = Figure(figsize=(9, 4))
    left, right = figure.subplots(1, 2)
    assert DRAWN[name](right) is right and right.has_data() and not left.has_data()
    own = DRAWN[name](None)
    assert isinstance(own, Drawing) and own.get_figure() is not figure


@pytest.mark.parametrize("name", DRAWN)
def test_every_drawing_is_saved_as_what_its_name_says(name, tmp_path):
    pdf, png, svg = (
        DRAWN[name](None).save(tmp_path / f"x.{kind}") for kind in ("pdf", "PNG", "svg")
    )
    assert pdf.read_bytes().startswith(b"%PDF-") and pdf.read_bytes().rstrip().endswith(b"%%EOF")
    with Image.open(png) as picture:
        assert picture.format == "PNG" and min(picture.size) > 80
        assert np.asarray(picture.convert("L")).std() > 3, "something is drawn"
    document = xml.dom.minidom.parse(str(svg))
    assert document.documentElement.tagName == "svg"
    assert document.documentElement.getAttribute("aria-label"), "a screen reader has something"
    for file in (pdf, png, svg):
        before = file.read_bytes()
        assert DRAWN[name](None).save(file).read_bytes() == before, "nothing of the clock is in it"


@pytest.mark.parametrize("name", sorted(DRAWN.keys() - {"scatter", "influence", "decomposition"}))
def test_names_are_text_never_markup_nor_mathematics(name):
    drawing = DRAWN[name](None)
    assert "<script" not in drawing.svg
    document = xml.dom.minidom.parseString(drawing.svg)
    shown = [node.firstChild.data for tag in ("text", "title")
             for node in document.getElementsByTagName(tag)]  # fmt: skip
    assert any(HOSTILE in text for text in shown), "whole, at least where the pointer rests"


def test_a_file_that_cannot_be_is_named(tmp_path):
    drawing = funnel([Stage("half", 4, 8)])
    for name in ("a.jpg", "a", "a.svg.txt"):
        with pytest.raises(BadInput, match=r"\.pdf, \.png or \.svg"):
            drawing.save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []
    for kind in ("svg", "pdf", "png"):
        with pytest.raises(BadInput, match="cannot be written"):
            drawing.save(tmp_path / "none" / f"a.{kind}")


def test_drawings_of_one_page_share_no_ids():
    drawn = [svg_text(survival(RUNS), salt=f"s{number}") for number in range(2)]
    first, second = (set(re.findall(r' id="([^"]+)"', text)) for text in drawn)
    used = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', drawn[0]))
    assert first and not first & second
    assert {name for pair in used for name in pair if name} <= first


def test_letters_of_an_svg_stay_letters_in_the_font_around_them():
    text = svg_text(funnel([Stage("half", 4, 8)]))
    assert ">half</text>" in text and ">4/8</text>" in text and "font-family" not in text
    assert "xmlns" not in text and "://" not in text, "HTML knows the name space"


def test_intervals_are_drawn_to_scale():
    ax = intervals([Interval("a", 0.5, 0.25, 1.0)], rate=True, chance=0.5)
    assert ax.get_xlim() == (0, 1) and ticks(ax) == ["0", "25", "50", "75", "100"]
    assert series_of(ax, "o") == [([0.5], [0])]
    chance, whisker = series_of(ax, "None")
    assert (chance[0], whisker[0]) == ([0.5, 0.5], [0.25, 1.0])


def test_the_first_row_is_on_top():
    ax = intervals([Interval(name, 0.5, 0.25, 1.0, "note") for name in "ab"], rate=True)
    places = [ax.transData.transform((0, row))[1] for row in (0, 1)]
    assert places[0] > places[1] and texts(ax) == ["a", "note", "b", "note"]


@pytest.mark.parametrize(("high", "top"), [(0.03, "0.04"), (1.0, "1"), (4.3, "5"), (0.0, "1")])
def test_the_axis_of_means_ends_on_a_round_number(high, top):
    assert ticks(intervals([Interval("a", high, high, high)], rate=False))[-1] == top


def test_the_funnel_is_drawn_to_scale():
    ax = funnel([Stage("all", 8, 8), Stage("half", 4, 8), Stage("none", 0, 0)])
    assert ax.get_xlim() == (0, 1) and widths(ax) == [1, 1, 1, 1, 0.5, 0]
    assert texts(ax) == ["all", "half", "none", "8/8", "4/8", "0/0"]


def test_what_errors_leave_open_is_drawn_to_scale():
    ax = intervals([Interval("a", 0.5, 0.4, 0.6, bounds=(0.25, 0.75))], rate=True)
    bracket, _ = series_of(ax, "None")
    assert bracket[0] == [0.25, 0.25, 0.75, 0.75] and "every error were a failure" in ax.svg
    assert "every error" not in intervals([Interval("a", 0.5, 0.4, 0.6)], rate=True).svg


def test_a_mean_below_zero_stays_on_the_axis():
    ax = intervals([Interval("a", -1.0, -3.0, 1.0)], rate=False)
    ((low, high), _) = series_of(ax, "None")[0]
    assert ax.get_xlim()[0] < low < high <= ax.get_xlim()[1]


def test_a_difference_is_drawn_to_scale_around_zero():
    rows = [Interval("a", 0.5, 0.0, 1.0), Interval("b", -0.5, -1.0, 0.5, "7/12", hollow=True)]
    ax = differences(rows, rate=True)
    assert ax.get_xlim() == (-1, 1) and series_of(ax, "o") == [([0.5], [0]), ([-0.5], [1])]
    zero, first, second = series_of(ax, "None")
    assert (zero[0], first[0], second[0]) == ([0, 0], [0.0, 1.0], [-1.0, 0.5])
    filled = [line.get_markerfacecolor() for line in ax.lines if line.get_marker() == "o"]
    assert filled == [COLOURS[0], "white"] and "7/12" in texts(ax)
    assert ticks(ax) == ["-100", "-50", "0", "+50", "+100"]


def test_survival_is_the_share_that_came_so_far():
    ax = survival(RUNS)
    first, second = series_of(ax, "None")
    assert first == ([1, 2, 3, 4, 5], [75] * 5) and second[1] == [50, 0, 0, 0, 0]
    assert ticks(ax) == ["SR1", "SR2", "SR3", "SR4", "SR5"] and "a: 3 of 4" in ax.svg
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]


def test_lengths_fill_the_bar_in_proportion():
    ax = lengths(RUNS)
    assert widths(ax) == [0.25, 0, 0, 0, 0, 0.75, 0.5, 0.5, 0, 0, 0, 0]
    assert all(one.get_x() <= other.get_x() for one, other in pairwise(ax.patches[:6]))
    assert "5 solved: 3 of 4" in ax.svg and texts(ax)[2:] == ["1", "3", "2", "2"]


def test_the_longest_episode_fills_the_bar():
    parts = {"simulate": 6.0, "policy": 2.0}
    ax = seconds({"a": Spent(parts, 4), "b": Spent({"simulate": 2.0, "policy": 2.0}, 4)})
    assert ax.get_xlim() == (0, 2) and widths(ax) == [1.5, 0.5, 0.5, 0.5]
    assert texts(ax) == ["a", "b", "2 s", "1 s"] and "simulate: 6 s" in ax.svg


def test_series_differ_in_shape_where_colours_might_be_confused():
    looks = [series(i, "") for i in range(len(COLOURS))]
    assert len({(look.get_marker(), look.get_color()) for look in looks}) == len(COLOURS)
    assert len({look.get_marker() for look in looks}) == 4


@pytest.mark.filterwarnings("error")
def test_signs_that_no_file_may_hold_are_left_out():
    ax = intervals([Interval("a\x1b[1m\x00", 0.5, 0.2, 0.8, "prompt=pick\n\tthe cube")], True)
    document = xml.dom.minidom.parseString(ax.svg)
    shown = [node.firstChild.data for node in document.getElementsByTagName("text")]
    assert {"a[1m", "prompt=pick the cube"} <= set(shown)


def test_long_names_are_cut_and_told_in_full():
    name = "x" * 40
    ax = funnel([Stage(name, 1, 2)])
    assert texts(ax)[0] == "x" * 21 + "…" and f"<title>{name}</title>" in ax.svg
