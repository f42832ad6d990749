"""Before and after a training, question by question, on files that the kits themselves wrote."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from vlm4vla.core.errors import BadInput, InvalidFile
from vlm4vla.reports.correlation.retention import retentions
from vlm4vla.stats.paired import PairedCounts
from vlm4vla.stats.ratio import paired_ratio, retained

KITS = Path(__file__).parents[1] / "store" / "vqa_kits"


@pytest.mark.parametrize(
    ("before", "after", "names"),
    [
        ("before", "after", {"MMStar", "POPE", "VSR-zeroshot"}),
        ("ours__before", "ours__after", {"pope"}),
    ],
)
def test_the_same_questions_are_paired(before, after, names):
    rows = {row.benchmark: row for row in retentions(KITS / before, KITS / after)}
    for name in names:
        row = rows[name]
        assert (row.n, row.alone, row.before, row.after) == (12, 0, 9 / 12, 5 / 12)
        assert (row.forgotten, row.learned) == (5, 1), "1 3 5 8 9 lost, 10 won"
        assert row.p == pytest.approx(14 / 64), "six discordant pairs, five one way"
        assert row.kept == pytest.approx(5 / 9) and row.kept_low < 5 / 9 < row.kept_high
        assert row.p <= row.p_holm <= 1
    assert set(rows) - names <= {"TextVQA_VAL"}


def test_partly_right_answers_are_permuted():
    (row,) = retentions(KITS / "before", KITS / "after", ["TextVQA_VAL"])
    assert row.test == "sign-flip permutation" and row.forgotten is None
    assert row.kept == pytest.approx(5 / 9) and row.p == pytest.approx(14 / 64)


def test_lines_in_another_order_pair_alike_and_missing_ones_are_counted(tmp_path):
    (source,) = (KITS / "ours__after").glob("*.jsonl")
    other = tmp_path / source.name
    other.write_text("".join(reversed(source.read_text().splitlines(keepends=True)[2:])))
    (row,) = retentions(KITS / "ours__before", other)
    assert (row.n, row.alone, row.forgotten, row.learned) == (10, 2, 4, 1)


def test_what_cannot_be_paired_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"No benchmark in common.*MMStar.*pope"):
        retentions(KITS / "before", KITS / "ours__after")
    with pytest.raises(InvalidFile, match="no file of single"):
        retentions(KITS / "before", tmp_path)
    (source,) = (KITS / "ours__after").glob("*.jsonl")
    other = tmp_path / source.name
    other.write_text(source.read_text().replace('"doc_hash": "', '"doc_hash": "0'))
    with pytest.raises(BadInput, match="no question of"):
        retentions(KITS / "ours__before", other)
    shutil.copytree(KITS, tmp_path / "both", ignore=shutil.ignore_patterns("before*", "*.py"))
    shutil.copytree(KITS / "before", tmp_path / "both" / "before")
    with pytest.raises(BadInput, match="twice"):
        retentions(tmp_path / "both", KITS / "after")


@pytest.mark.parametrize(("n", "rate", "kept"), [(100, 0.8, 0.9), (50, 0.9, 1.0), (200, 0.7, 0.1)])
def test_the_ratios_interval_covers(n, rate, kept):
    rng, hits, draws = np.random.default_rng(3), 0, 600
    for _ in range(draws):
        before = rng.random(n) < rate
        found = paired_ratio(PairedCounts.of(before & (rng.random(n) < kept), before))
        hits += found.low <= kept <= found.high
    assert hits / draws >= 0.93


def test_the_ratios_interval_never_closes():
    generator = np.random.default_rng(0)
    same = retained(np.ones(20), np.ones(20), generator)
    assert same.value == 1 and same.low < 1 < same.high
    gone = retained(np.ones(20), np.zeros(20), generator)
    assert (gone.value, gone.low) == (0, 0) and 0 < gone.high < 0.3
    assert np.isnan(retained(np.zeros(20), np.ones(20), generator).value)
    partly = retained(np.full(9, 0.5), np.full(9, 0.4), generator)
    assert partly.value == pytest.approx(0.8) and np.isnan(partly.low)
    with pytest.raises(ValueError, match="same items"):
        retained([1, 0], [1], generator)
