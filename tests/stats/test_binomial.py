import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats
from statsmodels.stats.proportion import proportion_confint

from vlm4vla.stats.binomial import (
    binomial_test,
    clopper_pearson,
    jeffreys,
    posterior,
    probability_greater,
)

COUNTS = st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
LEVELS = st.sampled_from([0.5, 0.8, 0.95, 0.99])


@given(COUNTS, LEVELS)
def test_clopper_pearson_is_scipys_exact_interval(counts, level):
    k, n = counts
    theirs = stats.binomtest(k, n).proportion_ci(level, "exact")
    assert np.allclose(clopper_pearson(k, n, level), theirs, rtol=0, atol=1e-9)


@pytest.mark.parametrize("n", [1, 10, 24, 100])
def test_clopper_pearson_never_covers_less_than_its_level(n):
    """Exact coverage, summed over every outcome, on a grid of rates."""
    k = np.arange(n + 1)
    low, high = clopper_pearson(k, n)
    rates = np.linspace(0.0005, 0.9995, 2000)
    covered = (low <= rates[:, None]) & (rates[:, None] <= high)
    assert np.sum(covered * stats.binom.pmf(k, n, rates[:, None]), axis=1).min() >= 0.95


@given(COUNTS.filter(lambda c: 0 < c[0] < c[1]), LEVELS)
def test_jeffreys_is_statsmodels_jeffreys(counts, level):
    k, n = counts
    theirs = proportion_confint(k, n, 1 - level, "jeffreys")
    assert np.allclose(jeffreys(k, n, level), theirs, atol=1e-9)


def test_jeffreys_ends_at_the_unit_where_nothing_or_all_was_seen():
    low, high = jeffreys([0, 24], 24)
    assert low[0] == 0 and high[1] == 1 and 0 < high[0] == pytest.approx(1 - low[1])


def test_intervals_take_arrays():
    for interval in (clopper_pearson, jeffreys):
        low, high = interval(np.arange(6).reshape(2, 3), 10)
        assert low.shape == high.shape == (2, 3)
        assert low[1, 2] == interval(5, 10)[0]


def test_the_posterior_is_the_jeffreys_beta():
    draws = posterior([3, 20], [24, 24], np.random.default_rng(0))
    assert draws.shape == (100_000, 2)
    for column, k in zip(draws.T, (3, 20), strict=True):
        assert stats.kstest(column, stats.beta(k + 0.5, 24.5 - k).cdf).pvalue > 0.001


@pytest.mark.parametrize(("k", "n"), [((18, 12), (24, 24)), ((3, 3), (10, 20)), ((0, 2), (5, 9))])
def test_the_probability_of_being_better_is_the_integral(k, n):
    first, second = (stats.beta(a + 0.5, b - a + 0.5) for a, b in zip(k, n, strict=True))
    exact, _ = integrate.quad(lambda p: first.sf(p) * second.pdf(p), 0, 1, limit=200)
    found = probability_greater(k, n, np.random.default_rng(1))
    assert found == pytest.approx(exact, abs=0.006)


@given(COUNTS.filter(lambda c: c[1] < 200), st.sampled_from([1 / 3, 0.5, 0.9]))
def test_the_exact_test_doubles_the_smaller_tail_and_inverts_clopper_pearson(counts, rate):
    k, n = counts
    p = float(binomial_test(k, n, rate))
    tails = [stats.binomtest(k, n, rate, side).pvalue for side in ("less", "greater")]
    assert p == pytest.approx(min(1, 2 * min(tails)), rel=1e-9, abs=1e-12)
    low, high = clopper_pearson(k, n)
    if abs(p - 0.05) > 1e-9:
        assert (p < 0.05) == (not low <= rate <= high)
    mid = float(binomial_test(k, n, rate, mid=True))
    own = stats.binom.pmf(k, n, rate)
    assert mid == pytest.approx(min(1, 2 * min(tails) - own), abs=1e-9)


def test_nothing_tried_is_no_evidence():
    assert binomial_test([0, 8], [0, 24], 1 / 3).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("interval", [clopper_pearson, jeffreys])
def test_impossible_counts_are_refused(interval):
    with pytest.raises(ValueError, match=r"\."):
        interval(3, 2)
