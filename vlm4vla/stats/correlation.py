"""Correlation over a handful of backbones: exact p, intervals, influence.

Every function takes finite values `x` and `y` of n backbones along the last axis, at least 3 where
not said otherwise. The number of backbones is the effective sample size, however many episodes and
questions lie behind each of them. `confidence` is the two-sided level of an interval.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from itertools import permutations
from statistics import NormalDist

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from vlm4vla.stats.intervals import RESAMPLES, Estimate, Floats, bca

EXACT = 10
"""Up to so many backbones every permutation is counted: 10! = 3,628,800."""

_BLOCK = 9  # 9! = 362,880 permutations are held at once
_TIE = 1e-10  # permutations that reach the observed value but for rounding count as reaching it
_NORMAL = NormalDist()


class Kind(StrEnum):
    """Which coefficient."""

    PEARSON = "pearson"
    SPEARMAN = "spearman"


@dataclass(frozen=True)
class PermutationTest:
    """A coefficient and how often chance alone reaches it."""

    value: float
    p: float
    """Two-sided: the share of permutations whose absolute value is at least as great."""
    exact: bool
    """Every permutation was counted; otherwise random ones were."""


@dataclass(frozen=True)
class FamilyInfluence:
    """What one family of backbones does to the coefficient."""

    family: str
    members: int
    without: float | None
    """Pearson's r of the other families; None for fewer than 3 backbones."""
    within: float | None
    """Pearson's r inside the family; None for fewer than 4 backbones."""
    within_p: float | None


@dataclass(frozen=True)
class Line:
    """Ordinary least squares: y = intercept + slope x."""

    slope: float
    intercept: float
    r_squared: float


def pearson(x: ArrayLike, y: ArrayLike) -> Floats:
    """Pearson's r of (..., n) and (..., n), broadcast: (...), NaN where x or y does not vary."""
    a, b = _standardised(x), _standardised(y)
    if a.shape[-1] != b.shape[-1]:
        raise ValueError("x and y must hold one value each for the same backbones.")
    r: Floats = np.clip(np.sum(a * b, axis=-1), -1.0, 1.0)
    return r


def spearman(x: ArrayLike, y: ArrayLike) -> Floats:
    """Spearman's rho: Pearson's r of the ranks, ties sharing the mean of theirs; shapes alike."""
    return pearson(rankdata(x, axis=-1), rankdata(y, axis=-1))


COEFFICIENTS: dict[Kind, Callable[[ArrayLike, ArrayLike], Floats]] = {
    Kind.PEARSON: pearson,
    Kind.SPEARMAN: spearman,
}


def permutation_test(
    x: ArrayLike,
    y: ArrayLike,
    kind: Kind | str = Kind.PEARSON,
    generator: Generator | None = None,
    resamples: int = 100_000,
) -> PermutationTest:
    """Two-sided permutation test of no association.

    Up to `EXACT` backbones all n! permutations are counted and nothing is random. Above, so many
    random ones, the observed order counted among them (Phipson & Smyth 2010); only then a generator
    is needed.
    """
    a, b = _pair(x, y)
    if Kind(kind) is Kind.SPEARMAN:
        a, b = rankdata(a), rankdata(b)
    observed = float(pearson(a, b))
    if np.isnan(observed):
        return PermutationTest(np.nan, np.nan, a.size <= EXACT)
    a, b = _standardised(a), _standardised(b)
    reach = abs(observed) - _TIE
    if a.size <= EXACT:
        hits, total = _count(a, b, reach)
        return PermutationTest(observed, hits / total, True)
    if generator is None:
        raise ValueError(f"Above {EXACT} backbones a random generator is needed.")
    shuffled = generator.permuted(np.broadcast_to(b, (resamples, b.size)), axis=1)
    hits = int(np.sum(np.abs(shuffled @ a) >= reach))
    return PermutationTest(observed, (hits + 1) / (resamples + 1), False)


def fisher_interval(
    value: ArrayLike, n: int, confidence: float = 0.95, kind: Kind | str = Kind.PEARSON
) -> tuple[Floats, Floats]:
    """Interval of a coefficient by Fisher's z transformation.

    Spearman's rho has the greater variance (1 + rho^2 / 2) / (n - 3) on that scale (Bonett &
    Wright 2000, Psychometrika 65, 23-28).

    Args:
        value: coefficients, any shape; the limits have the same.
        n: backbones behind each; below 4 the interval is all of -1 to 1.
        confidence: two-sided level.
        kind: which coefficient.
    """
    r = np.asarray(value, dtype=np.float64)
    if n < 4:
        return np.where(np.isnan(r), r, -1.0), np.where(np.isnan(r), r, 1.0)
    spread = np.sqrt(1 + r**2 / 2) if Kind(kind) is Kind.SPEARMAN else np.ones_like(r)
    half = _NORMAL.inv_cdf(0.5 + confidence / 2) * spread / np.sqrt(n - 3)
    with np.errstate(divide="ignore"):
        z = np.arctanh(r)
    return np.tanh(z - half), np.tanh(z + half)


