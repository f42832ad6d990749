"""How many episodes a precision or a difference needs, and what a number of them can show.

Rates and their differences are fractions of 1. `confidence` and `alpha` are two-sided levels,
`power` is the chance that what is asked for is found, `n` the episodes of each policy, or pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from vlm4vla.stats.binomial import binomial_test
from vlm4vla.stats.intervals import Floats, wilson

ALPHA = 0.05
POWER = 0.8
MOST = 10_000_000
"""Beyond so many episodes nobody waits for the answer."""

_NORMAL = NormalDist()


def episodes_for_precision(rate: float, half_width: float, confidence: float = 0.95) -> int:
    """Episodes after which Wilson's interval of a rate reaches half its width.

    The rate is the one expected; 0.5 is the widest case.

    Raises:
        ValueError: the rate or width is outside 0..1, or more than `MOST` would be needed.
    """
    _within(rate, "rate", ends=True)
    _within(half_width, "half-width")

    def narrow(n: int) -> bool:
        low, high = wilson(rate * n, n, confidence)
        return float(high - low) / 2 <= half_width

    return _least(narrow)


def episodes_for_mean(sd: float, half_width: float, confidence: float = 0.95) -> int:
    """Episodes after which the interval of a mean reaches half its width, in the unit of `sd`.

    That is the standard deviation of one episode, e.g. 1.6 for CALVIN's chain length.
    """
    _positive(sd, "standard deviation")
    _positive(half_width, "half-width")
    return max(2, _ceil((_NORMAL.inv_cdf((1 + confidence) / 2) * sd / half_width) ** 2))


def episodes_unpaired(
    rate1: float, rate2: float, alpha: float = ALPHA, power: float = POWER
) -> int:
    """Episodes of each policy that tell two rates apart, on different episodes.

    The normal approximation, the rates pooled under the hypothesis that they are equal (Fleiss).
    """
    _within(rate1, "rate", ends=True)
    _within(rate2, "rate", ends=True)
    if rate1 == rate2:
        raise ValueError("The two rates must differ.")
    z_alpha, z_power = _quantiles(alpha, power)
    middle = (rate1 + rate2) / 2
    null = z_alpha * np.sqrt(2 * middle * (1 - middle))
    other = z_power * np.sqrt(rate1 * (1 - rate1) + rate2 * (1 - rate2))
    return max(2, _ceil(((null + other) / (rate1 - rate2)) ** 2))


def episodes_paired(
    difference: float, discordant: float, alpha: float = ALPHA, power: float = POWER
) -> int:
    """Pairs that McNemar's exact test needs to find a difference of two paired rates, of any sign.

    `discordant` is the share of the episodes in which the policies differ: the difference at least.
    """
    d = abs(difference)
    _within(d, "difference", ends=True)
    _within(discordant, "share of discordant pairs", ends=True)
    if not 0 < d <= discordant + 1e-12:
        raise ValueError("The policies must differ in at least as many episodes as the rates do.")
    better, worse = min(1.0, (discordant + d) / 2), max(0.0, (discordant - d) / 2)
    return _least(lambda n: mcnemar_power(n, better, worse, alpha) >= power)


def mcnemar_power(n: int, first_only: float, second_only: float, alpha: float = ALPHA) -> float:
    """Chance that McNemar's exact test finds a difference, by the distributions themselves.

    Args:
        n: pairs.
        first_only: probability that only the first policy succeeds.
        second_only: probability that only the second does.
        alpha: two-sided level.
    """
    share = first_only + second_only
    if share == 0.0:
        return 0.0
    spread = 10 * np.sqrt(n * share * (1 - share)) + 10
    m = np.arange(max(0, int(n * share - spread)), min(n, int(n * share + spread)) + 1)
    weight = np.exp(_log_binomial(m, n, share))
    lower = _critical(m, alpha)  # at most so many wins of either are significant
    lean = first_only / share
    below = np.where(lower >= 0, special.bdtr(np.maximum(lower, 0), m, lean), 0.0)
    above = np.where(lower >= 0, special.bdtr(np.maximum(lower, 0), m, 1 - lean), 0.0)
    return float(weight @ (below + above))


def episodes_paired_mean(
    difference: float, sd: float, alpha: float = ALPHA, power: float = POWER
) -> int:
    """Pairs that tell two means apart, e.g. of chain length.

    `sd` is the standard deviation of a pair's difference: sqrt(2 (1 - rho)) times an episode's.
    """
    _positive(sd, "standard deviation")
    _positive(abs(difference), "difference")
    return max(2, _ceil((sum(_quantiles(alpha, power)) * sd / difference) ** 2))


def detectable_difference(
    n: int, discordant: float, alpha: float = ALPHA, power: float = POWER
) -> float | None:
    """Least difference of paired rates that n pairs find, or None if not even the greatest.

    `discordant` is the share of them in which the policies differ; a greater difference needs as
    large a share itself.
    """

    def found(d: float) -> bool:
        share = max(discordant, d)
        return mcnemar_power(n, (share + d) / 2, (share - d) / 2, alpha) >= power

    return _least_found(found, 1.0) if n >= 1 and found(1.0) else None


def detectable_mean(n: int, sd: float, alpha: float = ALPHA, power: float = POWER) -> float:
    """Least difference of paired means that n pairs find; `sd` as in `episodes_paired_mean`."""
    return sum(_quantiles(alpha, power)) * sd / float(np.sqrt(n))


def detectable_unpaired(
    n: int, rate: float, alpha: float = ALPHA, power: float = POWER
) -> float | None:
    """Least difference from `rate` that n episodes find, on its roomier side; None if none."""
    room, sign = max((1 - rate, 1), (rate, -1))

    def found(d: float) -> bool:
        return episodes_unpaired(rate, rate + sign * d, alpha, power) <= n

    return _least_found(found, room) if found(room) else None


def correlation_power(rho: ArrayLike, n: int, alpha: float = ALPHA) -> Floats:
    """Chance that n backbones show a correlation, by Fisher's transformation and its bias.

    Args:
        rho: true correlations, any shape.
        n: backbones, at least 4.
        alpha: two-sided level.
    """
    if n < 4:
        raise ValueError("At least 4 backbones are needed.")
    true = np.asarray(rho, dtype=np.float64)
    with np.errstate(divide="ignore"):
        shift = (np.arctanh(true) + true / (2 * (n - 1))) * np.sqrt(n - 3)
    z = _NORMAL.inv_cdf(1 - alpha / 2)
    power: Floats = special.ndtr(shift - z) + special.ndtr(-shift - z)
    return power


def detectable_correlation(n: int, alpha: float = ALPHA, power: float = POWER) -> float:
    """Least correlation that n backbones, at least 4, show: about .8 for 9 of them."""
    return _least_found(lambda rho: bool(correlation_power(rho, n, alpha) >= power), 1.0)


def _least_found(found: Callable[[float], bool], most: float) -> float:
    """By bisection: what lies above the answer is found, what lies below is not."""
    low, high = 0.0, most
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if found(middle) else (middle, high)
    return high


def _critical(m: NDArray[np.int64], alpha: float) -> Floats:
    """The most wins of either policy among m discordant pairs that are significant; or -1."""
    guess = np.floor(special.bdtrik(alpha / 2, np.maximum(m, 1), 0.5))
    guess = np.where(np.isfinite(guess), guess, -1.0)

    def fits(trial: Floats) -> NDArray[np.bool_]:
        return (trial >= 0) & (binomial_test(np.clip(trial, 0, m), m, 0.5) <= alpha)

    # The inverse is continuous: step to the integer on the right side of the level.
    guess = np.where(fits(guess + 1), guess + 1, guess)
    return np.maximum(np.where(fits(guess), guess, guess - 1), -1.0)


def _log_binomial(k: ArrayLike, n: int, p: float) -> Floats:
    k = np.asarray(k, dtype=np.float64)
    ways = special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1)
    logs: Floats = ways + special.xlogy(k, p) + special.xlog1py(n - k, -p)
    return logs


def _least(enough: Callable[[int], bool]) -> int:
    """The least n that is enough, for a condition that once met stays met (nearly so)."""
    high = 2
    while not enough(high):
        high *= 2
        if high > MOST:
            raise ValueError(f"More than {MOST:,} episodes would be needed.")
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _quantiles(alpha: float, power: float) -> tuple[float, float]:
    _within(alpha, "level")
    _within(power, "power")
    return _NORMAL.inv_cdf(1 - alpha / 2), _NORMAL.inv_cdf(power)


def _ceil(number: float) -> int:
    if number > MOST:
        raise ValueError(f"More than {MOST:,} episodes would be needed.")
    return int(np.ceil(number - 1e-9))


def _within(value: float, what: str, ends: bool = False) -> None:
    if not (0 <= value <= 1 if ends else 0 < value < 1):
        raise ValueError(f"The {what} must lie between 0 and 1.")


def _positive(value: float, what: str) -> None:
    if not value > 0:
        raise ValueError(f"The {what} must be positive.")
