import numpy as np
import pytest
from statsmodels.stats.weightstats import ttost_paired

from vlm4vla.stats.equivalence import tost_means, tost_paired_rates, tost_rates
from vlm4vla.stats.paired import PairedCounts, newcombe
from vlm4vla.stats.unpaired import newcombe_unpaired


@pytest.mark.parametrize("margin", [0.1, 0.3, 0.6])
def test_means_are_statsmodels_tost(margin):
    rng = np.random.default_rng(0)
    first, second = rng.normal(3, 1, 40), rng.normal(3.05, 1, 40)
    ours = tost_means(first - second, margin)
    assert ours.p == pytest.approx(ttost_paired(first, second, -margin, margin)[0])
    assert (ours.p < 0.05) == (-margin < ours.low and ours.high < margin)


@pytest.mark.parametrize(
    "table", [PairedCounts(400, 20, 22, 58), PairedCounts(10, 2, 3, 9), PairedCounts(50, 0, 0, 0)]
)
@pytest.mark.parametrize("margin", [0.02, 0.05, 0.3])
def test_paired_rates_are_equivalent_where_the_interval_lies_within(table, margin):
    found = tost_paired_rates(table, margin)
    inner = newcombe(table, 0.90)
    assert (found.low, found.high) == (inner.low, inner.high)
    assert (found.p < 0.05) == (-margin < inner.low and inner.high < margin)
    if 1e-6 < found.p < 0.5:
        touching = newcombe(table, 1 - 2 * found.p)
        assert max(-touching.low, touching.high) == pytest.approx(margin, abs=1e-6)


def test_independent_rates():
    close, far = tost_rates(450, 500, 452, 500, 0.05), tost_rates(450, 500, 400, 500, 0.05)
    assert close.p < 0.05 < far.p == 1.0
    assert close.high == newcombe_unpaired(450, 500, 452, 500, 0.90).high


def test_equivalence_is_not_claimed_too_often():
    """At a true difference of exactly the margin, 5 % of claims at most (here of 1500 tables)."""
    rng = np.random.default_rng(1)
    tables = rng.multinomial(200, (0.6, 0.15, 0.05, 0.2), size=1500)
    claimed = np.mean([tost_paired_rates(PairedCounts(*map(int, t)), 0.1).p < 0.05 for t in tables])
    assert claimed <= 0.067


def test_pairs_that_never_differ_and_no_margin():
    assert tost_means([0.0, 0.0, 0.0], 0.1).p == 0.0
    for act in (lambda: tost_means([1.0], 0.1), lambda: tost_rates(1, 2, 1, 2, 0.0)):
        with pytest.raises(ValueError, match=r"\."):
            act()
