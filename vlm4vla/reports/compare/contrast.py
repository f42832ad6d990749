"""One metric of two runs: on which terms, which episodes count, and what is found on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

import numpy as np

from vlm4vla.core.episode import EpisodeKey
from vlm4vla.core.errors import BadInput, OutOfRange
from vlm4vla.core.result import Metric
from vlm4vla.reports.scores import ALL, BOOTSTRAP_SEED, counted
from vlm4vla.stats import difference
from vlm4vla.stats.difference import Difference
from vlm4vla.stats.intervals import Estimate, Floats
from vlm4vla.stats.sequential import sequential, until_decided
from vlm4vla.store import EpisodeRow

Rows = Mapping[EpisodeKey, EpisodeRow]
Sides = tuple[Rows, Rows]
"""The episodes of the first run and of the second."""


@dataclass(frozen=True)
class Terms:
    """On which terms two runs are compared."""

    metric: str | None = None
    """What the verdict is about [the headline]."""
    margin: float | None = None
    """Equivalence: points (rates) or units that still count as none."""
    alpha: float = 0.05
    """Two-sided level."""
    unpaired: bool = False
    """All episodes of either run, identical or not."""
    allow_different: bool = False
    """Compare across different comparability.

    Marked wherever it is shown.
    """
    sequential: bool = False
    """The runs were looked at while they grew, though nothing was decided."""
    span: float = 1.0
    """Greatest possible value of a mean less the least, in a sequential comparison."""

    def __post_init__(self) -> None:
        """Raise OutOfRange for a level or margin that cannot be."""
        if not 0 < self.alpha < 1:
            text = f"--alpha {self.alpha:g} must lie between 0 and 1."
            raise OutOfRange(text, "Write e.g. --alpha 0.05")
        if self.margin is not None and not self.margin > 0:
            text = f"--margin {self.margin:g} must be positive."
            raise OutOfRange(text, "Write e.g. --margin 5")


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
    """None where no episode counts in both. What has no word here is as in `Difference`."""
    low: float | None = None
    high: float | None = None
    interval: str = ""
    test: str = ""
    p: float | None = None
    p_mid: float | None = None
    p_adjusted: float | None = None
    """Holm over the tasks, on the lines of single tasks."""
    first_only: int | None = None
    """Pairs in which the first run is better."""
    second_only: int | None = None
    detectable: float | None = None
    more: int | None = None
    p_equivalent: float | None = None
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
    rate, level = metric.kind == "rate", (terms.alpha, terms.margin)
    blank = _blank(metric, task, paired=not terms.unpaired)
    if terms.unpaired:
        columns = [_values(metric, [rows], rows)[:, 0] for rows in sides]
        one, other = (values[~np.isnan(values)] for values in columns)
        if not one.size or not other.size:
            return blank
        if rate:
            found = difference.unpaired_rates(one, other, *level)
        else:
            found = difference.unpaired_means(one, other, terms.alpha, _generator)
        n, first, second = min(one.size, other.size), float(one.mean()), float(other.mean())
        return _tested(replace(blank, n=n, first=first, second=second), found)
    keys = sorted(sides[0].keys() & sides[1].keys())
    values, tasks = _values(metric, sides, keys), np.array([key.task for key in keys])
    counts = ~np.isnan(values).any(axis=1)
    groups = [values[counts & (tasks == one)] for one in dict.fromkeys(tasks[counts])]
    if not groups:
        return blank
    method = difference.paired_rates if rate else difference.paired_means
    line = _tested(_scored(blank, groups), method(groups, *level, _generator))
    if not rate or metric.given or counts.all():
        return line
    # Were every error a failure of the one run and a success of the other, and the reverse.
    turned = [np.where(np.isnan(values), filled, values) for filled in ([0.0, 1.0], [1.0, 0.0])]
    ends = np.column_stack([pairs[:, 0] - pairs[:, 1] for pairs in turned])
    low, high = np.mean([ends[tasks == one].mean(axis=0) for one in dict.fromkeys(tasks)], axis=0)
    return replace(line, bound_low=float(low), bound_high=float(high))


def anytime(metric: Metric, sides: Sides, alpha: float, span: float, step: int | None) -> Contrast:
    """Compare pair by pair in the order of the lot, as a sequential comparison does as it runs.

    What comes behind the first episode that either run lacks is not looked at: what ends early
    (successes do) must not be looked at early. `span` is the greatest possible value less the
    least; `step` counts the pairs after which STEP, not the betting rule, decided. Raises BadInput
    for values further apart than the span.
    """
    blank = _blank(metric, ALL, paired=True)
    order = sorted(sides[0].keys() | sides[1].keys(), key=lambda key: key.lot)
    without_gaps = takewhile(lambda key: key in sides[0] and key in sides[1], order)
    pairs = _values(metric, sides, without_gaps)
    pairs = pairs[~np.isnan(pairs).any(axis=1)]
    if not pairs.size:
        return blank
    differences = pairs[:, 0] - pairs[:, 1]
    if np.abs(differences).max() > span:
        raise BadInput(
            f"Values of {metric.name} lie further apart than {span:g}, all that is known of the "
            "span that was bet on.",
            "Compare another metric with --metric; runs stopped from now on keep their span.",
        )
    if step is None:
        state = until_decided(differences, -span, span, alpha)
    else:
        state = sequential(differences[:step], -span, span, alpha)
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


def _tested(line: Contrast, found: Difference) -> Contrast:
    facts = dict(vars(found))
    estimate: Estimate = facts.pop("estimate")
    return replace(line, difference=estimate.value, low=estimate.low, high=estimate.high, **facts)


def _generator() -> np.random.Generator:
    return np.random.default_rng(BOOTSTRAP_SEED)