def bootstrap_interval(
    x: ArrayLike,
    y: ArrayLike,
    generator: Generator,
    kind: Kind | str = Kind.PEARSON,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
) -> Estimate:
    """BCa interval from resampled backbones (Efron 1987, JASA 82; acceleration by jackknife).

    Resamples in which x or y does not vary have no coefficient and are left out.
    """
    a, b = _pair(x, y)
    coefficient = COEFFICIENTS[Kind(kind)]
    value = float(coefficient(a, b))
    drawn = generator.integers(a.size, size=(resamples, a.size))
    values = coefficient(a[drawn], b[drawn])
    values = values[np.isfinite(values)]
    if np.isnan(value) or not values.size:
        return Estimate(np.nan, np.nan, np.nan)
    below = np.mean(values < value - _TIE) + 0.5 * np.mean(np.abs(values - value) <= _TIE)
    without = leave_one_out(a, b, kind)
    deviation = np.nanmean(without) - without[np.isfinite(without)]
    scale = float(np.sum(deviation**2)) ** 1.5
    acceleration = float(np.sum(deviation**3)) / (6 * scale) if scale else 0.0
    return bca(value, values, float(below), acceleration, confidence)


def leave_one_out(x: ArrayLike, y: ArrayLike, kind: Kind | str = Kind.PEARSON) -> Floats:
    """The coefficient (n,) without each backbone in turn; NaN where the others do not vary."""
    a, b = _pair(x, y)
    others = np.array([[j for j in range(a.size) if j != i] for i in range(a.size)])
    return COEFFICIENTS[Kind(kind)](a[others], b[others])


def family_influence(
    x: ArrayLike, y: ArrayLike, families: Sequence[str]
) -> tuple[FamilyInfluence, ...]:
    """What each family of backbones does to Pearson's r, in order of appearance."""
    a, b = _pair(x, y)
    if len(families) != a.size:
        raise ValueError("A family is needed for each backbone.")
    found = []
    for family in dict.fromkeys(families):
        inside = np.array([name == family for name in families])
        members = int(inside.sum())
        # Any two points lie on a line.
        without = float(pearson(a[~inside], b[~inside])) if a.size - members >= 3 else np.nan
        left = None if np.isnan(without) else without
        tested = permutation_test(a[inside], b[inside]) if 4 <= members <= EXACT else None
        within = (tested.value, tested.p) if tested else (None, None)
        found.append(FamilyInfluence(family, members, left, *within))
    return tuple(found)


def least_squares(x: ArrayLike, y: ArrayLike) -> Line:
    """The line of least squared vertical distance, as drawn through Fig. 3 of VLM4VLA."""
    a, b = _pair(x, y)
    centred = a - a.mean()
    spread = float(centred @ centred)
    if spread == 0.0:
        return Line(np.nan, np.nan, np.nan)
    slope = float(centred @ (b - b.mean())) / spread
    return Line(slope, float(b.mean() - slope * a.mean()), float(pearson(a, b)) ** 2)


def _count(a: Floats, b: Floats, reach: float) -> tuple[int, int]:
    """Permutations of b whose product with a reaches `reach` either way, and how many there are."""
    if a.size > _BLOCK:
        parts = [
            _count_given(a[1:], np.delete(b, i), float(a[0] * b[i]), reach) for i in range(b.size)
        ]
        return sum(hits for hits, _ in parts), sum(total for _, total in parts)
    return _count_given(a, b, 0.0, reach)


def _count_given(a: Floats, b: Floats, start: float, reach: float) -> tuple[int, int]:
    products = b[_orders(a.size)] @ a + start
    return int(np.sum(np.abs(products) >= reach)), products.size


@cache
def _orders(n: int) -> NDArray[np.uint8]:
    return np.array(list(permutations(range(n))), dtype=np.uint8)


def _standardised(values: ArrayLike) -> Floats:
    """Mean 0 and unit length along the last axis; NaN where nothing varies."""
    v = np.asarray(values, dtype=np.float64)
    centred = v - v.mean(axis=-1, keepdims=True)
    length = np.sqrt(np.sum(centred**2, axis=-1, keepdims=True))
    # A constant's rounding error is no variation: 0.1 + 0.1 + 0.1 has a mean that is not 0.1.
    varies = np.ptp(v, axis=-1, keepdims=True) > 0
    unit: Floats = np.full_like(v, np.nan)
    np.divide(centred, length, out=unit, where=varies & (length > 0))
    return unit


def _pair(x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
    a, b = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError("x and y must hold one value each for the same backbones.")
    if a.size < 3:
        raise ValueError("A correlation needs at least 3 backbones.")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("x and y must be finite; leave backbones without a score out.")
    return a, b
