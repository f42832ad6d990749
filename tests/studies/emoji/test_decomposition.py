"""Execution x recognition: counts, chance, gaps, and what the paper's own seeds come to."""

import json
import xml.dom.minidom

import numpy as np
import pytest
from scipy import stats

from tests.cli.test_read_verbs import bench
from tests.reports.conftest import emoji_result, emoji_run
from vlm4vla.core.episode import EpisodeKey
from vlm4vla.core.errors import BadInput
from vlm4vla.core.result import EpisodeResult, Outcome
from vlm4vla.reports.tables import text as written
from vlm4vla.reports.tables.table import Exhibit
from vlm4vla.store import Store
from vlm4vla.studies.emoji.decomposition import decomposed, decomposition
from vlm4vla.studies.emoji.decomposition_figure import decomposition as drawn
from vlm4vla.studies.emoji.decomposition_tables import tables


def split_run(store, split, executed, recognised, n=60, last=None, errors=0):
    suite = f"grinningface_{split}"
    run = emoji_run(
        "mine", code=f"{len(store.runs()):08x}", id=f"{suite}-mine", suite=suite, privileged=False,
        plan=tuple(EpisodeKey(suite, "place", i) for i in range(n)),
    )  # fmt: skip
    store.begin(run)
    for i, key in enumerate(run.plan[:last]):
        if i >= n - errors:
            store.record(run.id, EpisodeResult(key, Outcome.ERROR, attempt=3))
        else:
            store.record(run.id, emoji_result(key, i < executed, i < recognised))


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "bench.db", create=True) as opened:
        yield opened


@pytest.fixture
def learned(store):
    """Recognises 40 of 50 on id, 17 of 50 on val."""
    split_run(store, "id", 50, 40)
    split_run(store, "val", 50, 17)
    return store


def one(found, **wanted):
    (score,) = [s for s in found if all(getattr(s, k) == v for k, v in wanted.items())]
    return score


def test_counts_and_their_product(learned):
    score = one(decomposed(learned).splits, split="id")
    assert (score.n, score.executed, score.recognised) == (60, 50, 40)
    assert score.execution.value == pytest.approx(50 / 60)
    assert score.recognition.value == pytest.approx(0.8)
    assert score.overall.value == pytest.approx(40 / 60)
    # Jeffreys: Beta(k + 1/2, n - k + 1/2), independently of our own code.
    limits = stats.beta(40.5, 10.5).ppf([0.025, 0.975])
    assert (score.recognition.low, score.recognition.high) == pytest.approx(tuple(limits))
    draws = np.random.default_rng(1).beta((50.5, 40.5), (10.5, 10.5), (200_000, 2)).prod(1)
    assert (score.overall.low, score.overall.high) == pytest.approx(
        tuple(np.quantile(draws, [0.025, 0.975])), abs=0.004
    )


def test_chance_is_tested_exactly(learned):
    found = decomposed(learned).splits
    assert one(found, split="id").p_chance < 1e-9
    above = stats.binomtest(17, 50, 1 / 3, alternative="greater").pvalue
    below = stats.binomtest(17, 50, 1 / 3, alternative="less").pvalue
    assert one(found, split="val").p_chance == pytest.approx(min(1.0, 2 * min(above, below)))


def test_the_gap_from_id_to_val(learned):
    (gap,) = decomposed(learned).gaps
    assert (gap.first, gap.second, gap.policy) == ("id", "val", "mine")
    assert gap.recognition.value == pytest.approx(0.8 - 0.34)
    assert 0.25 < gap.recognition.low < 0.46 < gap.recognition.high < 0.63
    assert gap.p_loses > 0.999 and gap.overall.value == pytest.approx(23 / 60)


def test_an_unfinished_split_has_no_gap_and_stands_in_brackets(store):
    split_run(store, "id", 50, 40)
    split_run(store, "val", 10, 5, last=20)
    found = decomposed(store)
    assert found.gaps == ()
    (grid,) = tables(found)
    shown = {line[1].text: line for line in grid.body}
    assert shown["val"][2].text.startswith("(") and not shown["id"][2].text.startswith("(")
    assert any("no result" in note for note in grid.notes)


def test_errors_stay_outside_and_nothing_executed_has_no_recognition(store):
    split_run(store, "val", 0, 0, errors=6)
    (score,) = decomposed(store).splits
    assert (score.n, score.errors, score.recognition, score.p_chance) == (54, 6, None, None)
    text = written.markdown(Exhibit(tuple(tables(decomposed(store)))))
    assert "n/a" in text and "+ 6 err" in text


def test_the_papers_seeds_beside_ours(learned):
    found = decomposed(learned, printed=True)
    theirs = one(found.splits, origin="paper", split="val")
    assert (theirs.n, theirs.executed, theirs.recognised) == (500, 468, 212)
    assert "best of many" in theirs.marks and theirs.source == "GrinningFace Table 3"
    gap = one(found.gaps, origin="paper", first="id")
    assert gap.recognition.value == pytest.approx(0.338, abs=0.002) and gap.p_loses > 0.999


def test_the_frame_has_plain_columns(learned):
    frame = decomposition(learned, "mine")
    assert len(frame) == 2 and {"execution", "recognition_low", "overall_high"} <= set(frame)
    assert frame.recognition.between(0, 1).all()


def test_a_store_without_emojis_is_named(store):
    with pytest.raises(BadInput, match="emoji task"):
        decomposed(store)


def test_the_drawing_is_xml_with_three_marks_a_split(learned):
    ax = drawn(decomposed(learned).splits)
    document = xml.dom.minidom.parseString(ax.svg)
    assert len(document.getElementsByTagName("title")) == 1 + 3 * 2  # chance, then the marks
    assert "id, n = 60" in ax.svg and "chance" in ax.svg
    marks = [line.get_xdata()[0] for line in ax.lines if line.get_marker() in ("o", "s", "^")]
    scores = sorted(decomposed(learned).splits, key=lambda one: one.split)
    assert marks == pytest.approx(
        [part.value for one in scores for part in (one.execution, one.recognition, one.overall)]
    )


def test_the_verb(learned, tmp_path):
    text = bench("leaderboard", "--decomposition", store=learned)
    assert "id - val" in text and "P(loses)" in text and "80.0 [67, 89]" in text
    assert all(len(line) <= 100 for line in text.splitlines())
    found = json.loads(bench("leaderboard", "--decomposition", "--json", store=learned))
    assert len(found["splits"]) == 2 and found["gaps"][0]["first"] == "id"
    # What the paper prints can be seen without a store.
    assert "GrinningFace" in bench("leaderboard", "--decomposition", "--published", cwd=tmp_path)
    assert "no store" in bench("leaderboard", "--decomposition", cwd=tmp_path, code=2).lower()
