"""Intervals for rates and means. Arrays in, numbers out; nothing here needs scipy.

Every function takes `confidence`, the two-sided level of the interval, 0.95 by default.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
RESAMPLES = 10_000
_NORMAL = NormalDist()
Z95 = _NORMAL.inv_cdf(0.975)
"""Half a 95 % interval of a normal, in standard errors."""


@dataclass(frozen=True)
class Estimate:
    """A number with its interval."""

    value: float
    low: float
    high: float


def wilson(
    successes: ArrayLike, trials: ArrayLike, confidence: float = 0.95
) -> tuple[Floats, Floats]:
    """Wilson's score interval of a binomial rate (Wilson 1927, JASA 22, 209-212).

    Args:
        successes: counts, any shape.
        trials: counts, broadcast against `successes`; where 0, the interval is NaN.
        confidence: two-sided level.

    Returns:
        Lower and upper limits, each of the broadcast shape.
    """
    k, n = counts(successes, trials)
    z = _quantile(confidence)
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = (k + z**2 / 2) / (n + z**2)
        half = z / (n + z**2) * np.sqrt(k * (n - k) / n + z**2 / 4)
    # At the ends rounding leaves 1e-17 where the limit is exactly 0 or 1.
    low = np.where(k == 0, 0.0, np.maximum(centre - half, 0.0))
    high = np.where(k == n, 1.0, np.minimum(centre + half, 1.0))
    empty = n == 0
    return np.where(empty, np.nan, low), np.where(empty, np.nan, high)


def upper_bound(trials: ArrayLike, confidence: float = 0.95) -> Floats:
    """One-sided upper bound of a rate of which no success was seen (Clopper-Pearson 1934).

    Args:
        trials: counts, any shape; NaN where 0.
        confidence: one-sided level.

    Returns:
        The rate at which `trials` failures in a row have probability 1 - confidence.
    """
    n = np.asarray(trials, dtype=np.float64)
    with np.errstate(divide="ignore"):
        bound = -np.expm1(np.log1p(-confidence) / n)
    return np.where(n > 0, bound, np.nan)


def stratified_rate(successes: ArrayLike, trials: ArrayLike, confidence: float = 0.95) -> Estimate:
    """Mean over tasks of their success rates, each task weighing the same.

    The limits of the tasks are combined by squares (MOVER: Zou & Donner 2008, Statistics in
    Medicine 27, 1693-1702), which is Wilson's interval itself for one task and, unlike the normal
    or bootstrap interval, does not collapse to a point where every task is at 0 or 1.

    Args:
        successes: counts, (T,).
        trials: counts, (T,), all positive.
        confidence: two-sided level.
    """
    k, n = counts(successes, trials)
    if k.ndim != 1 or not k.size or np.any(n == 0):
        raise ValueError("One count of at least one trial for each task is needed.")
    low, high = wilson(k, n, confidence)
    rates = k / n
    value = float(rates.mean())
    return Estimate(
        value,
        value - float(np.sqrt(np.sum((rates - low) ** 2))) / k.size,
        value + float(np.sqrt(np.sum((high - rates) ** 2))) / k.size,
    )


def rate_of_tasks(successes: ArrayLike, trials: ArrayLike) -> Estimate | None:
    """As `stratified_rate`, over those of T tasks (T,) that were tried; None if none was.

    Where no success was seen, the upper limit is one-sided: `upper_bound`.
    """
    k, n = counts(successes, trials)
    k, n = k[n > 0], n[n > 0]
    if not n.size:
        return None
    if not k.any():
        # As many episodes of each task as the least of them has: for equal weights, no mix of
        # rates makes that many failures likelier than the same rate everywhere does.
        return Estimate(0.0, 0.0, float(upper_bound(n.size * n.min())))
    return stratified_rate(k, n)


def error_bounds(successes: ArrayLike, trials: ArrayLike, errors: ArrayLike) -> tuple[float, float]:
    """Mean over T tasks (T,) of the rates if every error were a failure, or a success."""
    k, n = counts(successes, trials)
    e = np.asarray(errors, dtype=np.float64)
    k, e, whole = (array[n + e > 0] for array in (k, e, n + e))
    return float(np.mean(k / whole)), float(np.mean((k + e) / whole))


def effective_trials(values: ArrayLike, clusters: ArrayLike) -> float:
    """How many independent trials repeated ones are worth.

    The design effect 1 + (m - 1) r (Kish 1965), m the size of the cluster an episode is in, on
    average, and r the intraclass correlation by analysis of variance (Donner & Koval 1980,
    Biometrics 36, 19-25), between 0 and 1. Values that do not differ at all say nothing of r: then
    each cluster counts once.

    Args:
        values: one for each trial, (n,).
        clusters: equal for trials that repeat one another, (n,).
    """
    x = np.asarray(values, dtype=np.float64).ravel()
    _, index, sizes = np.unique(np.asarray(clusters), return_inverse=True, return_counts=True)
    n, groups = x.size, sizes.size
    if groups == n or n == 0:
        return float(n)
    spread = float(np.sum((x - x.mean()) ** 2))
    if spread == 0.0 or groups == 1:
        return float(groups)
    means = np.bincount(index, x) / sizes
    within = float(np.sum((x - means[index]) ** 2))
    between = (spread - within) / (groups - 1)
    within /= n - groups
    typical = (n - np.sum(sizes**2) / n) / (groups - 1)
    correlation = (between - within) / (between + (typical - 1) * within)
    effect = 1 + (np.sum(sizes**2) / n - 1) * min(max(correlation, 0.0), 1.0)
    return float(n / effect)


def bootstrap_mean(
    strata: Sequence[ArrayLike],
    generator: Generator,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
) -> Estimate:
    """Mean over tasks of their means, with a BCa bootstrap interval (Efron 1987, JASA 82).

    Episodes are resampled within their task. The acceleration is that of the empirical influence
    values (Efron & Tibshirani 1993, eq. 14.15 and 22.26).

    Args:
        strata: one array of values (n_t,) for each of T tasks, none empty.
        generator: where the resampling takes its randomness from.
        confidence: two-sided level.
        resamples: how many.
    """
    groups = [np.asarray(values, dtype=np.float64).ravel() for values in strata]
    if not groups or any(group.size == 0 for group in groups):
        raise ValueError("At least one value for each task is needed.")
    value = float(np.mean([group.mean() for group in groups]))
    drawn = (_resampled_means(group, generator, resamples) for group in groups)
    means = sum(drawn, start=np.zeros(resamples)) / len(groups)
    influence = np.concatenate([(g - g.mean()) / g.size for g in groups])
    spread = float(np.sum(influence**2))
    if spread == 0.0:
        return Estimate(value, value, value)
    acceleration = float(np.sum(influence**3)) / (6.0 * spread**1.5)
    # Half of the ties count as below, so that a lattice of outcomes is not read as bias.
    below = (np.sum(means < value) + 0.5 * np.sum(np.isclose(means, value))) / resamples
    return bca(value, means, float(below), acceleration, confidence)


def bca(
    value: float, resampled: Floats, below: float, acceleration: float, confidence: float
) -> Estimate:
    """A value and its BCa interval (Efron 1987) from resampled ones, a share of them `below` it."""
    bias = _NORMAL.inv_cdf(float(np.clip(below, 1 / resampled.size, 1 - 1 / resampled.size)))
    z = _quantile(confidence)
    levels = [
        _NORMAL.cdf(bias + (bias + end) / (1.0 - acceleration * (bias + end))) for end in (-z, z)
    ]
    low, high = np.quantile(resampled, levels)
    return Estimate(value, float(low), float(high))


def _resampled_means(values: Floats, generator: Generator, resamples: int) -> Floats:
    # A resample is how often each distinct value was drawn: few numbers for discrete scores.
    distinct, repeats = np.unique(values, return_counts=True)
    draws = generator.multinomial(values.size, repeats / values.size, size=resamples)
    means: Floats = draws @ distinct / values.size
    return means


def counts(successes: ArrayLike, trials: ArrayLike) -> tuple[Floats, Floats]:
    """Both as floats of one shape. Raises ValueError for counts that cannot be."""
    k, n = np.broadcast_arrays(
        np.asarray(successes, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    )
    if np.any(k < 0) or np.any(k > n):
        raise ValueError("Successes must lie between 0 and the number of trials.")
    return k, n


def _quantile(confidence: float) -> float:
    if not 0.0 < confidence < 1.0:
        raise ValueError("The confidence must lie between 0 and 1, e.g. 0.95.")
    return _NORMAL.inv_cdf(0.5 + confidence / 2)
