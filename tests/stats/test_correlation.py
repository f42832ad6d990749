from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from vlm4vla.stats.correlation import (
    bootstrap_interval,
    family_influence,
    fisher_interval,
    least_squares,
    leave_one_out,
    pearson,
    permutation_test,
    spearman,
)

PAIRS = st.integers(3, 12).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(-20, 20), min_size=n, max_size=n).filter(lambda v: len(set(v)) > 1),
        st.lists(st.integers(-20, 20), min_size=n, max_size=n).filter(lambda v: len(set(v)) > 1),
    )
)


def sample(n, rho, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return x, rho * x + np.sqrt(1 - rho**2) * rng.normal(size=n)


@given(PAIRS)
def test_the_coefficients_are_scipys(pair):
    x, y = pair
    assert pearson(x, y) == pytest.approx(stats.pearsonr(x, y).statistic)
    assert spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic)


def test_the_coefficients_take_arrays():
    x, y = np.random.default_rng(0).normal(size=(2, 4, 5, 9))
    each = [[stats.spearmanr(x[i, j], y[i, j]).statistic for j in range(5)] for i in range(4)]
    assert np.allclose(spearman(x, y), each)
    assert np.allclose(pearson(x, y[0, 0])[1, 2], stats.pearsonr(x[1, 2], y[0, 0]).statistic)


def test_what_does_not_vary_has_no_correlation():
    assert np.isnan(pearson([0.1, 0.1, 0.1], [1, 2, 3]))
    assert np.isnan(permutation_test([0.1, 0.1, 0.1], [1, 2, 3]).p)


@settings(max_examples=25)
@given(PAIRS.filter(lambda pair: len(pair[0]) <= 6), st.sampled_from(["pearson", "spearman"]))
def test_the_p_value_is_the_share_of_all_orders(pair, kind):
    x, y = map(np.array, pair)
    of = {"pearson": stats.pearsonr, "spearman": stats.spearmanr}[kind]
    observed = abs(of(x, y).statistic)
    reached = [
        abs(of(x, y[list(o)]).statistic) >= observed - 1e-9 for o in permutations(range(len(y)))
    ]
    test = permutation_test(x, y, kind)
    assert test.exact and test.p == np.mean(reached)


@pytest.mark.parametrize("seed", range(2))
def test_nine_backbones_agree_with_scipys_exact_permutations(seed):
    """scipy's one-sided p of r and of -r add up to the two-sided one: r is continuous here."""
    x, y = sample(9, 0.6, seed)
    every = stats.PermutationMethod(n_resamples=np.inf, batch=50_000)
    sign = np.sign(pearson(x, y))
    one = stats.pearsonr(x, sign * y, alternative="greater", method=every)
    a, b = stats.zscore(x), sign * stats.zscore(y)
    orders = np.array(list(permutations(range(9))), dtype=np.uint8)
    # Orders at least as far on the other side, counted by brute force.
    opposite = np.mean(b[orders] @ a <= -(a @ b) + 1e-9)
    assert permutation_test(x, y).p == pytest.approx(one.pvalue + opposite, abs=1e-12)


def test_spearman_of_nine_has_the_tabled_critical_value():
    """Zar's table for n = 9: rho of 0.700 is significant at a two-sided 0.05, 0.683 is not."""
    x = np.arange(9)
    for total, significant in [(36, True), (38, False)]:  # rho = 1 - 6 total / 720
        y = next(
            np.array(o) for o in permutations(range(9)) if np.sum((np.array(o) - x) ** 2) == total
        )
        assert (permutation_test(x, y, "spearman").p <= 0.05) == significant


