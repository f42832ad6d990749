"""The mixed model over the store's episodes: b1 of the benchmark, and what to say of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from vlm4vla.core.errors import BadInput, MissingDependency
from vlm4vla.core.result import Outcome
from vlm4vla.reports.correlation.capability import measured_suites, policies_of, vqa_axis
from vlm4vla.reports.correlation.vqa import score_rows
from vlm4vla.reports.tables.numbers import interval_text
from vlm4vla.stats.mixed import FEWEST, Slope, Trials, mixed_logit
from vlm4vla.store import Store
from vlm4vla.store.published import backbones as listed
from vlm4vla.store.published import family_of

_TOGETHER = 0.9
"""The error of b1 is then more than twice what it were without log params."""


@dataclass(frozen=True)
class Mixed:
    """One benchmark against success in all suites together."""

    vqa: str
    suites: tuple[str, ...]
    slope: Slope
    notes: tuple[str, ...]


def mixed_model(
    vqa: str, store: Store, suites: Sequence[str] = (), named: Mapping[str, str] | None = None
) -> Mixed:
    """Fit the mixed model of one benchmark to the episodes of complete runs.

    Success is the episode's, also where a suite's headline is a mean (a chain then succeeds if it
    is solved to its end). Episodes that ended in an error are left out.

    `named` says the backbone of a policy whose name does not tell; suites are all by default.
    Raises UnknownName, MissingDependency without statsmodels, and BadInput where there are no
    episodes, or of fewer than 6 backbones that have a score.
    """
    scores = vqa_axis(vqa, score_rows(store)).values
    rows = [
        (backbone, suite, row)
        for suite in suites or measured_suites(store)
        for head, backbone in policies_of(store, suite, named or {})[0]
        if backbone in scores and head.complete
        for row in store.episodes(head.run)
        if row.outcome is not Outcome.ERROR
    ]
    if not rows:
        raise BadInput(
            f"The store holds no episodes of a complete run whose backbone has '{vqa}'.",
            "`bench run` makes episodes; `bench vqa import FILE` adds scores.",
        )
    known = {one.key: one.params_b for one in listed()}
    backbones, names, done = zip(*rows, strict=True)
    unsized = [one for one in dict.fromkeys(backbones) if known.get(one) is None]
    trials = Trials(
        success=np.array([float(row.outcome is Outcome.SUCCESS) for row in done]),
        vqa=np.array([scores[one].value for one in backbones]),
        params=None if unsized else np.array([known[one] for one in backbones]),
        backbone=backbones,
        family=[family_of(one) for one in backbones],
        suite=names,
        task=[f"{suite}:{row.key.task}" for suite, row in zip(names, done, strict=True)],
        init=[str(row.key) for row in done],
    )
    check(trials)
    slope = mixed_logit(trials)
    notes = []
    if unsized:
        notes.append(f"without log params, which are unknown of {', '.join(unsized)}")
    if abs(slope.r_params or 0.0) > _TOGETHER:
        notes.append(
            f"over these backbones score and size go together (r = {slope.r_params:.2f}): "
            "which of them matters cannot be told"
        )
    if not slope.converged:
        notes.append("the fit stopped before it converged: do not rely on it")
    return Mixed(vqa, tuple(dict.fromkeys(names)), slope, tuple(notes))


def check(trials: Trials) -> None:
    """Whether the model can be fitted. Raises BadInput, MissingDependency."""
    n = len(set(trials.backbone))
    if n < FEWEST:
        raise BadInput(
            f"{n} backbones with episodes are too few for the mixed model; {FEWEST} are needed, "
            "however many episodes each has.",
            "Leave --mixed out, or run policies of more backbones.",
        )
    if len(np.unique(trials.vqa)) < 2:
        raise BadInput("All backbones have the same score.", "Name another benchmark with --vqa.")
    if len(np.unique(trials.success)) < 2:
        raise BadInput(
            "All episodes ended alike: there is nothing to explain.",
            "Name suites with --suite on which policies both succeed and fail.",
        )
    if find_spec("statsmodels") is None:
        raise MissingDependency(
            "The mixed model is fitted by statsmodels, which is not installed.",
            'pip install "vlm4vla[mixed]"',
        )


def sentences(one: Mixed) -> list[str]:
    """The block of output: b1, its interval, and by how many backbones it is carried."""
    slope = one.slope
    odds = [math.exp(value) for value in (slope.b1, slope.low, slope.high)]
    spread = ", ".join(f"{name} {sd:.2f}" for name, sd in slope.spread.items())
    return [
        f"Mixed logit: b1 = {slope.b1:.2f}, 95 % {interval_text(slope.low, slope.high)}, "
        f"for one standard deviation of {one.vqa}",
        f"  odds of success times {odds[0]:.2f} {interval_text(odds[1], odds[2])}",
        f"  effective n = {slope.n} backbones ({slope.degrees} degrees of freedom), not the "
        f"{slope.episodes} episodes",
        f"  random effects, sd in log-odds: {spread}",
        *(f"! {note}" for note in one.notes),
    ]
