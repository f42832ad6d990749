"""Two policies on different episodes: tests and intervals of their difference.

Of rates, `k1` and `k2` are the successes of either policy, `n1` and `n2` its episodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike
from scipy import stats

from vlm4vla.stats.intervals import Estimate, wilson

BOSCHLOO_LARGEST = 400
"""Above so many episodes a side Fisher's test stands in: Boschloo's takes minutes there."""


@dataclass(frozen=True)
class RateTest:
    """A test of two independent rates."""

    p: float
    name: Literal["Boschloo", "Fisher"]


def rate_test(k1: int, n1: int, k2: int, n2: int) -> RateTest:
    """Two-sided exact p that two independent rates are equal.

    Boschloo's test (1970) is uniformly more powerful than Fisher's and as exact.
    """
    _check(k1, n1, k2, n2)
    table = [[k1, k2], [n1 - k1, n2 - k2]]
    if k1 + k2 in (0, n1 + n2):
        return RateTest(1.0, "Boschloo")
    if max(n1, n2) > BOSCHLOO_LARGEST:
        return RateTest(float(stats.fisher_exact(table).pvalue), "Fisher")
    return RateTest(min(1.0, float(stats.boschloo_exact(table, n=64).pvalue)), "Boschloo")


def newcombe_unpaired(k1: int, n1: int, k2: int, n2: int, confidence: float = 0.95) -> Estimate:
    """Interval of the difference of two independent rates (Newcombe 1998, Stat. Med. 17, 873)."""
    _check(k1, n1, k2, n2)
    (low1, low2), (high1, high2) = wilson([k1, k2], [n1, n2], confidence)
    rate1, rate2 = k1 / n1, k2 / n2
    value = rate1 - rate2
    below = np.hypot(rate1 - low1, high2 - rate2)
    above = np.hypot(high1 - rate1, rate2 - low2)
    return Estimate(value, float(value - below), float(value + above))


def mean_test(
    first: ArrayLike, second: ArrayLike, generator: Generator, resamples: int = 20_000
) -> float:
    """Two-sided permutation p that two independent samples have one distribution, by their means.

    Args:
        first: values (n1,).
        second: values (n2,).
        generator: where the permutations come from.
        resamples: how many.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.ndim != 1 or b.ndim != 1 or not a.size or not b.size:
        raise ValueError("Both policies need at least one value.")
    pool = np.concatenate([a, b])
    # The sum of the first sample says everything; equal values are drawn together.
    distinct, counts = np.unique(pool, return_counts=True)
    drawn = generator.multivariate_hypergeometric(counts, a.size, size=resamples) @ distinct
    centre = pool.mean() * a.size
    reach = abs(a.sum() - centre) - 1e-9 * max(1.0, float(np.abs(pool).sum()))
    return (int(np.sum(np.abs(drawn - centre) >= reach)) + 1) / (resamples + 1)


def _check(k1: int, n1: int, k2: int, n2: int) -> None:
    if not (0 <= k1 <= n1 and 0 <= k2 <= n2 and n1 and n2):
        raise ValueError("Successes must lie between 0 and the number of trials, of at least 1.")
