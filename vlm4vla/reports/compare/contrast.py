"""One metric of two runs: difference, interval, test, and what so many episodes can show."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

import numpy as np

from vlm4vla.core.episode import EpisodeKey
from vlm4vla.core.result import Metric
from vlm4vla.reports.compare.pairing import Terms
from vlm4vla.reports.scores import ALL, BOOTSTRAP_SEED, counted
from vlm4vla.stats import power
from vlm4vla.stats.equivalence import tost_means, tost_paired_rates, tost_rates
from vlm4vla.stats.intervals import Estimate, Floats, bootstrap_mean
from vlm4vla.stats.paired import PairedCounts, mcnemar, sign_flip, stratified_newcombe
from vlm4vla.stats.sequential import sequential, until_decided
from vlm4vla.stats.unpaired import mean_test, newcombe_unpaired, rate_test
from vlm4vla.store import EpisodeRow

Rows = Mapping[EpisodeKey, EpisodeRow]
Sides = tuple[Rows, Rows]
"""The episodes of the first run and of the second."""


@dataclass(frozen=True)
class Contrast:
    """The first run less the second in one metric. Rates are fractions of 1."""

    metric: str
    kind: str
    headline: bool
    given: str | None
    """Counted only where this holds; in both runs, if paired."""
    task: str
    paired: bool
    first: float | None = None
    second: float | None = None
    """Of the episodes compared; a mean over tasks, each weighing the same."""
    n: int = 0
    """Pairs; the episodes of the smaller run if not paired."""
    difference: float | None = None
    """None where no episode counts in both."""
    low: float | None = None
    high: float | None = None
    interval: str = ""
    """By which method."""
    test: str = ""
    p: float | None = None
    p_mid: float | None = None
    """McNemar's mid-p, where the test is McNemar's."""
    p_adjusted: float | None = None
    """Holm over the tasks, on the lines of single tasks."""
    first_only: int | None = None
    """Pairs in which the first run is better."""
    second_only: int | None = None
    detectable: float | None = None
    """Least true difference that so many episodes find with 80 % power; None if none."""
    more: int | None = None
    """Further episodes after which a difference as seen would be found with 80 % power."""
    p_equivalent: float | None = None
    """TOST against the margin asked for."""
    bound_low: float | None = None
    bound_high: float | None = None
    """The difference if every error were to the first run's disadvantage, or to its advantage."""
    e_value: float | None = None
    """Evidence of a sequential comparison; interval and p then hold whenever one stops."""
    decided: bool | None = None
    """What the rule of a sequential comparison said; None where the number of pairs was set."""
    discordant: int | None = None
    """Pairs in which the runs differ."""


def contrast(metric: Metric, sides: Sides, task: str, terms: Terms) -> Contrast:
    """Compare the episodes that count: those of both runs pair by pair, or all of either run.

    `task` is what the line is called; the margin of rates is a fraction of 1.
    """
    blank = _blank(metric, task, paired=not terms.unpaired)
    if terms.unpaired:
        one, other = (_values(metric, [rows], rows)[:, 0] for rows in sides)
        return _unpaired(blank, one, other, terms)
    keys = sorted(sides[0].keys() & sides[1].keys())
    values, tasks = _values(metric, sides, keys), np.array([key.task for key in keys])
    counts = ~np.isnan(values).any(axis=1)
    groups = [values[counts & (tasks == one)] for one in dict.fromkeys(tasks[counts])]
    if not groups:
        return blank
    blank = _scored(blank, groups)
    if metric.kind == "mean":
        return _paired_means(blank, groups, terms)
    found = _paired_rates(blank, groups, terms)
    if metric.given or counts.all():
        return found
    # Were every error a failure of the one run and a success of the other, and the reverse.
    turned = [np.where(np.isnan(values), filled, values) for filled in ([0.0, 1.0], [1.0, 0.0])]
    ends = np.column_stack([pairs[:, 0] - pairs[:, 1] for pairs in turned])
    low, high = np.mean([ends[tasks == one].mean(axis=0) for one in dict.fromkeys(tasks)], axis=0)
    return replace(found, bound_low=float(low), bound_high=float(high))


def anytime(metric: Metric, sides: Sides, terms: Terms, step: int | None = None) -> Contrast:
    """Compare pair by pair in the order of the lot, as a sequential comparison does as it runs.

    What comes behind the first episode that either run lacks is not looked at: what ends early
    (successes do) must not be looked at early. `step` counts the pairs after which STEP, not the
    betting rule, decided.
    """
    blank = _blank(metric, ALL, paired=True)
    order = sorted(sides[0].keys() | sides[1].keys(), key=lambda key: key.lot)
    without_gaps = takewhile(lambda key: key in sides[0] and key in sides[1], order)
    pairs = _values(metric, sides, without_gaps)
    pairs = pairs[~np.isnan(pairs).any(axis=1)]
    if not pairs.size:
        return blank
    differences, reach = pairs[:, 0] - pairs[:, 1], (-terms.span, terms.span)
    if step is None:
        state = until_decided(differences, *reach, terms.alpha)
    else:
        state = sequential(differences[:step], *reach, terms.alpha)
    return replace(
        _scored(blank, [pairs[: state.n]]),
        difference=state.mean,
        low=state.low,
        high=state.high,
        interval="by betting, whenever one stops",
        test="betting e-process" if step is None else "STEP",
        p=state.p if step is None else None,
        e_value=state.e_value,
        decided=state.decided if step is None else True,
    )


def _blank(metric: Metric, task: str, paired: bool) -> Contrast:
    return Contrast(metric.name, metric.kind, metric.headline, metric.given, task, paired)


