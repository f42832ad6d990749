"""How much of the first mean is left in the second, both measured on the same items.

`before` and `after` hold one score (n,) in [0, 1] for each item, in the same order.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from vlm4vla.stats.intervals import RESAMPLES, Estimate, Floats, bca, wilson
from vlm4vla.stats.paired import PairedCounts, pair_correlation


def retained(
    before: ArrayLike,
    after: ArrayLike,
    generator: Generator,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
) -> Estimate:
    """Mean after over mean before, with an interval; NaN where nothing was right before.

    For right and wrong answers `paired_ratio`; where answers may be partly right, a BCa bootstrap
    of the pairs (Efron 1987).
    """
    first, second = np.asarray(before, np.float64), np.asarray(after, np.float64)
    if first.ndim != 1 or first.shape != second.shape or not first.size:
        raise ValueError("Both models need one score for each of the same items.")
    if np.isin([first, second], (0, 1)).all():
        return paired_ratio(PairedCounts.of(second, first), confidence)
    if not first.any():
        return Estimate(np.nan, np.nan, np.nan)
    value = float(second.mean() / first.mean())
    # A resample is how often each distinct pair was drawn.
    distinct, repeats = np.unique(np.stack([first, second]), axis=1, return_counts=True)
    drawn = generator.multinomial(first.size, repeats / first.size, size=resamples) @ distinct.T
    ratios = drawn[:, 1] / np.maximum(drawn[:, 0], np.finfo(float).tiny)
    influence: Floats = (second - value * first) / first.sum()
    spread = float(np.sum(influence**2))
    if spread == 0.0:
        return Estimate(value, np.nan, np.nan)  # a constant share: no item tells the error
    below = (np.sum(ratios < value) + 0.5 * np.sum(np.isclose(ratios, value))) / resamples
    acceleration = float(np.sum(influence**3)) / (6.0 * spread**1.5)
    return bca(value, ratios, float(below), acceleration, confidence)


def paired_ratio(table: PairedCounts, confidence: float = 0.95) -> Estimate:
    """The first rate over the second, of pairs: Wilson's limits of both, joined as ratios are.

    MOVER for ratios (Donner & Zou 2012, Stat. Methods Med. Res. 21, 347-359, eq. 9), with the
    correlation of the pairs; it does not collapse where no pair differs. The upper limit is
    infinite where the second rate may be zero.
    """
    totals = table.both + np.array([table.first_only, table.second_only])
    if not totals[1]:
        return Estimate(np.nan, np.nan, np.nan)
    (low1, low2), (high1, high2) = wilson(totals, table.n, confidence)
    rate1, rate2 = totals / table.n
    shared = pair_correlation(table)
    least = rate1 * rate2 - shared * (rate1 - low1) * (high2 - rate2)
    most = rate1 * rate2 - shared * (high1 - rate1) * (rate2 - low2)
    one, other = low1 * (2 * rate1 - low1), high2 * (2 * rate2 - high2)
    low = one / (least + np.sqrt(max(least**2 - one * other, 0.0))) if one else 0.0
    one, other = high1 * (2 * rate1 - high1), low2 * (2 * rate2 - low2)
    top = most + np.sqrt(max(most**2 - one * other, 0.0))
    high = top / other if other > 0 else np.inf
    return Estimate(float(rate1 / rate2), float(low), float(high))
