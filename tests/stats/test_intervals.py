import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from vlm4vla.stats.intervals import (
    bootstrap_mean,
    effective_trials,
    stratified_rate,
    upper_bound,
    wilson,
)

COUNTS = st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
LEVELS = st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99])


@given(COUNTS, LEVELS)
def test_wilson_is_statsmodels_wilson(counts, level):
    k, n = counts
    expected = proportion_confint(k, n, alpha=1 - level, method="wilson")
    assert np.allclose(wilson(k, n, level), expected, rtol=0, atol=1e-12)


def test_wilson_inverts_the_score_test():
    """Brute force: the rates p with |k/n - p| <= z sqrt(p(1-p)/n), on a fine grid."""
    p = np.linspace(0, 1, 2_000_001)
    z = stats.norm.ppf(0.975)
    for k, n in [(0, 24), (1, 24), (12, 24), (24, 24), (3, 100)]:
        accepted = p[np.abs(k / n - p) <= z * np.sqrt(p * (1 - p) / n)]
        low, high = wilson(k, n)
        assert low == pytest.approx(accepted.min(), abs=1e-6)
        assert high == pytest.approx(accepted.max(), abs=1e-6)


def test_wilson_takes_arrays():
    low, high = wilson([[0, 5], [10, 3]], [10, 10])
    assert low.shape == high.shape == (2, 2)
    assert low[0, 0] == 0.0 and high[1, 0] == 1.0
    assert np.isnan(wilson([0, 1], [0, 1])).tolist() == [[True, False], [True, False]]


@given(st.integers(1, 5000), LEVELS)
def test_upper_bound_is_where_so_many_failures_become_unlikely(n, level):
    bound = float(upper_bound(n, level))
    assert stats.binom.cdf(0, n, bound) == pytest.approx(1 - level)
    assert bound == pytest.approx(
        stats.binomtest(0, n, alternative="less").proportion_ci(level, "exact").high
    )


def test_upper_bound_of_nothing_is_unknown():
    assert np.isnan(upper_bound([0, 24])).tolist() == [True, False]


@given(COUNTS, LEVELS)
def test_one_task_is_wilson(counts, level):
    k, n = counts
    estimate = stratified_rate([k], [n], level)
    assert estimate.value == k / n
    low, high = wilson(k, n, level)
    assert (estimate.low, estimate.high) == (pytest.approx(low), pytest.approx(high))


@given(st.lists(COUNTS, min_size=1, max_size=8))
def test_the_stratified_interval_holds_its_rate_within_the_unit(counts):
    k, n = np.transpose(counts)
    estimate = stratified_rate(k, n)
    assert estimate.value == pytest.approx(np.mean(k / n))
    assert -1e-9 <= estimate.low <= estimate.value <= estimate.high <= 1 + 1e-9
    assert estimate.high > estimate.low


def test_tasks_weigh_the_same_whatever_their_number_of_episodes():
    assert stratified_rate([10, 0], [10, 90]).value == 0.5


def test_the_stratified_interval_approaches_the_normal_one():
    """specs: SE = sqrt(sum p(1-p)/n_t)/T."""
    k, n = np.array([30_000, 55_000, 90_000]), np.full(3, 100_000)
    p = k / n
    half = stats.norm.ppf(0.975) * np.sqrt(np.sum(p * (1 - p) / n)) / 3
    estimate = stratified_rate(k, n)
    assert estimate.high - estimate.value == pytest.approx(half, rel=0.01)
    assert estimate.value - estimate.low == pytest.approx(half, rel=0.01)


@pytest.mark.parametrize("rates", [(0.05, 0.5, 0.9), (0.97, 0.99), (0.3,)])
def test_the_stratified_interval_covers(rates):
    """Exact coverage, summed over every outcome of 12 episodes a task."""
    n, coverage = 12, 0.0
    for ks in itertools.product(range(n + 1), repeat=len(rates)):
        estimate = stratified_rate(ks, [n] * len(rates))
        if estimate.low <= np.mean(rates) <= estimate.high:
            coverage += np.prod(stats.binom.pmf(ks, n, rates))
    assert 0.91 <= coverage <= 0.995  # twelve episodes are a coarse lattice


