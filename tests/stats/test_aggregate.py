from itertools import product

import numpy as np
import pytest
from rliable import metrics  # its `library` needs an arch that pandas 3 has left behind
from scipy import stats

from vlm4vla.stats.aggregate import (
    chain_length_variance,
    interquartile_mean,
    performance_profile,
    probability_of_improvement,
    seed_bootstrap,
    two_level_bootstrap,
)

SCORES = np.random.default_rng(0).beta(2, 3, size=(5, 10))
OTHERS = np.random.default_rng(1).beta(2, 4, size=(3, 10))


def test_the_interquartile_mean_is_rliables():
    assert interquartile_mean(SCORES) == pytest.approx(metrics.aggregate_iqm(SCORES))
    odd = SCORES[:3, :7]
    assert interquartile_mean(odd) == pytest.approx(stats.trim_mean(odd, 0.25, axis=None))
    assert interquartile_mean(np.stack([SCORES, 2 * SCORES])).shape == (2,)


def test_the_performance_profile_counts_what_lies_above():
    taus = np.linspace(0, 1, 21)
    theirs = 1 - stats.ecdf(SCORES.ravel()).cdf.evaluate(taus)
    assert performance_profile(SCORES, taus) == pytest.approx(theirs)
    assert performance_profile(np.stack([SCORES, SCORES]), taus).shape == (2, 21)
    assert performance_profile([[0.0, 1.0]], [0.0, 1.0]).tolist() == [0.5, 0.0]


def test_the_probability_of_improvement_is_rliables():
    theirs = metrics.probability_of_improvement(SCORES, OTHERS)
    assert probability_of_improvement(SCORES, OTHERS) == pytest.approx(theirs)
    assert probability_of_improvement(SCORES, SCORES) == pytest.approx(0.5)


def test_the_bootstrap_resamples_seeds_within_each_task():
    """Every one of (2^2)^3 resamples of two seeds on three tasks, counted."""
    scores = np.array([[0.1, 0.5, 0.9], [0.3, 0.2, 0.6]])
    every = [
        metrics.aggregate_iqm(
            np.stack([scores[list(pick), task] for task, pick in enumerate(p)], 1)
        )
        for p in product(product(range(2), repeat=2), repeat=3)
    ]
    found = seed_bootstrap(scores, np.random.default_rng(2), resamples=200_000)
    assert found.value == pytest.approx(metrics.aggregate_iqm(scores))
    limits = np.quantile(np.repeat(every, 1000), [0.025, 0.975])
    assert (found.low, found.high) == pytest.approx(tuple(limits), abs=1e-9)


def test_two_levels_have_the_variance_of_both():
    """var = (between seeds + within / n) / S, by the plug-in moments of the data."""
    rng = np.random.default_rng(4)
    seeds = [(rng.random(200) < p).astype(float) for p in rng.uniform(0.3, 0.7, 12)]
    found = two_level_bootstrap(seeds, rng, resamples=20_000)
    means = np.array([s.mean() for s in seeds])
    variance = (means.var() + np.mean([s.var() / s.size for s in seeds])) / len(seeds)
    assert found.value == pytest.approx(means.mean())
    assert found.high - found.low == pytest.approx(2 * 1.96 * np.sqrt(variance), rel=0.05)


def test_the_variance_of_chain_lengths_has_a_closed_form():
    rng = np.random.default_rng(5)
    lengths = np.cumprod(rng.random((400, 5)) < 0.8, axis=1).sum(axis=1)
    rates = [(lengths >= k).mean() for k in range(1, 6)]
    assert chain_length_variance(rates) == pytest.approx(lengths.var())


def test_one_seed_says_nothing_about_others():
    for act in (
        lambda: seed_bootstrap(SCORES[:1], np.random.default_rng(0)),
        lambda: two_level_bootstrap([[1.0, 0.0]], np.random.default_rng(0)),
        lambda: probability_of_improvement(SCORES, OTHERS[:, :4]),
    ):
        with pytest.raises(ValueError, match=r"seed|tasks"):
            act()
