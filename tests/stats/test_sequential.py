from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special

from vlm4vla.stats.sequential import (
    asymptotic_sequence,
    confidence_sequence,
    log_capital,
    sequential,
    until_decided,
)

PAIRS = st.lists(st.sampled_from([-1.0, 0.0, 1.0]), max_size=60)


@given(PAIRS)
def test_on_pairs_the_capital_is_a_beta_mixture_on_the_discordant_ones(values):
    """E = 2^m B(b + 1/2, c + 1/2) / B(1/2, 1/2): ties cancel."""
    b, c = values.count(1.0), values.count(-1.0)
    expected = (b + c) * np.log(2) + special.betaln(b + 0.5, c + 0.5) - special.betaln(0.5, 0.5)
    assert log_capital(values, [0.0], -1, 1)[0] == pytest.approx(expected, abs=1e-9)


def test_the_capital_against_any_mean_is_the_integral_over_stakes():
    values, mean, low, high = [0.0, 5.0, 5.0, 3.0, 1.0, 5.0], 1.7, 0.0, 5.0

    def wealth(angle):
        u = np.cos(angle)
        stake = u / (mean - low) if u > 0 else u / (high - mean)
        return np.prod([1 + stake * (v - mean) for v in values])

    expected = integrate.quad(wealth, 0, np.pi, points=[np.pi / 2])[0] / np.pi
    assert np.exp(log_capital(values, [mean], low, high)[0]) == pytest.approx(expected, rel=1e-4)


def expected_capital(chances, values, mean, low, high, n):
    """Sum over every sequence of n values (by their counts) of its probability and capital."""
    first, second, third = values
    total = 0.0
    for i in range(n + 1):
        for j in range(n - i + 1):
            k = n - i - j
            seen = [first] * i + [second] * j + [third] * k
            chance = comb(n, i) * comb(n - i, j) * np.prod(np.power(chances, (i, j, k)))
            total += chance * np.exp(log_capital(seen, [mean], low, high)[0])
    return total


@pytest.mark.parametrize("n", [1, 5, 12])
def test_it_is_a_martingale_the_expected_capital_stays_one(n):
    assert expected_capital((0.3, 0.4, 0.3), (-1, 0, 1), 0.0, -1, 1, n) == pytest.approx(1.0)
    chances, values = (0.2, 0.3, 0.5), (0, 2, 5)
    mean = float(np.dot(chances, values))
    assert expected_capital(chances, values, mean, 0, 5, n) == pytest.approx(1.0)


def test_seven_discordant_pairs_on_one_side_decide():
    assert not sequential([1.0] * 6).decided
    state = sequential([0.0, *[1.0] * 7, 0.0])
    assert state.decided and state.low > 0 and state.e_value >= 20 and state.p <= 0.05
    assert sequential([-1.0] * 7).high < 0


@settings(max_examples=50)
@given(PAIRS.filter(len))
def test_deciding_and_leaving_zero_out_are_the_same(values):
    state = sequential(values)
    assert state.low <= state.mean <= state.high
    if abs(state.e_value - 20) > 1:  # the grid of means is 0.001 apart
        assert state.decided == (not state.low <= 0 <= state.high)


def test_nothing_seen_is_nothing_known():
    state = sequential([])
    assert (state.low, state.high, state.e_value, state.decided) == (-1, 1, 1, False)


def test_limits_of_rates_close_in():
    few, many = confidence_sequence([0, 1] * 10), confidence_sequence([0, 1] * 2000)
    assert few[0] < many[0] < 0.5 < many[1] < few[1] and many[1] - many[0] < 0.1
    assert confidence_sequence([1.0] * 20)[1] == 1.0


def first_decisions(rng, chances, n, repeats, alpha=0.05):
    """Share of comparisons that ever decide, looked at after every pair."""
    draws = rng.choice([-1, 0, 1], p=chances, size=(repeats, n))
    b, c = np.cumsum(draws == 1, axis=1), np.cumsum(draws == -1, axis=1)
    log_e = (b + c) * np.log(2) + special.betaln(b + 0.5, c + 0.5) - special.betaln(0.5, 0.5)
    return np.mean((log_e >= np.log(1 / alpha)).any(axis=1))


def test_peeking_after_every_pair_keeps_the_error_rate_and_finds_differences():
    rng = np.random.default_rng(0)
    assert first_decisions(rng, (0.2, 0.6, 0.2), 500, 4000) <= 0.05 + 0.007
    assert first_decisions(rng, (0.1, 0.6, 0.3), 500, 1000) > 0.95


def test_peeking_at_the_interval_of_a_mean_keeps_its_coverage():
    """400 runs of 100 chains of 0 to 5 subtasks, looked at after every one: the limits exclude the
    true mean where the capital against it exceeds 1 / alpha."""
    rng = np.random.default_rng(1)
    truth, missed = sum(0.8**k for k in range(1, 6)), 0
    for _ in range(400):
        lengths = np.cumprod(rng.random((100, 5)) < 0.8, axis=1).sum(axis=1)
        capital = [log_capital(lengths[:n], [truth], 0, 5)[0] for n in range(1, 101)]
        missed += max(capital) >= np.log(20)
    assert missed / 400 <= 0.05


def test_limits_without_bounds_keep_their_coverage_too():
    rng = np.random.default_rng(2)
    values = rng.exponential(size=(400, 300))
    missed = 0
    for row in values:
        limits = [asymptotic_sequence(row[:n]) for n in range(30, 301, 10)]
        missed += any(not low <= 1.0 <= high for low, high in limits)
    assert missed / 400 <= 0.06
    assert asymptotic_sequence([1.0]) == (-np.inf, np.inf)


def test_the_first_decision_stands():
    values = [1.0] * 7 + [-1.0] * 7
    state = until_decided(values)
    assert (state.n, state.decided, state.mean) == (7, True, 1.0) and state.low > 0
    assert not sequential(values).decided
    assert until_decided([1.0, -1.0] * 5).n == 10 and until_decided([]).n == 0


def test_values_outside_their_range_are_refused():
    for act in (lambda: sequential([2.0]), lambda: confidence_sequence([0.5], 1, 0)):
        with pytest.raises(ValueError, match=r"\."):
            act()
