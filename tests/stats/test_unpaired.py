from itertools import product

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep

from vlm4vla.stats.unpaired import mean_test, newcombe_unpaired, rate_test


def boschloo(k1, n1, k2, n2):
    """Brute force: every table at most as likely by Fisher's p, at the worst common rate."""
    tables = list(product(range(n1 + 1), range(n2 + 1)))
    rates = np.linspace(0.001, 0.999, 999)
    found = []
    for side in ("less", "greater"):
        p = {(a, b): stats.fisher_exact([[a, b], [n1 - a, n2 - b]], side).pvalue for a, b in tables}
        extreme = [table for table in tables if p[table] <= p[k1, k2] * (1 + 1e-9)]
        mass = [stats.binom.pmf(a, n1, rates) * stats.binom.pmf(b, n2, rates) for a, b in extreme]
        found.append(np.max(np.sum(mass, axis=0)))
    return min(1.0, 2 * min(found))


@pytest.mark.parametrize(("k1", "k2"), [(7, 1), (9, 4), (5, 5), (0, 3)])
def test_boschloo_is_what_enumeration_gives(k1, k2):
    found = rate_test(k1, 10, k2, 8)
    assert found.name == "Boschloo" and found.p == pytest.approx(boschloo(k1, 10, k2, 8), abs=2e-3)


def test_fisher_stands_in_for_many_and_agreement_is_no_evidence():
    large = rate_test(300, 500, 250, 500)
    assert large.name == "Fisher"
    assert large.p == pytest.approx(stats.fisher_exact([[300, 250], [200, 250]]).pvalue)
    assert rate_test(0, 10, 0, 10).p == rate_test(10, 10, 7, 7).p == 1.0


def test_newcombes_interval_is_statsmodels_newcomb():
    for k1, n1, k2, n2 in [(9, 24, 3, 24), (0, 10, 4, 20), (50, 50, 40, 45)]:
        ours = newcombe_unpaired(k1, n1, k2, n2)
        theirs = confint_proportions_2indep(k1, n1, k2, n2, method="newcomb")
        assert (ours.low, ours.high) == pytest.approx(theirs)
        assert ours.value == pytest.approx(k1 / n1 - k2 / n2)


def test_the_permutation_test_of_means_is_scipys():
    rng = np.random.default_rng(4)
    for shift in (0, 1):
        a, b = rng.integers(0, 6, 30), rng.integers(0, 6, 40) + shift
        theirs = stats.permutation_test(
            (a, b), lambda x, y: np.mean(x) - np.mean(y), n_resamples=10_000, rng=rng
        ).pvalue
        assert mean_test(a, b, rng) == pytest.approx(theirs, abs=0.02)
    few = mean_test([1, 2, 3], [4, 5, 6], rng, 100_000)
    assert few == pytest.approx(2 / 20, abs=0.005)  # 20 ways to choose three of six


def test_impossible_counts_are_refused():
    for act in (lambda: rate_test(3, 2, 0, 1), lambda: newcombe_unpaired(0, 0, 0, 1)):
        with pytest.raises(ValueError, match="between 0"):
            act()
    with pytest.raises(ValueError, match="at least one"):
        mean_test([], [1.0], np.random.default_rng(0))
