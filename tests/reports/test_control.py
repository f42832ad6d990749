"""A perturbed suite's board: what the perturbation costs beside its control, as compare says."""

import csv
import io
import json
import re

import pytest

from tests.reports.conftest import FACTS, emoji_run, exhibit, fill
from tests.reports.test_leaderboard import printed
from vlm4vla.api import leaderboard, report
from vlm4vla.core.episode import EpisodeKey
from vlm4vla.reports.board.board import board
from vlm4vla.reports.board.control import beside_controls
from vlm4vla.reports.compare.comparison import comparison
from vlm4vla.reports.tables import text as written

PERTURBED, CONTROL = "grinningface_val-mine-0a1b2c3d", "grinningface_val-mine-1a1b2c3d"


def begin(store, policy="mine", code="0a1b2c3d", control=False, solved=0, last=None,
          inits=range(24), **facts):  # fmt: skip
    protocol = "control" if control else "default"
    stated = {**FACTS, "protocol": protocol, "control": str(control), **facts}
    stated |= {"contrast": "protocol control"} if control else {}
    plan = tuple(EpisodeKey("grinningface_val", "place", init) for init in inits)
    run = emoji_run(policy, code=code, protocol=protocol, comparability=stated, plan=plan)
    fill(store, run, solved, solved, last=last)


@pytest.fixture
def pair(store):
    """A policy that loses 12 of 24 episodes to the perturbation, and two without a control."""
    begin(store, solved=8)
    begin(store, code="1a1b2c3d", control=True, solved=20)
    begin(store, "other", code="2a1b2c3d", solved=4)
    begin(store, code="3a1b2c3d", renderer="another", solved=6)
    return store


def whole(store):
    return beside_controls(store, board(store))


def row_of(found, run=PERTURBED, metric="overall"):
    (row,) = (r for r in found.rows if (r.run, r.metric, r.task) == (run, metric, "all"))
    return row


def test_a_row_says_what_compare_says_of_it_and_its_control(pair):
    found, compared = whole(pair), comparison(pair, PERTURBED, CONTROL)
    for one in compared.contrasts:
        row = row_of(found, metric=one.metric)
        told = row.less_control, row.less_control_low, row.less_control_high
        assert told == (one.difference, one.low, one.high)
        assert (row.control, row.control_p, row.control_test) == (CONTROL, one.p, one.test)
    head = compared.headline
    assert head.difference == pytest.approx(-0.5) and head.high < 0
    assert {row.run for row in found.rows if row.control} == {PERTURBED}


def test_every_format_and_the_page_show_the_loss(pair, tmp_path):
    shown, found = exhibit(whole(pair)), comparison(pair, PERTURBED, CONTROL).headline
    interval = f"[{100 * found.low:+.1f}, {100 * found.high:+.1f}]"
    page = report(tmp_path / "page.html", store=pair).read_text()
    narrow = printed(whole(pair), 80, narrow=True)
    for text in (printed(whole(pair), 130), written.markdown(shown), written.latex(shown), page):
        bare = re.sub("<[^>]*>", "", text).replace("{[}", "[").replace("&#39;", "'")
        plain = " ".join(bare.split())
        assert "less control" in plain and f"-50.0 {interval}" in plain
        assert "p = 0.00049" in plain and "(McNemar's exact)" in plain
    assert "mine  " in narrow and "-50.0" in narrow and "[-67, -25]" in narrow
    (line,) = (
        r for r in csv.DictReader(io.StringIO(written.csv_text(shown)))
        if r["run"] == PERTURBED and r["metric"] == "overall" and r["task"] == "all"
    )  # fmt: skip
    assert float(line["less_control_low"]) == found.low and line["control"] == CONTROL
    assert leaderboard(pair).less_control.min() == pytest.approx(-0.5)
    listed = json.loads(written.json_text(shown))
    assert found.high in {one["less_control_high"] for one in listed}


def test_an_unfinished_control_and_other_episodes_say_nothing(store):
    begin(store, solved=8)
    begin(store, code="1a1b2c3d", control=True, solved=5, last=12)
    assert row_of(whole(store)).less_control is None
    assert "less control" not in printed(whole(store))


def test_a_control_without_a_common_episode_is_told(store):
    begin(store, solved=8)
    begin(store, code="1a1b2c3d", control=True, solved=3, inits=range(50, 74))
    found = whole(store)
    assert row_of(found).less_control is None
    assert any("no finished episode in common" in text for text in found.warnings)
