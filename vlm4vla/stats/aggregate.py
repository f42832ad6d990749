"""Scores of several training seeds over several tasks, as one number and as a curve.

`scores` is (S, T): S training seeds, T tasks, normalised so that tasks can be put together; with
further axes before them (...), so has what is returned. After Agarwal et al., "Deep Reinforcement
Learning at the Edge of the Statistical Precipice" (NeurIPS 2021). With one seed nothing varies: use
the stratified rate of `intervals` instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from vlm4vla.stats.intervals import Estimate, Floats

RESAMPLES = 2_000


def interquartile_mean(scores: ArrayLike) -> Floats:
    """Mean of the middle half of all scores."""
    values = np.asarray(scores, dtype=np.float64)
    flat = np.sort(values.reshape(*values.shape[:-2], -1), axis=-1)
    cut = flat.shape[-1] // 4
    middle: Floats = flat[..., cut : flat.shape[-1] - cut].mean(axis=-1)
    return middle


def performance_profile(scores: ArrayLike, thresholds: ArrayLike) -> Floats:
    """Share (..., K) of seeds and tasks that score above each threshold (K,)."""
    values = np.asarray(scores, dtype=np.float64)
    above = values[..., None, :, :] > np.asarray(thresholds, dtype=np.float64)[:, None, None]
    share: Floats = above.mean(axis=(-2, -1))
    return share


def probability_of_improvement(first: ArrayLike, second: ArrayLike) -> float:
    """Chance that a seed of the first (S1, T) beats one of the second (S2, T) on any one task.

    Equal scores count half.
    """
    a, b = _matrix(first), _matrix(second)
    if a.shape[1] != b.shape[1]:
        raise ValueError("Both need scores of the same tasks.")
    wins = a[:, None, :] > b[None, :, :]
    ties = a[:, None, :] == b[None, :, :]
    return float(np.mean(wins + 0.5 * ties))


def seed_bootstrap(
    scores: ArrayLike,
    generator: Generator,
    statistic: Callable[[Floats], Floats] = interquartile_mean,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
) -> Estimate:
    """Percentile interval from seeds resampled within each task.

    Args:
        scores: (S, T), at least 2 seeds.
        generator: where the resampling takes its randomness from.
        statistic: of (..., S, T), e.g. `interquartile_mean`.
        confidence: two-sided level.
        resamples: how many.
    """
    values = _matrix(scores)
    seeds, tasks = values.shape
    if seeds < 2:
        raise ValueError("One training seed says nothing about others: at least 2 are needed.")
    drawn = generator.integers(seeds, size=(resamples, seeds, tasks))
    found = statistic(values[drawn, np.arange(tasks)])
    low, high = np.quantile(found, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(float(statistic(values)), float(low), float(high))


def two_level_bootstrap(
    seeds: Sequence[ArrayLike],
    generator: Generator,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
) -> Estimate:
    """Mean over training seeds with an interval for both sources of chance: seeds, then episodes.

    Args:
        seeds: outcomes (n_s,) of each of S training seeds, at least 2.
        generator: where the resampling takes its randomness from.
        confidence: two-sided level.
        resamples: how many.
    """
    groups = [np.asarray(values, dtype=np.float64).ravel() for values in seeds]
    if len(groups) < 2 or any(group.size == 0 for group in groups):
        raise ValueError("At least 2 training seeds, each with an episode, are needed.")
    # A seed is drawn anew each time it is chosen, so its episodes are resampled for each drawing.
    chosen = generator.integers(len(groups), size=(resamples, len(groups)))
    means = np.empty(chosen.shape)
    for number, group in enumerate(groups):
        places = chosen == number
        distinct, repeats = np.unique(group, return_counts=True)
        drawn = generator.multinomial(group.size, repeats / group.size, size=int(places.sum()))
        means[places] = drawn @ distinct / group.size
    low, high = np.quantile(means.mean(axis=1), [(1 - confidence) / 2, (1 + confidence) / 2])
    value = float(np.mean([group.mean() for group in groups]))
    return Estimate(value, float(low), float(high))


def chain_length_variance(chain_rates: ArrayLike) -> float:
    """Variance of CALVIN's chain length from the rates of completing at least k subtasks.

    The closed form sum (2k - 1) p_k - mu^2, which checks what a bootstrap says.

    Args:
        chain_rates: (5,) rates of reaching 1, 2, ... subtasks.
    """
    rates = np.asarray(chain_rates, dtype=np.float64)
    weights = 2 * np.arange(1, rates.size + 1) - 1
    return float(weights @ rates - rates.sum() ** 2)


def _matrix(scores: ArrayLike) -> Floats:
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 2 or not values.size:
        raise ValueError("Scores must be a matrix of training seeds by tasks.")
    return values