def test_the_bootstrap_agrees_with_scipys_bca():
    rng = np.random.default_rng(3)
    values = rng.gamma(1.0, 2.0, 60)
    ours = bootstrap_mean([values], np.random.default_rng(0), resamples=100_000)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=100_000, rng=np.random.default_rng(1), method="BCa"
    ).confidence_interval
    assert ours.value == pytest.approx(values.mean())
    assert ours.low == pytest.approx(theirs.low, abs=0.01)
    assert ours.high == pytest.approx(theirs.high, abs=0.01)


def test_the_bootstrap_covers_the_average_length_of_calvin():
    """400 data sets of 100 sequences of 0 to 5 subtasks, each subtask reached with p = 0.8."""
    rng = np.random.default_rng(11)
    truth = sum(0.8**i for i in range(1, 6))
    hits = 0
    for _ in range(400):
        lengths = np.cumprod(rng.random((100, 5)) < 0.8, axis=1).sum(axis=1)
        estimate = bootstrap_mean([lengths], rng, resamples=2000)
        hits += estimate.low <= truth <= estimate.high
    assert 0.92 <= hits / 400 <= 0.98


def test_the_bootstrap_resamples_within_tasks():
    """Tasks that never vary leave nothing to resample, however much they differ."""
    fixed = bootstrap_mean([[1.0] * 5, [3.0] * 50], np.random.default_rng(0))
    assert (fixed.value, fixed.low, fixed.high) == (2.0, 2.0, 2.0)
    varied = bootstrap_mean([[0, 1] * 50, [5, 6] * 200], np.random.default_rng(0))
    half = stats.norm.ppf(0.975) * np.sqrt(0.25 / 100 + 0.25 / 400) / 2
    assert varied.value == 3.0
    assert varied.high - varied.low == pytest.approx(2 * half, rel=0.05)


def test_the_bootstrap_is_determined_by_its_generator():
    values = np.arange(20.0)
    first, second, other = (bootstrap_mean([values], np.random.default_rng(s)) for s in (4, 4, 5))
    assert first == second != other


@pytest.mark.parametrize(
    "act",
    [
        lambda: wilson(3, 2),
        lambda: wilson(-1, 2),
        lambda: wilson(1, 2, confidence=95),
        lambda: stratified_rate([], []),
        lambda: stratified_rate([0], [0]),
        lambda: bootstrap_mean([], np.random.default_rng(0)),
        lambda: bootstrap_mean([[1.0], []], np.random.default_rng(0)),
    ],
)
def test_impossible_input_is_refused(act):
    with pytest.raises(ValueError, match=r"\."):
        act()


def test_trials_that_repeat_one_another_count_once():
    clusters = np.repeat(np.arange(24), 12)
    always = (clusters % 2).astype(float)
    assert effective_trials(always, clusters) == pytest.approx(24)
    assert effective_trials(np.zeros(288), clusters) == 24
    assert effective_trials(always[::12], clusters[::12]) == 24


def test_independent_trials_keep_about_their_number():
    rng = np.random.default_rng(0)
    clusters = np.repeat(np.arange(24), 12)
    found = [effective_trials(rng.random(288) < 0.4, clusters) for _ in range(200)]
    assert np.median(found) > 0.8 * 288 and max(found) == 288


def test_288_episodes_of_24_poses_weigh_as_41_where_they_correlate_so():
    """An intraclass correlation of 0.54, as of CogACT on the fixed grid's stack (11 * 0.54 + 1)."""
    rng = np.random.default_rng(1)
    share = (1 / 0.54 - 1) * 0.5
    rates = rng.beta(share, share, (400, 24))  # this spread of the poses' rates gives 0.54
    clusters = np.repeat(np.arange(24), 12)
    found = [effective_trials(rng.random(288) < np.repeat(row, 12), clusters) for row in rates]
    assert np.median(found) == pytest.approx(288 / (1 + 11 * 0.54), rel=0.08)


def test_the_standard_error_of_a_repeated_grid_is_that_of_its_poses():
    """Against a bootstrap that draws whole poses."""
    rng = np.random.default_rng(2)
    clusters = np.repeat(np.arange(24), 12)
    values = (rng.random(288) < np.repeat(rng.beta(0.5, 0.5, 24), 12)).astype(float)
    means = values.reshape(24, 12).mean(1)
    drawn = [rng.choice(means, 24).mean() for _ in range(4000)]
    rate, trials = values.mean(), effective_trials(values, clusters)
    assert np.sqrt(rate * (1 - rate) / trials) == pytest.approx(np.std(drawn), rel=0.1)
