"""Claiming that two policies are as good as each other: two one-sided tests, with a margin.

A difference that is not significant is no evidence of equality. The margin, the greatest difference
that is still called none (of rates a fraction of 1), is set before looking. `alpha` is the level of
either one-sided test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from vlm4vla.stats.intervals import Estimate
from vlm4vla.stats.paired import PairedCounts, newcombe
from vlm4vla.stats.unpaired import newcombe_unpaired

_LEVELS = (1e-9, 1 - 1e-9)


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided tests (TOST: Schuirmann 1987) against -margin and +margin."""

    p: float
    """The greater of the two; below the level the policies are equivalent."""
    low: float
    high: float
    """The interval that lies within the margins if and only if p is below the level."""


def tost_means(differences: ArrayLike, margin: float, alpha: float = 0.05) -> Equivalence:
    """Whether the mean of differences (n,), at least 2, is within the margin, by Student's t."""
    values = np.asarray(differences, dtype=np.float64)
    _check(margin)
    if values.ndim != 1 or values.size < 2:
        raise ValueError("At least two pairs are needed.")
    mean, error = float(values.mean()), float(values.std(ddof=1)) / np.sqrt(values.size)
    student = stats.t(values.size - 1)
    if error == 0.0:
        return Equivalence(0.0 if abs(mean) < margin else 1.0, mean, mean)
    p = max(student.sf((mean + margin) / error), student.cdf((mean - margin) / error))
    half = student.ppf(1 - alpha) * error
    return Equivalence(float(p), mean - half, mean + half)


def tost_paired_rates(table: PairedCounts, margin: float, alpha: float = 0.05) -> Equivalence:
    """Whether two paired rates differ by less than the margin, by Newcombe's paired interval."""
    return _by_interval(lambda level: newcombe(table, level), margin, alpha)


def tost_rates(
    k1: int, n1: int, k2: int, n2: int, margin: float, alpha: float = 0.05
) -> Equivalence:
    """Whether two independent rates differ by less than the margin, by Newcombe's interval."""
    return _by_interval(lambda level: newcombe_unpaired(k1, n1, k2, n2, level), margin, alpha)


def _by_interval(interval: Callable[[float], Estimate], margin: float, alpha: float) -> Equivalence:
    """The p at which the interval of level 1 - 2p just touches a margin, by bisection."""
    _check(margin)

    def within(level: float) -> bool:
        found = interval(level)
        return -margin < found.low and found.high < margin

    at = interval(1 - 2 * alpha)
    if abs(at.value) >= margin:
        return Equivalence(1.0, at.low, at.high)
    low, high = _LEVELS  # the interval grows with its level
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if within(middle) else (low, middle)
    return Equivalence((1 - low) / 2, at.low, at.high)


def _check(margin: float) -> None:
    if not margin > 0:
        raise ValueError("The margin must be positive.")
