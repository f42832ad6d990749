"""How much better the first of two policies is: interval, test, and what so many episodes can show.

Paired, `groups` hold the pairs (n_t, 2) of each of T tasks, none empty, and every task weighs the
same; else `first` and `second` hold the values (n1,) and (n2,) of either policy. Rates are made of
values 0 and 1. `alpha` is the two-sided level; `margin`, if any, the greatest difference that still
counts as none. `generator` makes a generator anew for each resampling.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from vlm4vla.stats import power
from vlm4vla.stats.equivalence import tost_means, tost_paired_rates, tost_rates
from vlm4vla.stats.intervals import Estimate, Floats, bootstrap_mean
from vlm4vla.stats.paired import PairedCounts, mcnemar, sign_flip, stratified_newcombe
from vlm4vla.stats.unpaired import mean_test, newcombe_unpaired, rate_test


@dataclass(frozen=True)
class Difference:
    """First less second."""

    estimate: Estimate
    interval: str
    """By which method."""
    test: str
    p: float
    detectable: float | None
    """Least true difference that so many episodes find with 80 % power; None if none."""
    more: int | None
    """Further episodes after which a difference as seen would be found with 80 % power."""
    p_equivalent: float | None = None
    """TOST against the margin."""
    p_mid: float | None = None
    """McNemar's mid-p, where the test is McNemar's."""


def paired_rates(
    groups: Sequence[Floats], alpha: float, margin: float | None, generator: Callable[[], Generator]
) -> Difference:
    """Newcombe's interval and McNemar's test; permutations where tasks are of several sizes."""
    tables = [PairedCounts.of(*group.T) for group in groups]
    whole = PairedCounts.of(*np.concatenate(groups).T)
    estimate, wins = stratified_newcombe(tables, 1 - alpha), (whole.first_only, whole.second_only)
    p_mid: float | None = None
    if len({table.n for table in tables}) == 1:
        test, p = "McNemar's exact", float(mcnemar(*wins))
        p_mid = float(mcnemar(*wins, mid=True))
    else:  # tasks of several sizes weigh the same, which McNemar's test does not know
        test, (p, _) = "sign-flip permutation", sign_flip(_differences(groups), generator())
    n, share, d = whole.n, whole.discordant / whole.n, abs(estimate.value)
    detectable = power.detectable_difference(n, share, alpha)
    more = _more(n, lambda: power.episodes_paired(d, max(share, d), alpha))
    same = margin and tost_paired_rates(whole, margin, alpha).p
    return Difference(estimate, "Newcombe's, paired", test, p, detectable, more, same, p_mid)


def paired_means(
    groups: Sequence[Floats], alpha: float, margin: float | None, generator: Callable[[], Generator]
) -> Difference:
    """Bootstrap of the pairs, and permutations of their signs."""
    differences = _differences(groups)
    estimate = bootstrap_mean(differences, generator(), 1 - alpha)
    p, _ = sign_flip(differences, generator())
    pairs, sd, same = np.concatenate(differences), 0.0, None
    if pairs.size > 1:
        sd, same = float(pairs.std(ddof=1)), margin and tost_means(pairs, margin, alpha).p
    shown = _shown(estimate, pairs.size, sd, alpha)
    return Difference(estimate, "BCa bootstrap of pairs", "paired permutation", p, *shown, same)


def unpaired_rates(first: Floats, second: Floats, alpha: float, margin: float | None) -> Difference:
    """Newcombe's interval, and Boschloo's or Fisher's test."""
    counts = int(first.sum()), first.size, int(second.sum()), second.size
    n, rates = min(first.size, second.size), (float(first.mean()), float(second.mean()))
    estimate, tested = newcombe_unpaired(*counts, confidence=1 - alpha), rate_test(*counts)
    detectable = power.detectable_unpaired(n, rates[1], alpha)
    more = _more(n, lambda: power.episodes_unpaired(*rates, alpha=alpha))
    same, test = margin and tost_rates(*counts, margin, alpha).p, f"{tested.name}'s exact"
    return Difference(estimate, "Newcombe's, unpaired", test, tested.p, detectable, more, same)


def unpaired_means(
    first: Floats, second: Floats, alpha: float, generator: Callable[[], Generator]
) -> Difference:
    """Bootstrap of either sample, and permutations of both together."""
    one, other = (bootstrap_mean([side], generator(), 1 - alpha) for side in (first, second))
    value, n = one.value - other.value, min(first.size, second.size)
    below = float(np.hypot(one.value - one.low, other.high - other.value))
    above = float(np.hypot(one.high - one.value, other.value - other.low))
    estimate, p = (
        Estimate(value, value - below, value + above),
        mean_test(first, second, generator()),
    )
    sd = float(np.sqrt(first.var(ddof=1) + second.var(ddof=1))) if n > 1 else 0.0
    interval = "BCa bootstrap of either run, joined by squares"
    return Difference(estimate, interval, "permutation", p, *_shown(estimate, n, sd, alpha))


def _differences(groups: Sequence[Floats]) -> list[Floats]:
    return [pairs[:, 0] - pairs[:, 1] for pairs in groups]


def _shown(estimate: Estimate, n: int, sd: float, alpha: float) -> tuple[float | None, int | None]:
    """What n differences of that spread can show, and how many more would show the estimate."""
    more = _more(n, lambda: power.episodes_paired_mean(estimate.value, sd, alpha))
    return power.detectable_mean(n, sd, alpha) if sd else None, more


def _more(n: int, needed: Callable[[], int]) -> int | None:
    try:
        return max(0, needed() - n)
    except ValueError:  # no difference, no spread, or more episodes than anyone would run
        return None
