"""Regression when both axes are measured with noise.

A success rate comes from so many episodes and a VQA score from so many questions. Noise in y widens
an estimate; noise in x also pulls slope and correlation towards zero. `x` and `y` hold a value for
each of n backbones, `x_error` and `y_error` their standard errors: (n,) or one for all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from vlm4vla.stats.correlation import COEFFICIENTS, Kind, pearson
from vlm4vla.stats.intervals import Z95, Estimate, Floats

DRAWS = 20_000
LEVELS = (0.0, 0.5, 1.0, 1.5, 2.0)
"""Multiples of the noise's variance that SIMEX adds before it extrapolates to -1."""


@dataclass(frozen=True)
class NoiseSpread:
    """What re-measuring the same backbones would do to a coefficient."""

    sd: float
    sign_kept: float
    """Share of re-measurements in which the coefficient has the sign that it has now."""


def noise_spread(
    x: ArrayLike,
    y: ArrayLike,
    x_error: ArrayLike,
    y_error: ArrayLike,
    generator: Generator,
    kind: Kind | str = Kind.PEARSON,
    draws: int = DRAWS,
) -> NoiseSpread:
    """Add the measurements' noise once more, many times over; an error of 0 is an unknown one."""
    a, b, sa, sb = _axes(x, y, x_error, y_error)
    coefficient = COEFFICIENTS[Kind(kind)]
    noisy = [v + e * generator.normal(size=(draws, v.size)) for v, e in ((a, sa), (b, sb))]
    values = coefficient(*noisy)
    kept = float(np.mean(np.sign(values) == np.sign(coefficient(a, b))))
    return NoiseSpread(float(np.nanstd(values)), kept)


def reliability(values: ArrayLike, error: ArrayLike) -> float:
    """Share of the variance between backbones (n,) that is not noise; 0 where nothing varies."""
    v = np.asarray(values, dtype=np.float64)
    noise = float(np.mean(np.broadcast_to(np.asarray(error, dtype=np.float64), v.shape) ** 2))
    spread = float(v.var(ddof=1))
    return max(0.0, 1.0 - noise / spread) if spread > 0 else 0.0


def disattenuated(
    x: ArrayLike, y: ArrayLike, x_error: ArrayLike, y_error: ArrayLike
) -> float | None:
    """Pearson's r of what was to be measured (Spearman 1904): r / sqrt(reliabilities).

    Clipped to -1..1, or None where an axis holds nothing but noise.
    """
    a, b, sa, sb = _axes(x, y, x_error, y_error)
    product = reliability(a, sa) * reliability(b, sb)
    return float(np.clip(pearson(a, b) / np.sqrt(product), -1, 1)) if product > 0 else None


def deming(x: ArrayLike, y: ArrayLike, x_error: float, y_error: float) -> float:
    """Slope of the errors-in-variables line, the ratio of the error variances known.

    Without error in x it is that of ordinary least squares; `y_error` is positive.
    """
    a, b, _, _ = _axes(x, y, x_error, y_error)
    sxx, syy = float(a.var(ddof=1)), float(b.var(ddof=1))
    sxy = float(np.cov(a, b)[0, 1])
    if sxy == 0:
        raise ValueError("x and y do not vary together: no line leans either way.")
    if x_error == 0:
        return sxy / sxx
    ratio = (y_error / x_error) ** 2
    lean = syy - ratio * sxx
    return float((lean + np.sqrt(lean**2 + 4 * ratio * sxy**2)) / (2 * sxy))


def simex(
    x: ArrayLike,
    y: ArrayLike,
    x_error: ArrayLike,
    y_error: ArrayLike,
    generator: Generator,
    statistic: Callable[[Floats, Floats], Floats] = pearson,
    draws: int = 4_000,
) -> Estimate:
    """Simulation-extrapolation (Cook & Stefanski 1994, JASA 89, 1314-1328), quadratic.

    Noise is added in growing doses, and the trend of the statistic, of (..., n) and (..., n), is
    followed back to none; `y_error` is 0 for a slope, which noise in y does not bias. The interval
    is the jackknife's normal one.
    """
    a, b, sa, sb = _axes(x, y, x_error, y_error)
    noise = generator.normal(size=(2, draws, a.size))
    value = _extrapolated(a, b, sa, sb, noise, statistic)
    others = [np.delete(np.arange(a.size), i) for i in range(a.size)]
    without = np.array(
        [_extrapolated(a[o], b[o], sa[o], sb[o], noise[..., o], statistic) for o in others]
    )
    spread = np.sqrt((a.size - 1) / a.size * np.sum((without - without.mean()) ** 2))
    return Estimate(value, value - Z95 * float(spread), value + Z95 * float(spread))


def _extrapolated(
    a: Floats,
    b: Floats,
    sa: Floats,
    sb: Floats,
    noise: Floats,
    statistic: Callable[[Floats, Floats], Floats],
) -> float:
    found = [
        float(np.nanmean(statistic(a + dose * sa * noise[0], b + dose * sb * noise[1])))
        for dose in np.sqrt(LEVELS)
    ]
    return float(np.polyval(np.polyfit(LEVELS, found, 2), -1.0))


def _axes(
    x: ArrayLike, y: ArrayLike, x_error: ArrayLike, y_error: ArrayLike
) -> tuple[Floats, Floats, Floats, Floats]:
    a, b = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape or a.size < 3:
        raise ValueError("x and y must hold one value each for the same 3 or more backbones.")
    sa, sb = (np.broadcast_to(np.asarray(e, dtype=np.float64), a.shape) for e in (x_error, y_error))
    if not (np.all(sa >= 0) and np.all(sb >= 0)):
        raise ValueError("Standard errors must not be negative.")
    return a, b, sa, sb