def _values(metric: Metric, sides: Sequence[Rows], keys: Iterable[EpisodeKey]) -> Floats:
    """(keys, sides): what each episode adds to the metric, NaN where it does not count."""
    found = [[counted(metric, rows[key]) for rows in sides] for key in keys]
    return np.array(found, dtype=np.float64).reshape(-1, len(sides))


def _scored(blank: Contrast, groups: Sequence[Floats]) -> Contrast:
    """With both scores, and how many of the pairs (n_t, 2) of each task either run won."""
    first, second = (float(np.mean([group[:, side].mean() for group in groups])) for side in (0, 1))
    one, other = np.concatenate(groups).T
    won, lost = int(np.sum(one > other)), int(np.sum(one < other))
    return replace(
        blank,
        first=first,
        second=second,
        n=one.size,
        first_only=won,
        second_only=lost,
        discordant=won + lost,
    )


def _paired_rates(blank: Contrast, groups: Sequence[Floats], terms: Terms) -> Contrast:
    tables = [PairedCounts.of(*group.T) for group in groups]
    whole = PairedCounts.of(*np.concatenate(groups).T)
    estimate, p_mid = stratified_newcombe(tables, 1 - terms.alpha), None
    if len({table.n for table in tables}) == 1:
        name, p = "McNemar's exact", float(mcnemar(whole.first_only, whole.second_only))
        p_mid = float(mcnemar(whole.first_only, whole.second_only, mid=True))
    else:  # tasks of several sizes weigh the same, which McNemar's test does not know
        differences = [group[:, 0] - group[:, 1] for group in groups]
        name, p = "sign-flip permutation", sign_flip(differences, _generator())[0]
    share, d = whole.discordant / whole.n, abs(estimate.value)
    return replace(
        _tested(blank, estimate, "Newcombe's, paired", name, p),
        p_mid=p_mid,
        detectable=power.detectable_difference(whole.n, share, terms.alpha),
        more=_more(whole.n, lambda: power.episodes_paired(d, max(share, d), terms.alpha)),
        p_equivalent=terms.margin and tost_paired_rates(whole, terms.margin, terms.alpha).p,
    )


def _paired_means(blank: Contrast, groups: Sequence[Floats], terms: Terms) -> Contrast:
    differences = [group[:, 0] - group[:, 1] for group in groups]
    estimate = bootstrap_mean(differences, _generator(), 1 - terms.alpha)
    p, _ = sign_flip(differences, _generator())
    found = _tested(blank, estimate, "BCa bootstrap of pairs", "paired permutation", p)
    everything = np.concatenate(differences)
    if everything.size < 2:
        return _sized(found, 0.0, terms.alpha)
    equivalent = terms.margin and tost_means(everything, terms.margin, terms.alpha).p
    found = replace(found, p_equivalent=equivalent)
    return _sized(found, float(everything.std(ddof=1)), terms.alpha)


def _unpaired(blank: Contrast, a: Floats, b: Floats, terms: Terms) -> Contrast:
    a, b = a[~np.isnan(a)], b[~np.isnan(b)]
    if not a.size or not b.size:
        return blank
    n, rates = int(min(a.size, b.size)), (float(a.mean()), float(b.mean()))
    blank = replace(blank, first=rates[0], second=rates[1], n=n)
    if blank.kind == "mean":
        return _unpaired_means(blank, a, b, terms.alpha)
    counts = int(a.sum()), a.size, int(b.sum()), b.size
    estimate, result = newcombe_unpaired(*counts, confidence=1 - terms.alpha), rate_test(*counts)
    return replace(
        _tested(blank, estimate, "Newcombe's, unpaired", f"{result.name}'s exact", result.p),
        detectable=power.detectable_unpaired(n, rates[1], terms.alpha),
        more=_more(n, lambda: power.episodes_unpaired(*rates, alpha=terms.alpha)),
        p_equivalent=terms.margin and tost_rates(*counts, terms.margin, terms.alpha).p,
    )


def _unpaired_means(blank: Contrast, a: Floats, b: Floats, alpha: float) -> Contrast:
    one, other = (bootstrap_mean([values], _generator(), 1 - alpha) for values in (a, b))
    value = one.value - other.value
    estimate = Estimate(
        value,
        value - float(np.hypot(one.value - one.low, other.high - other.value)),
        value + float(np.hypot(one.high - one.value, other.value - other.low)),
    )
    interval = "BCa bootstrap of either run, joined by squares"
    found = _tested(blank, estimate, interval, "permutation", mean_test(a, b, _generator()))
    sd = float(np.sqrt(a.var(ddof=1) + b.var(ddof=1))) if blank.n > 1 else 0.0
    return _sized(found, sd, alpha)


def _tested(blank: Contrast, found: Estimate, interval: str, test: str, p: float) -> Contrast:
    return replace(
        blank,
        difference=found.value,
        low=found.low,
        high=found.high,
        interval=interval,
        test=test,
        p=p,
    )


def _sized(found: Contrast, sd: float, alpha: float) -> Contrast:
    """A difference of means with what so many episodes can show, from its standard deviation."""
    value = found.difference or 0.0
    return replace(
        found,
        detectable=power.detectable_mean(found.n, sd, alpha) if sd else None,
        more=_more(found.n, lambda: power.episodes_paired_mean(value, sd, alpha)),
    )


def _more(n: int, needed: Callable[[], int]) -> int | None:
    try:
        return max(0, needed() - n)
    except ValueError:  # no difference, no spread, or more episodes than anyone would run
        return None


def _generator() -> np.random.Generator:
    return np.random.default_rng(BOOTSTRAP_SEED)
