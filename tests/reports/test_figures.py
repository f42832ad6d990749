"""Drawings: to scale, and telling series apart by more than colour."""

import re

import pytest

from vlm4vla.reports.figures.chains import Chains, lengths, survival
from vlm4vla.reports.figures.difference import Difference, differences
from vlm4vla.reports.figures.drawing import COLOURS, STYLE, shape
from vlm4vla.reports.figures.funnel import Bar, funnel
from vlm4vla.reports.figures.intervals import Interval, intervals
from vlm4vla.reports.figures.seconds import Spent, seconds
from vlm4vla.reports.figures.standalone import standalone


def numbers(pattern, drawing):
    return [float(x) for x in re.findall(pattern, drawing)]


def test_intervals_are_drawn_to_scale():
    drawing = intervals([Interval("a", 0.5, 0.25, 1.0)], rate=True, chance=0.5)
    ticks = [float(x) for x in re.findall(r'class="tick" x="([\d.]+)"', drawing)]
    assert len(ticks) == 5
    (low, high), (dot,), (chance,) = (
        re.findall(r'class="whisker" x1="([\d.]+)" x2="([\d.]+)"', drawing)[0],
        re.findall(r'cx="([\d.]+)"', drawing),
        re.findall(r'class="chance" x1="([\d.]+)"', drawing),
    )
    assert [float(low), float(high)] == [ticks[1], ticks[4]]
    assert float(dot) == float(chance) == ticks[2]


@pytest.mark.parametrize(("high", "top"), [(0.03, "0.04"), (1.0, "1"), (4.3, "5"), (0.0, "1")])
def test_the_axis_of_means_ends_on_a_round_number(high, top):
    drawing = intervals([Interval("a", high, high, high)], rate=False)
    assert re.findall(r'class="tick"[^>]*>([^<]+)<', drawing)[-1] == top


def test_the_funnel_is_drawn_to_scale():
    drawing = funnel([Bar("all", 8, 8), Bar("half", 4, 8), Bar("none", 0, 0)])
    widths = [float(w) for w in re.findall(r'class="bar"[^>]*width="([\d.]+)"', drawing)]
    assert widths[1] == pytest.approx(widths[0] / 2, abs=0.1) and widths[2] == 0
    assert ">4/8<" in drawing


def test_what_errors_leave_open_is_drawn_to_scale():
    drawing = intervals([Interval("a", 0.5, 0.4, 0.6, bounds=(0.25, 0.75))], rate=True)
    ticks = numbers(r'class="tick" x="([\d.]+)"', drawing)
    ((low, high),) = re.findall(r'class="bounds" d="M([\d.]+) [\d.]+v5H([\d.]+)v-5"', drawing)
    assert [float(low), float(high)] == [ticks[1], ticks[3]]
    assert "bounds" not in intervals([Interval("a", 0.5, 0.4, 0.6)], rate=True)


def test_a_mean_below_zero_stays_on_the_axis():
    drawing = intervals([Interval("a", -1.0, -3.0, 1.0)], rate=False)
    low, high = re.findall(r'class="whisker" x1="([\d.]+)" x2="([\d.]+)"', drawing)[0]
    ticks = numbers(r'class="tick" x="([\d.]+)"', drawing)
    assert ticks[0] < float(low) < float(high) <= ticks[-1]


def test_a_difference_is_drawn_to_scale_around_zero():
    rows = [Difference("a", 0.5, 0.0, 1.0), Difference("b", -0.5, -1.0, 0.5, "7/12", hollow=True)]
    drawing = differences(rows, rate=True)
    ticks = numbers(r'class="tick" x="([\d.]+)"', drawing)
    (zero,) = numbers(r'class="zero" x1="([\d.]+)"', drawing)
    assert zero == ticks[2] and numbers(r'cx="([\d.]+)"', drawing) == [ticks[3], ticks[1]]
    assert drawing.count("dot hollow") == 1 and "7/12" in drawing
    assert re.findall(r'class="tick"[^>]*>([^<]+)<', drawing) == ["-100", "-50", "0", "+50", "+100"]


RUNS = [Chains("a", (1, 0, 0, 0, 0, 3)), Chains("b", (2, 2, 0, 0, 0, 0))]


def test_survival_is_the_share_that_came_so_far():
    drawing = survival(RUNS)
    ticks = numbers(r'class="tick" x="[\d.]+" y="([\d.]+)"', drawing)
    base, top = ticks[0] - 4, ticks[4] - 4
    lines = re.findall(r'<polyline points="([^"]+)"', drawing)
    heights = [[float(pair.split(",")[1]) for pair in line.split()] for line in lines]
    share = [[(base - y) / (base - top) for y in line] for line in heights]
    assert share[0] == pytest.approx([0.75] * 5) and share[1] == pytest.approx([0.5, 0, 0, 0, 0])
    assert "a: 3 of 4" in drawing and "SR5" in drawing


def test_lengths_fill_the_bar_in_proportion():
    widths = numbers(r'class="piece"[^>]*width="([\d.]+)" height="18"', lengths(RUNS))
    whole = sum(widths[:6])
    assert [w / whole for w in widths[:6]] == pytest.approx([0.25, 0, 0, 0, 0, 0.75], abs=1e-3)
    assert widths[6:8] == pytest.approx([whole / 2] * 2, abs=0.1)


def test_the_longest_episode_fills_the_bar():
    parts = {"simulate": 6.0, "policy": 2.0}
    drawing = seconds([Spent("a", parts, 4), Spent("b", {"simulate": 2.0, "policy": 2.0}, 4)])
    widths = numbers(r'class="piece"[^>]*width="([\d.]+)" height="18"', drawing)
    assert widths[0] == pytest.approx(3 * widths[1], rel=1e-2)
    assert sum(widths[2:]) == pytest.approx(sum(widths[:2]) / 2, rel=1e-2)
    assert ">2 s<" in drawing and ">1 s<" in drawing


def test_series_differ_in_shape_where_colours_might_be_confused():
    marks = [shape(i, 0, 0) for i in range(len(COLOURS))]
    forms = [re.sub(r' fill="[^"]+"', "", mark) for mark in marks]
    assert len(set(marks)) == len(COLOURS) and len(set(forms)) == 4


def test_a_drawing_stands_on_its_own_with_the_page_colours():
    alone = standalone(funnel([Bar("half", 4, 8)]), width=720)
    assert 'xmlns="http://www.w3.org/2000/svg"' in alone and 'width="720"' in alone
    assert STYLE in alone


def test_names_are_escaped_and_long_ones_cut():
    drawing = funnel([Bar("<b>&" + "x" * 40, 1, 2)])
    assert "<b>" not in drawing and "…" in drawing and "&lt;b&gt;&amp;" + "x" * 40 in drawing
