"""Looking at a comparison while it runs, as often as one likes, with the error rate kept.

A betting e-process: a gambler who may not borrow bets on every episode that the hypothesis is
wrong. Under the hypothesis the expected capital stays 1, so it ever reaches 1 / alpha with
probability alpha at most (Ville 1939; Waudby-Smith & Ramdas 2024, JRSS B 86, 1-27). The means that
no gambler has ruined yet are a confidence sequence: its interval holds at whatever moment one
stops. Bets are a mixture over fixed stakes, so the capital depends on how often each value was
seen, not on their order.

For pairs of outcomes the values are -1, 0 and 1, ties neither win nor lose, and the stakes are
those of a Beta(1/2, 1/2) mixture: an e-process on the discordant pairs alone.

Throughout, `values` are (n,) numbers between `low` and `high`, the least and greatest possible: on
either side of 0 where differences are tested. `alpha` is the chance of ever being wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from vlm4vla.stats.intervals import Floats

_STAKES = np.cos((2 * np.arange(1, 257) - 1) * np.pi / 512)
"""Chebyshev's nodes: equal weights on them are the arcsine law, exactly so for short sequences."""

_GRID = 2001
_NARROWEST = 50


@dataclass(frozen=True)
class Sequential:
    """Where a comparison stands after the values so far."""

    n: int
    mean: float
    low: float
    high: float
    """Anytime-valid limits of the mean."""
    e_value: float
    """Evidence against a mean of zero; at least 1 / alpha decides."""
    decided: bool

    @property
    def p(self) -> float:
        """Anytime-valid p of this moment: 1 / e, at most 1."""
        return min(1.0, 1.0 / self.e_value) if self.e_value > 0 else 1.0


def sequential(
    values: ArrayLike, low: float = -1.0, high: float = 1.0, alpha: float = 0.05
) -> Sequential:
    """Whether the mean of the values so far is decided to differ from zero.

    Values are e.g. outcome of the first policy less that of the second on each episode, in any
    order that does not depend on the outcomes. What an earlier look decided is not undone: keep the
    first decided state.
    """
    seen = np.asarray(values, dtype=np.float64)
    mean = float(seen.mean()) if seen.size else np.nan
    limits = confidence_sequence(seen, low, high, alpha)
    e_value = 1.0
    if low < 0 < high:
        e_value = float(np.exp(np.minimum(log_capital(seen, np.zeros(1), low, high)[0], 700.0)))
    return Sequential(seen.size, mean, *limits, e_value, e_value >= 1 / alpha)


def confidence_sequence(
    values: ArrayLike, low: float = 0.0, high: float = 1.0, alpha: float = 0.05
) -> tuple[float, float]:
    """Limits of a mean that hold at every moment at once, with probability 1 - alpha."""
    means = np.linspace(low, high, _GRID)
    kept = np.flatnonzero(log_capital(values, means, low, high) < np.log(1 / alpha))
    if not kept.size:  # cannot be true of a mean; the grid was too coarse for so many values
        mean = float(np.mean(np.asarray(values, dtype=np.float64)))
        return mean, mean
    # The limit lies between the last point kept and the next one: the outer of the two is safe.
    return float(means[max(kept[0] - 1, 0)]), float(means[min(kept[-1] + 1, _GRID - 1)])


def asymptotic_sequence(values: ArrayLike, alpha: float = 0.05) -> tuple[float, float]:
    """Limits of a mean without known bounds that hold at every moment, for enough values.

    Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas 2024 (Ann. Stat. 52, 2613), eq. 8, narrowest near
    50 values. As the normal interval it speaks of, it needs a few dozen.
    """
    seen = np.asarray(values, dtype=np.float64)
    if not seen.size:
        raise ValueError("At least one value is needed.")
    n, mean = seen.size, float(seen.mean())
    if n == 1:
        return -np.inf, np.inf
    tuned = (-2 * np.log(alpha) + np.log(-2 * np.log(alpha)) + 1) / _NARROWEST
    room = 2 * (n * tuned + 1) / (n**2 * tuned) * np.log(np.sqrt(n * tuned + 1) / alpha)
    half = float(seen.std(ddof=1) * np.sqrt(room))
    return mean - half, mean + half


def until_decided(
    values: ArrayLike, low: float = -1.0, high: float = 1.0, alpha: float = 0.05
) -> Sequential:
    """The state at the first moment, in the order given, that decides; after all if none does."""
    seen = np.asarray(values, dtype=np.float64)
    for n in range(1, seen.size + 1):
        if log_capital(seen[:n], np.zeros(1), low, high)[0] >= np.log(1 / alpha):
            return sequential(seen[:n], low, high, alpha)
    return sequential(seen, low, high, alpha)


def log_capital(values: ArrayLike, means: ArrayLike, low: float, high: float) -> Floats:
    """Logarithm (M,) of the capital won by betting against each of the means (M,).

    Infinite for a mean that the values rule out.
    """
    seen, hypotheses = np.asarray(values, dtype=np.float64), np.asarray(means, dtype=np.float64)
    if not low < high:
        raise ValueError("The least possible value must be below the greatest.")
    if seen.size and (seen.min() < low - 1e-12 or seen.max() > high + 1e-12):
        raise ValueError(f"Values must lie between {low:g} and {high:g}.")
    if not seen.size:
        return np.zeros(hypotheses.shape)
    distinct, repeats = np.unique(seen, return_counts=True)
    # The greatest stake leaves nothing where the worst comes: up to 1 / (m - low) on high values.
    room = np.where(_STAKES > 0, (hypotheses - low)[:, None], (high - hypotheses)[:, None])
    with np.errstate(divide="ignore", invalid="ignore"):
        stake = np.where(room > 0, _STAKES / room, np.copysign(np.inf, _STAKES))
        growth = np.zeros(stake.shape)
        for value, times in zip(distinct, repeats, strict=True):
            gain = (value - hypotheses)[:, None]
            growth += times * np.log(np.where(gain == 0, 1.0, 1.0 + stake * gain))
    growth = np.where(np.isnan(growth), -np.inf, growth)
    top = growth.max(axis=1)
    finite = np.where(np.isfinite(top), top, 0.0)
    summed = np.exp(growth - finite[:, None]).mean(axis=1)
    with np.errstate(divide="ignore"):
        capital: Floats = np.where(np.isposinf(top), np.inf, finite + np.log(summed))
    return capital
