"""One rate at a time, by the binomial distribution itself: exact limits, posteriors, tests.

`successes` and `trials` are counts of any shape, broadcast against each other; what is returned has
the broadcast shape. `confidence` is the two-sided level of an interval.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike
from scipy import special

from vlm4vla.stats.intervals import Floats, counts

POSTERIOR_DRAWS = 100_000


def clopper_pearson(
    successes: ArrayLike, trials: ArrayLike, confidence: float = 0.95
) -> tuple[Floats, Floats]:
    """Exact interval of a binomial rate: its coverage is nowhere below the level.

    Clopper & Pearson 1934, Biometrika 26, 404-413: the rates that neither one-sided binomial test
    rejects. Of no trials it is 0 to 1.
    """
    k, n = counts(successes, trials)
    tail = (1 - confidence) / 2
    with np.errstate(invalid="ignore"):
        low = np.where(k == 0, 0.0, special.betaincinv(k, n - k + 1, tail))
        high = np.where(k == n, 1.0, special.betaincinv(k + 1, n - k, 1 - tail))
    return low, high


def jeffreys(
    successes: ArrayLike, trials: ArrayLike, confidence: float = 0.95
) -> tuple[Floats, Floats]:
    """Equal-tailed interval of the Beta(k + 1/2, n - k + 1/2) posterior.

    The limit is 0 (or 1) where no success (or no failure) was seen (Brown, Cai & DasGupta 2001,
    Statistical Science 16, 101-133).
    """
    k, n = counts(successes, trials)
    tail = (1 - confidence) / 2
    low = np.where(k == 0, 0.0, special.betaincinv(k + 0.5, n - k + 0.5, tail))
    high = np.where(k == n, 1.0, special.betaincinv(k + 0.5, n - k + 0.5, 1 - tail))
    return low, high


def posterior(
    successes: ArrayLike, trials: ArrayLike, generator: Generator, draws: int = POSTERIOR_DRAWS
) -> Floats:
    """Draws of the rate from its Jeffreys posterior: (draws, ...), the broadcast shape behind."""
    k, n = counts(successes, trials)
    return generator.beta(k + 0.5, n - k + 0.5, size=(draws, *k.shape))


def probability_greater(
    successes: tuple[int, int],
    trials: tuple[int, int],
    generator: Generator,
    draws: int = POSTERIOR_DRAWS,
) -> float:
    """Posterior probability that the first of two independent rates is the greater one."""
    rates = posterior(successes, trials, generator, draws)
    return float(np.mean(rates[:, 0] > rates[:, 1]))


def binomial_test(
    successes: ArrayLike, trials: ArrayLike, rate: ArrayLike, mid: bool = False
) -> Floats:
    """Two-sided exact p that the rate is `rate`, e.g. recognition against a chance of 1/3.

    Twice the smaller tail, at most 1: unlike the sum of the less likely outcomes it agrees with
    the Clopper-Pearson interval, which leaves `rate` out if and only if p is below the level.

    With `mid` only half of the observed outcome's own probability counts: less conservative, not
    guaranteed. p is 1 where nothing was tried.
    """
    k, n = counts(successes, trials)
    p = np.broadcast_to(np.asarray(rate, dtype=np.float64), k.shape)
    whole = n.astype(np.int64)
    up_to = special.bdtr(k, whole, p)
    from_on = np.where(k == 0, 1.0, special.bdtrc(k - 1, whole, p))
    own = up_to + from_on - 1  # the observed outcome is in both tails
    tail = np.minimum(up_to, from_on) - (0.5 * own if mid else 0.0)
    return np.where(n == 0, 1.0, np.clip(2 * tail, 0.0, 1.0))
