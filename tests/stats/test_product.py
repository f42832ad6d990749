import numpy as np
import pytest
from scipy import integrate, optimize, stats

from vlm4vla.stats.product import decompose, product_draws


def quantile(level, executed, recognised, trials):
    """Numerically: P(E R <= t) = E[ F_R(t / E) ]."""
    e = stats.beta(executed + 0.5, trials - executed + 0.5)
    r = stats.beta(recognised + 0.5, executed - recognised + 0.5)

    def below(t):
        inner, _ = integrate.quad(lambda p: r.cdf(min(1.0, t / p)) * e.pdf(p), 1e-12, 1, limit=400)
        return inner - level

    return optimize.brentq(below, 1e-9, 1 - 1e-9)


@pytest.mark.parametrize("counts", [(80, 40, 100), (24, 8, 24), (5, 5, 24)])
def test_the_product_has_the_quantiles_of_the_integral(counts):
    executed, recognised, trials = counts
    found = decompose(executed, recognised, trials, np.random.default_rng(0), 1 / 3).overall
    assert found.value == recognised / trials
    assert found.low == pytest.approx(quantile(0.025, *counts), abs=0.003)
    assert found.high == pytest.approx(quantile(0.975, *counts), abs=0.003)


def test_recognition_against_a_card_in_three():
    blind = decompose(24, 8, 24, np.random.default_rng(0), 1 / 3)
    seeing = decompose(24, 23, 24, np.random.default_rng(0), 1 / 3)
    assert blind.p_chance == 1.0 and seeing.p_chance < 1e-8
    assert seeing.p_chance == pytest.approx(2 * stats.binomtest(23, 24, 1 / 3, "greater").pvalue)


def test_nothing_executed_leaves_recognition_unknown():
    found = decompose(0, 0, 24, np.random.default_rng(0), 1 / 3)
    assert found.recognition is None and found.p_chance is None
    assert found.overall.value == 0 and found.overall.high < 0.1


def test_the_gap_of_two_splits_is_drawn():
    rng = np.random.default_rng(3)
    gap = product_draws(90, 80, 100, rng) - product_draws(70, 30, 100, rng)
    assert gap.mean() == pytest.approx(0.5, abs=0.02) and np.quantile(gap, 0.025) > 0.3


def test_impossible_counts_are_refused():
    with pytest.raises(ValueError, match="recognised <= executed"):
        decompose(3, 4, 10, np.random.default_rng(0), 1 / 3)