def test_ten_are_counted_in_blocks_and_more_by_chance():
    x, y = sample(10, 0.5, 4)
    exact = permutation_test(x, y)
    assert exact.exact
    rng = np.random.default_rng(8)
    drawn = rng.permuted(np.tile(y, (200_000, 1)), axis=1)
    share = np.mean(np.abs(pearson(x, drawn)) >= abs(exact.value))
    assert exact.p == pytest.approx(share, abs=4 * np.sqrt(share / 200_000))
    x, y = sample(14, 0.5, 5)
    chance = permutation_test(x, y, generator=np.random.default_rng(1))
    assert not chance.exact
    assert chance.p == pytest.approx(stats.pearsonr(x, y).pvalue, rel=0.25)
    with pytest.raises(ValueError, match="generator"):
        permutation_test(x, y)


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
@pytest.mark.parametrize(("n", "rho"), [(4, 0.1), (9, 0.8), (9, -0.4), (60, 0.99)])
def test_fishers_interval_is_scipys(n, rho, level):
    x, y = sample(n, rho, n)
    theirs = stats.pearsonr(x, y)
    low, high = fisher_interval(theirs.statistic, n, level)
    assert (low, high) == pytest.approx(tuple(theirs.confidence_interval(level)))


def test_fishers_interval_is_wider_for_ranks_and_empty_for_three():
    low, high = fisher_interval(0.8, 9)
    wide_low, wide_high = fisher_interval(0.8, 9, kind="spearman")
    assert wide_low < low < high < wide_high
    assert fisher_interval(0.8, 3) == (-1.0, 1.0)
    assert fisher_interval([1.0, -1.0], 9)[0].tolist() == [1.0, -1.0]


@pytest.mark.parametrize("kind", ["pearson", "spearman"])
def test_the_bootstrap_agrees_with_scipys_bca(kind):
    x, y = sample(30, 0.6, 2)
    of = {"pearson": stats.pearsonr, "spearman": stats.spearmanr}[kind]
    theirs = stats.bootstrap(
        (x, y), lambda a, b: of(a, b).statistic, paired=True, vectorized=False,
        n_resamples=9_000, method="BCa", rng=np.random.default_rng(3),
    ).confidence_interval  # fmt: skip
    ours = bootstrap_interval(x, y, np.random.default_rng(4), kind, resamples=50_000)
    assert ours.value == pytest.approx(of(x, y).statistic)
    assert (ours.low, ours.high) == (
        pytest.approx(theirs.low, abs=0.03), pytest.approx(theirs.high, abs=0.03)
    )  # fmt: skip


def test_leaving_out():
    x, y = sample(9, 0.3, 6)
    families = ["q", "q", "p", "q", "k", "q", "p", "q", "q"]
    one = [stats.pearsonr(np.delete(x, i), np.delete(y, i)).statistic for i in range(9)]
    assert np.allclose(leave_one_out(x, y), one)
    found = {one.family: one for one in family_influence(x, y, families)}
    assert [(name, one.members) for name, one in found.items()] == [("q", 6), ("p", 2), ("k", 1)]
    rest, inside = [2, 4, 6], [0, 1, 3, 5, 7, 8]
    assert found["q"].without == pytest.approx(stats.pearsonr(x[rest], y[rest]).statistic)
    assert found["q"].within == pytest.approx(stats.pearsonr(x[inside], y[inside]).statistic)
    assert found["p"].within is None and found["p"].within_p is None
    assert family_influence(x[:4], y[:4], ["q", "q", "q", "p"])[0].without is None


def test_the_line_is_numpys():
    x, y = sample(9, 0.7, 1)
    line = least_squares(x, y)
    assert [line.slope, line.intercept] == pytest.approx(np.polyfit(x, y, 1).tolist())
    assert line.r_squared == pytest.approx(stats.linregress(x, y).rvalue ** 2)


@pytest.mark.parametrize(
    ("x", "y"), [([1, 2], [1, 2]), ([1, 2, 3], [1, 2]), ([1, 2, np.nan], [1, 2, 3])]
)
def test_impossible_input_is_refused(x, y):
    with pytest.raises(ValueError, match=r"\."):
        permutation_test(x, y)
