import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import NormalIndPower, TTestPower
from statsmodels.stats.proportion import samplesize_proportions_2indep_onetail

from vlm4vla.stats import power
from vlm4vla.stats.correlation import fisher_interval, pearson
from vlm4vla.stats.intervals import wilson
from vlm4vla.stats.paired import mcnemar


def test_the_sizes_of_the_specification():
    """10 points near .5 take about 390 an arm, 5 points 1,570; chains of .10 about 4,000."""
    assert power.episodes_unpaired(0.45, 0.55) == pytest.approx(390, abs=2)
    assert power.episodes_unpaired(0.475, 0.525) == pytest.approx(1570, abs=5)
    unpaired = np.sqrt(2) * 1.6
    assert power.episodes_paired_mean(0.1, unpaired) == pytest.approx(4000, rel=0.01)
    assert power.episodes_paired_mean(0.2, unpaired) == pytest.approx(1000, rel=0.01)
    halved = power.episodes_paired_mean(0.1, np.sqrt(2 * (1 - 0.5)) * 1.6)
    assert halved == pytest.approx(2000, rel=0.01)
    assert power.detectable_correlation(9) == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize(("rate", "half"), [(0.5, 0.1), (0.9, 0.05), (0.0, 0.1), (0.97, 0.01)])
def test_the_least_number_for_a_precision(rate, half):
    n = power.episodes_for_precision(rate, half)
    widths = [float(np.subtract(*wilson(rate * m, m)[::-1])) / 2 for m in (n - 1, n)]
    assert widths[1] <= half < widths[0]


def test_rates_on_different_episodes_agree_with_statsmodels():
    for rate1, rate2 in [(0.5, 0.6), (0.9, 0.95), (0.1, 0.4)]:
        theirs = samplesize_proportions_2indep_onetail(
            rate1 - rate2, rate2, 0.8, alpha=0.05, alternative="two-sided"
        )
        assert power.episodes_unpaired(rate1, rate2) == pytest.approx(theirs, rel=0.02, abs=1)


def test_means_agree_with_statsmodels():
    n = TTestPower().solve_power(effect_size=0.1 / 1.6, power=0.8, alpha=0.05)
    assert power.episodes_paired_mean(0.1, 1.6) == pytest.approx(n, abs=3)
    d = power.detectable_mean(1000, 1.6)
    assert power.episodes_paired_mean(d, 1.6) == pytest.approx(1000, abs=1)
    assert NormalIndPower(ddof=0).power(d / 1.6, 1000, 0.05, ratio=0) == pytest.approx(
        0.8, abs=1e-4
    )
    n = power.episodes_for_mean(1.6, 0.1)
    assert 1.96 * 1.6 / np.sqrt(n) == pytest.approx(0.1, rel=0.001)


@pytest.mark.parametrize(
    ("n", "better", "worse"), [(24, 0.4, 0.05), (60, 0.3, 0.1), (200, 0.12, 0.08), (9, 0.9, 0.0)]
)
def test_the_power_of_mcnemars_test_is_what_enumeration_gives(n, better, worse):
    found = 0.0
    for b in range(n + 1):
        c = np.arange(n - b + 1)
        mass = stats.multinomial.pmf(
            np.stack([np.full_like(c, b), c, n - b - c], 1), n, [better, worse, 1 - better - worse]
        )
        found += mass[mcnemar(b, c) <= 0.05].sum()
    assert power.mcnemar_power(n, better, worse) == pytest.approx(found, abs=1e-9)


def test_pairs_needed_have_the_power_and_fewer_do_not():
    n = power.episodes_paired(0.1, 0.3)
    assert power.mcnemar_power(n, 0.2, 0.1) >= 0.8 > power.mcnemar_power(n - 10, 0.2, 0.1)
    z = (stats.norm.ppf(0.975) * np.sqrt(0.3) + stats.norm.ppf(0.8) * np.sqrt(0.3 - 0.01)) ** 2
    assert n == pytest.approx(z / 0.01, rel=0.08)  # Connor 1987; the exact test takes a few more
    assert power.episodes_paired(-0.1, 0.3) == n
    assert power.episodes_paired(1.0, 1.0) == 6  # 2 / 2^6 is the first p below 5 %


def test_what_a_number_of_pairs_can_show():
    assert power.detectable_difference(5, 0.5) is None  # 2 / 2^5 is above the level
    d = power.detectable_difference(24, 0.1)
    assert d > 0.1 and power.mcnemar_power(24, d, 0.0) == pytest.approx(0.8, abs=1e-6)
    d = power.detectable_difference(200, 0.3)
    assert power.mcnemar_power(200, (0.3 + d) / 2, (0.3 - d) / 2) == pytest.approx(0.8, abs=1e-6)
    d = power.detectable_unpaired(390, 0.5)
    assert d == pytest.approx(0.1, abs=0.005)
    assert power.detectable_unpaired(390, 0.9) < 0.1
    assert power.detectable_unpaired(2, 0.5) is None


def test_the_power_of_a_correlation_is_what_simulation_gives():
    rng = np.random.default_rng(0)
    x, e = rng.normal(size=(2, 20_000, 9))
    for rho in (0.0, 0.5, 0.8):
        low, high = fisher_interval(pearson(x, rho * x + np.sqrt(1 - rho**2) * e), 9)
        found = np.mean((low > 0) | (high < 0))
        assert power.correlation_power(rho, 9) == pytest.approx(found, abs=0.03)


@pytest.mark.parametrize(
    "act",
    [
        lambda: power.episodes_for_precision(1.5, 0.1),
        lambda: power.episodes_for_precision(0.5, 0.0),
        lambda: power.episodes_for_precision(0.5, 0.00001),
        lambda: power.episodes_unpaired(0.5, 0.5),
        lambda: power.episodes_unpaired(0.5, 0.5001),
        lambda: power.episodes_paired(0.2, 0.1),
        lambda: power.episodes_paired_mean(0.0, 1.0),
        lambda: power.episodes_for_mean(-1.0, 1.0),
        lambda: power.detectable_correlation(3),
    ],
)
def test_impossible_wishes_are_refused(act):
    with pytest.raises(ValueError, match=r"\."):
        act()
