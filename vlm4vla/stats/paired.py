"""Two policies on identical episodes: tests and intervals of their difference.

`first` and `second` hold one value for each episode, in the same order. What both policies have in
common (an easy pose, a broken scene) cancels, so pairs tell more than the two rates do.
`confidence` is the two-sided level of an interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike
from scipy.stats import t as student

from vlm4vla.stats.binomial import binomial_test
from vlm4vla.stats.intervals import Estimate, Floats, wilson

EXACT_FLIPS = 18
"""Up to so many differing pairs all 2^k sign patterns are counted."""

_TIE = 1e-9


@dataclass(frozen=True)
class PairedCounts:
    """Episodes by the outcome of both policies."""

    both: int
    first_only: int
    second_only: int
    neither: int

    @property
    def n(self) -> int:
        """Pairs."""
        return self.both + self.first_only + self.second_only + self.neither

    @property
    def discordant(self) -> int:
        """Pairs in which the policies differ: all that a test of the difference sees."""
        return self.first_only + self.second_only

    @property
    def difference(self) -> float:
        """Rate of the first policy less that of the second."""
        return (self.first_only - self.second_only) / self.n if self.n else np.nan

    @classmethod
    def of(cls, first: ArrayLike, second: ArrayLike) -> PairedCounts:
        """Count outcomes (n,) that are true or false."""
        a, b = _pairs(first, second)
        if not np.isin([a, b], (0, 1)).all():
            raise ValueError("Outcomes must be true or false.")
        return cls(
            int(np.sum((a == 1) & (b == 1))),
            int(np.sum(a > b)),
            int(np.sum(b > a)),
            int(np.sum((a == 0) & (b == 0))),
        )


def mcnemar(first_only: ArrayLike, second_only: ArrayLike, mid: bool = False) -> Floats:
    """Exact two-sided p that a discordant pair favours either policy alike; 1 without such pairs.

    Args:
        first_only: pairs in which only the first policy succeeded, any shape.
        second_only: pairs in which only the second did, broadcast.
        mid: the mid-p version (Fagerland, Lydersen & Laake 2013, BMC Med. Res. Methodol. 13:91):
            nearer to the level, and seldom above it.
    """
    b, c = np.asarray(first_only, dtype=np.float64), np.asarray(second_only, dtype=np.float64)
    return binomial_test(b, b + c, 0.5, mid)


def newcombe(table: PairedCounts, confidence: float = 0.95) -> Estimate:
    """Interval of the difference of two paired rates (Newcombe 1998, Stat. Med. 17, 2635, no. 10).

    Wilson's limits of either rate, joined by squares and by the correlation of the pairs.
    """
    if not table.n:
        return Estimate(np.nan, np.nan, np.nan)
    n = table.n
    totals = table.both + np.array([table.first_only, table.second_only])
    (low1, low2), (high1, high2) = wilson(totals, n, confidence)
    rate1, rate2 = totals / n
    phi = pair_correlation(table)
    # Limits below and above the difference: what is low for the first is high for the second.
    below = _joined(rate1 - low1, high2 - rate2, phi)
    above = _joined(high1 - rate1, rate2 - low2, phi)
    value = (table.first_only - table.second_only) / n
    return Estimate(value, max(-1.0, value - below), min(1.0, value + above))


def stratified_newcombe(tables: Sequence[PairedCounts], confidence: float = 0.95) -> Estimate:
    """Mean over tasks of the paired differences, each task weighing the same.

    The limits of the tasks, none of them empty, are combined by squares, as `stratified_rate` does
    for rates.
    """
    if not tables or any(not table.n for table in tables):
        raise ValueError("At least one pair for each task is needed.")
    parts = [newcombe(table, confidence) for table in tables]
    value = float(np.mean([part.value for part in parts]))
    below = np.sqrt(np.sum([(part.value - part.low) ** 2 for part in parts])) / len(parts)
    above = np.sqrt(np.sum([(part.high - part.value) ** 2 for part in parts])) / len(parts)
    return Estimate(value, max(-1.0, value - float(below)), min(1.0, value + float(above)))


def sign_flip(
    differences: Sequence[ArrayLike], generator: Generator, resamples: int = 100_000
) -> tuple[float, bool]:
    """Two-sided permutation p of the mean over tasks of the mean difference.

    Under the hypothesis it is chance which policy of a pair had which value, so every difference
    may change its sign. For outcomes that are true or false and tasks of one size this is the exact
    McNemar test.

    Args:
        differences: first less second, (n_t,) for each of T tasks, none empty.
        generator: used above `EXACT_FLIPS` differing pairs only, for so many `resamples`.
        resamples: random patterns.

    Returns:
        p, and whether every pattern was counted.
    """
    groups = [np.asarray(values, dtype=np.float64).ravel() for values in differences]
    if not groups or any(group.size == 0 for group in groups):
        raise ValueError("At least one pair for each task is needed.")
    weighed = np.concatenate([group / group.size for group in groups])
    weighed = weighed[weighed != 0]  # a tie has no sign to change
    if not weighed.size:
        return 1.0, True
    size = np.abs(weighed)
    reach = abs(float(weighed.sum())) - _TIE * float(size.sum())
    if weighed.size <= EXACT_FLIPS:
        sums = np.zeros(1)
        for value in size:
            sums = np.concatenate([sums - value, sums + value])
        return float(np.mean(np.abs(sums) >= reach)), True
    hits = int(np.sum(np.abs(_flipped(size, generator, resamples)) >= reach))
    return (hits + 1) / (resamples + 1), False


def clustered(
    pairs: ArrayLike, clusters: ArrayLike, generator: Generator, confidence: float = 0.95
) -> tuple[Estimate, float]:
    """Mean difference of pairs of which some repeat one another, and its two-sided p.

    Only clusters are independent: the interval is Student's over their summed deviations
    (Liang & Zeger 1986, Biometrika 73, 13-22, with G / (G - 1)), the test flips the sign of whole
    clusters. Where no pair differs the limits are NaN: such data say nothing of the error.

    Args:
        pairs: first and second value of each pair, (n, 2).
        clusters: equal for pairs that repeat one another, (n,); at least two different ones.
        generator: for `sign_flip`.
        confidence: two-sided level.
    """
    differences = np.subtract(*np.asarray(pairs, dtype=np.float64).T)
    names, index = np.unique(np.asarray(clusters), return_inverse=True)
    if names.size < 2:
        raise ValueError("At least two clusters are needed.")
    value = float(differences.mean())
    sums = np.bincount(index, differences)
    deviations = sums - value * np.bincount(index)
    error = float(np.sqrt(names.size / (names.size - 1) * np.sum(deviations**2)) / differences.size)
    p, _ = sign_flip([sums], generator)
    if error == 0.0:
        return Estimate(value, np.nan, np.nan), p
    half = float(student.ppf(0.5 + confidence / 2, names.size - 1)) * error
    return Estimate(value, value - half, value + half), p


def _flipped(size: Floats, generator: Generator, resamples: int) -> Floats:
    # Equal sizes flip together as one binomial: a lattice has few of them, and no (B, n) matrix.
    distinct, counts = np.unique(size, return_counts=True)
    heads = generator.binomial(counts, 0.5, size=(resamples, counts.size))
    sums: Floats = (2.0 * heads - counts) @ distinct
    return sums


def pair_correlation(table: PairedCounts) -> float:
    """Phi of the pairs, positive values corrected for continuity as Newcombe does."""
    a, b, c, d = table.both, table.first_only, table.second_only, table.neither
    product = float((a + b) * (c + d) * (a + c) * (b + d))
    if product == 0.0:
        return 0.0
    excess = float(a * d - b * c)
    if excess > 0:
        excess = max(excess - table.n / 2, 0.0)
    return excess / float(np.sqrt(product))


def _joined(one: float, other: float, phi: float) -> float:
    return float(np.sqrt(max(one**2 - 2 * phi * one * other + other**2, 0.0)))


def _pairs(first: ArrayLike, second: ArrayLike) -> tuple[Floats, Floats]:
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError("Both policies need one value for each of the same episodes.")
    return a, b
