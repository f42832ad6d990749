"""One metric of two runs: difference, interval, test, and what so many episodes can show."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from vlm4vla.core.episode import EpisodeKey
from vlm4vla.core.result import Metric
from vlm4vla.reports.scores import ALL, BOOTSTRAP_SEED, counted
from vlm4vla.stats import power
from vlm4vla.stats.equivalence import tost_means, tost_paired_rates, tost_rates
from vlm4vla.stats.intervals import Floats, bootstrap_mean
from vlm4vla.stats.paired import PairedCounts, mcnemar, sign_flip, stratified_newcombe
from vlm4vla.stats.sequential import sequential, until_decided
from vlm4vla.stats.unpaired import mean_test, newcombe_unpaired, rate_test
from vlm4vla.store import EpisodeRow

Rows = Mapping[EpisodeKey, EpisodeRow]


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

    @property
    def discordant(self) -> int | None:
        """Pairs in which the runs differ."""
        if self.first_only is None or self.second_only is None:
            return None
        return self.first_only + self.second_only

    def facts(self) -> dict[str, object]:
        """Every field, and `discordant`."""
        return asdict(self) | {"discordant": self.discordant}


def paired(
    metric: Metric,
    first: Rows,
    second: Rows,
    task: str,
    alpha: float,
    margin: float | None = None,
) -> Contrast:
    """Compare on the episodes that both runs hold and that count in both.

    Args:
        metric: what is compared.
        first: rows of the first run by episode.
        second: rows of the second run; only common episodes are looked at.
        task: what the line is called.
        alpha: two-sided level of test and interval.
        margin: greatest difference that is still called none; for an equivalence test.
    """
    groups = _pairs(metric, first, second)
    blank = _blank(metric, task, True)
    if not groups:
        return blank
    blank = replace(
        blank,
        first=float(np.mean([group[:, 0].mean() for group in groups])),
        second=float(np.mean([group[:, 1].mean() for group in groups])),
        n=sum(len(group) for group in groups),
    )
    if metric.kind == "mean":
        return _paired_means(blank, groups, alpha, margin)
    found = _paired_rates(blank, groups, alpha, margin)
    if metric.given:
        return found
    low, high = _bounds(metric, first, second)
    return replace(found, bound_low=low, bound_high=high)


def unpaired(
    metric: Metric,
    first: Rows,
    second: Rows,
    task: str,
    alpha: float,
    margin: float | None = None,
) -> Contrast:
    """Compare all episodes of either run, whatever their task. Arguments as in `paired`."""
    a, b = (
        np.array([v for v in (counted(metric, row) for row in rows.values()) if v is not None])
        for rows in (first, second)
    )
    blank = _blank(metric, task, False)
    if not a.size or not b.size:
        return blank
    blank = replace(
        blank,
        first=float(a.mean()),
        second=float(b.mean()),
        n=int(min(a.size, b.size)),
        difference=float(a.mean() - b.mean()),
    )
    if metric.kind == "rate":
        return _unpaired_rates(blank, a, b, alpha, margin)
    return _unpaired_means(blank, a, b, alpha)


def anytime(
    metric: Metric,
    first: Rows,
    second: Rows,
    order: Iterable[EpisodeKey],
    alpha: float,
    span: float = 1.0,
    step: int | None = None,
) -> Contrast:
    """Compare pair by pair in a fixed order, as a sequential comparison does while it runs.

    Args:
        metric: what is compared.
        first: rows of the first run by episode.
        second: rows of the second run.
        order: in which the pairs were to be looked at; only the part without gaps counts.
        alpha: chance of ever deciding wrongly.
        span: greatest possible value of the metric less the least.
        step: pairs after which STEP, not the betting rule, decided.
    """
    blank = _blank(metric, ALL, True)
    pairs = pairs_in_order(metric, first, second, order)
    if not pairs.size:
        return blank
    differences = pairs[:, 0] - pairs[:, 1]
    if step is None:
        state = until_decided(differences, -span, span, alpha)
    else:
        state = sequential(differences[:step], -span, span, alpha)
    pairs = pairs[: state.n]
    return replace(
        blank,
        first=float(pairs[:, 0].mean()),
        second=float(pairs[:, 1].mean()),
        n=state.n,
        difference=state.mean,
        low=state.low,
        high=state.high,
        interval="by betting, whenever one stops",
        test="betting e-process" if step is None else "STEP",
        p=state.p if step is None else None,
        first_only=int(np.sum(pairs[:, 0] > pairs[:, 1])),
        second_only=int(np.sum(pairs[:, 0] < pairs[:, 1])),
        e_value=state.e_value,
        decided=state.decided if step is None else True,
    )


def pairs_in_order(
    metric: Metric, first: Rows, second: Rows, order: Iterable[EpisodeKey]
) -> Floats:
    """Values (n, 2) of the pairs up to the first that is missing; those that do not count left out.

    Stopping at the gap matters: what ends early (successes do) must not be looked at early.
    """
    values: list[tuple[float, float]] = []
    for key in order:
        if key not in first or key not in second:
            break
        one, other = counted(metric, first[key]), counted(metric, second[key])
        if one is not None and other is not None:
            values.append((one, other))
    return np.array(values, dtype=np.float64).reshape(-1, 2)


def _paired_rates(
    blank: Contrast, groups: Sequence[Floats], alpha: float, margin: float | None
) -> Contrast:
    tables = [PairedCounts.of(group[:, 0], group[:, 1]) for group in groups]
    whole = PairedCounts.of(*np.concatenate(groups).T)
    estimate = stratified_newcombe(tables, 1 - alpha)
    test, p_mid = "McNemar's exact", None
    if len({table.n for table in tables}) == 1:
        p = float(mcnemar(whole.first_only, whole.second_only))
        p_mid = float(mcnemar(whole.first_only, whole.second_only, mid=True))
    else:  # tasks of several sizes weigh the same, which McNemar's test does not know
        test = "sign-flip permutation"
        p, _ = sign_flip([group[:, 0] - group[:, 1] for group in groups], _generator())
    share, d = whole.discordant / whole.n, abs(estimate.value)
    return replace(
        blank,
        difference=estimate.value,
        low=estimate.low,
        high=estimate.high,
        interval="Newcombe's, paired",
        test=test,
        p=p,
        p_mid=p_mid,
        first_only=whole.first_only,
        second_only=whole.second_only,
        detectable=power.detectable_difference(whole.n, share, alpha),
        more=_more(whole.n, lambda: power.episodes_paired(d, max(share, d), alpha)),
        p_equivalent=None if margin is None else tost_paired_rates(whole, margin, alpha).p,
    )


def _paired_means(
    blank: Contrast, groups: Sequence[Floats], alpha: float, margin: float | None
) -> Contrast:
    differences = [group[:, 0] - group[:, 1] for group in groups]
    everything = np.concatenate(differences)
    estimate = bootstrap_mean(differences, _generator(), 1 - alpha)
    several = everything.size > 1
    sd = float(everything.std(ddof=1)) if several else 0.0
    return replace(
        blank,
        difference=estimate.value,
        low=estimate.low,
        high=estimate.high,
        interval="BCa bootstrap of pairs",
        test="paired permutation",
        p=sign_flip(differences, _generator())[0],
        first_only=int(np.sum(everything > 0)),
        second_only=int(np.sum(everything < 0)),
        detectable=power.detectable_mean(everything.size, sd, alpha) if sd else None,
        more=_more(blank.n, lambda: power.episodes_paired_mean(estimate.value, sd, alpha)),
        p_equivalent=tost_means(everything, margin, alpha).p if margin and several else None,
    )


def _unpaired_rates(
    blank: Contrast, a: Floats, b: Floats, alpha: float, margin: float | None
) -> Contrast:
    counts = int(a.sum()), a.size, int(b.sum()), b.size
    estimate, result = newcombe_unpaired(*counts, confidence=1 - alpha), rate_test(*counts)
    rates = float(a.mean()), float(b.mean())
    return replace(
        blank,
        low=estimate.low,
        high=estimate.high,
        interval="Newcombe's, unpaired",
        test=f"{result.name}'s exact",
        p=result.p,
        detectable=power.detectable_unpaired(blank.n, rates[1], alpha),
        more=_more(blank.n, lambda: power.episodes_unpaired(*rates, alpha=alpha)),
        p_equivalent=None if margin is None else tost_rates(*counts, margin, alpha).p,
    )


def _unpaired_means(blank: Contrast, a: Floats, b: Floats, alpha: float) -> Contrast:
    one, other = (bootstrap_mean([values], _generator(), 1 - alpha) for values in (a, b))
    value = one.value - other.value
    sd = float(np.sqrt(a.var(ddof=1) + b.var(ddof=1))) if blank.n > 1 else 0.0
    return replace(
        blank,
        low=value - float(np.hypot(one.value - one.low, other.high - other.value)),
        high=value + float(np.hypot(one.high - one.value, other.value - other.low)),
        interval="BCa bootstrap of either run, joined by squares",
        test="permutation",
        p=mean_test(a, b, _generator()),
        detectable=power.detectable_mean(blank.n, sd, alpha) if sd else None,
        more=_more(blank.n, lambda: power.episodes_paired_mean(value, sd, alpha)),
    )


def _pairs(metric: Metric, first: Rows, second: Rows) -> list[Floats]:
    """Values (n_t, 2) for each task with a pair."""
    tasks: dict[str, list[tuple[float, float]]] = {}
    for key in sorted(first.keys() & second.keys()):
        one, other = counted(metric, first[key]), counted(metric, second[key])
        if one is not None and other is not None:
            tasks.setdefault(key.task, []).append((one, other))
    return [np.array(pairs) for pairs in tasks.values()]


def _bounds(metric: Metric, first: Rows, second: Rows) -> tuple[float | None, float | None]:
    """The mean difference over tasks if every error were a failure of the one run, and reverse."""
    tasks: dict[str, list[tuple[float, float]]] = {}
    for key in first.keys() & second.keys():
        one, other = counted(metric, first[key]), counted(metric, second[key])
        low = (0.0 if one is None else one) - (1.0 if other is None else other)
        high = (1.0 if one is None else one) - (0.0 if other is None else other)
        tasks.setdefault(key.task, []).append((low, high))
    lows, highs = np.mean([np.mean(pairs, axis=0) for pairs in tasks.values()], axis=0)
    return (float(lows), float(highs)) if lows != highs else (None, None)


def _more(n: int, needed: Callable[[], int]) -> int | None:
    try:
        return max(0, needed() - n)
    except ValueError:  # no difference, no spread, or more episodes than anyone would run
        return None


def _blank(metric: Metric, task: str, paired: bool) -> Contrast:
    return Contrast(metric.name, metric.kind, metric.headline, metric.given, task, paired)


def _generator() -> np.random.Generator:
    return np.random.default_rng(BOOTSTRAP_SEED)
