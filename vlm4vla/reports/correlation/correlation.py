"""Fig. 3 of VLM4VLA from data: does a better vision-language model make a better policy?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from vlm4vla.core.errors import BadInput
from vlm4vla.reports.correlation.capability import Axis, suite_axes, vqa_axis
from vlm4vla.reports.correlation.vqa import score_rows
from vlm4vla.reports.marks import signs
from vlm4vla.stats import correlation as stats
from vlm4vla.stats.measurement_error import disattenuated, noise_spread
from vlm4vla.stats.multiplicity import benjamini_hochberg, holm
from vlm4vla.stats.power import detectable_correlation
from vlm4vla.store import Store
from vlm4vla.store.published import family_of, published

SEED = 0
"""The same data always print the same numbers."""

FEWEST = 3
FEWEST_SCREENED = 4
"""Of three, only six orders exist, and no p is below 1/3."""


class NoCorrelation(BadInput):
    """A benchmark and a suite share too few backbones, or ones that are alike in either."""


@dataclass(frozen=True)
class Point:
    """One backbone in the scatter."""

    backbone: str
    family: str
    x: float
    y: float
    y_error: float | None
    """Standard error of y; None where its trials are not stated."""
    n: int | None
    """Episodes behind y."""
    without: float
    """Pearson's r of the other backbones."""
    marks: tuple[str, ...]

    @property
    def label(self) -> str:
        """The backbone with the signs of its policy's marks."""
        return self.backbone + signs(self.marks)


@dataclass(frozen=True)
class Correlation:
    """One suite against one benchmark, over backbones."""

    suite: str
    metric: str
    vqa: str
    n: int
    """Backbones: the effective sample size."""
    pearson: float
    low: float
    high: float
    """Fisher's 95 % interval of Pearson's r."""
    p: float
    """Exact permutation test of Pearson's r, two-sided."""
    p_holm: float
    """The same, adjusted for all suites and benchmarks that were asked for together (Holm)."""
    spearman: float
    spearman_low: float
    spearman_high: float
    spearman_p: float
    bootstrap_low: float
    bootstrap_high: float
    """BCa interval of Pearson's r over resampled backbones."""
    slope: float
    intercept: float
    r_squared: float
    noise_sd: float | None
    """How far finite episodes and questions alone move r; None where a y has no interval."""
    sign_kept: float | None
    """How often r keeps its sign when that noise is added once more."""
    corrected: float | None
    """r without the noise of either axis (Spearman's disattenuation); a point, not an interval."""
    detectable: float | None
    """The |r| that so many backbones find 80 times in 100 (two-sided, 5 %); None below 4."""
    printed: float | None
    """The coefficient that the paper prints for this suite; published data only."""
    points: tuple[Point, ...]
    families: tuple[stats.FamilyInfluence, ...]
    lacking_x: tuple[str, ...]
    """Backbones with a score on the suite and none on the benchmark."""
    lacking_y: tuple[str, ...]
    notes: tuple[str, ...]


def correlations(
    vqa: Sequence[str],
    suites: Sequence[str] = (),
    published: bool = False,
    store: Store | None = None,
    backbones: Mapping[str, str] | None = None,
) -> list[Correlation]:
    """Each benchmark against each suite (all in the store by default), over their backbones.

    If `published`, against the policies' scores in VLM4VLA's tables, which need no store.
    `backbones` says whose is which, where a policy's name does not tell.

    Raises:
        UnknownName: no such benchmark or suite.
        BadInput: fewer than 3 backbones have both scores.
    """
    scores = score_rows(store)
    xs = [vqa_axis(name, scores, shipped_first=published) for name in vqa]
    ys = suite_axes(suites, published, store, backbones or {})
    found = [correlation(x, y, published) for x in xs for y in ys]
    adjusted = holm([one.p for one in found])
    return [replace(one, p_holm=float(p)) for one, p in zip(found, adjusted, strict=True)]


def correlation(x: Axis, y: Axis, from_papers: bool) -> Correlation:
    """One benchmark against one suite, p not adjusted. Raises NoCorrelation."""
    common = [name for name in y.values if name in x.values]
    both = sorted(common, key=lambda name: x.values[name].value)
    lacking_x = tuple(name for name in y.values if name not in x.values)
    lacking_y = tuple(name for name in x.values if name not in y.values)
    if len(both) < FEWEST:
        raise NoCorrelation(
            f"{len(both)} backbones have both '{x.name}' and {y.name}; {FEWEST} are needed. "
            f"Without '{x.name}': {', '.join(lacking_x) or 'none'}. "
            f"Without {y.name}: {', '.join(lacking_y) or 'none'}.",
            "`bench vqa import FILE` adds scores, `bench run` adds policies.",
        )
    sides = [[axis.values[name] for name in both] for axis in (x, y)]
    a, b = np.array([[one.value for one in side] for side in sides])
    for axis, values in ((x, a), (y, b)):
        if np.ptp(values) == 0:
            raise NoCorrelation(
                f"All {len(both)} backbones have the same value on '{axis.name}': "
                "nothing varies that could go together with anything.",
                "Name another with --vqa or --suite.",
            )
    x_error, y_error = np.array([[one.standard_error or 0.0 for one in side] for side in sides])
    generator = np.random.default_rng(SEED)
    r, rho = (stats.permutation_test(a, b, kind, generator) for kind in stats.Kind)
    low, high = map(float, stats.fisher_interval(r.value, len(both)))
    rho_limits = stats.fisher_interval(rho.value, len(both), kind=stats.Kind.SPEARMAN)
    resampled = stats.bootstrap_interval(a, b, generator)
    measured = all(one.standard_error is not None for one in sides[1])
    noise = noise_spread(a, b, x_error, y_error, generator) if measured else None
    families = [family_of(name) for name in both]
    points = (
        Point(
            name, family, one.value, other.value, other.standard_error, other.n, float(without),
            marks=tuple(dict.fromkeys((*one.marks, *other.marks))),
        )
        for name, family, one, other, without in zip(
            both, families, *sides, stats.leave_one_out(a, b), strict=True
        )
    )  # fmt: skip
    notes = [*x.notes, *y.notes]
    printed = _printed(y.name) if from_papers and "Fig. 3" in x.name else None
    if printed is not None:
        agrees = "reproduced" if abs(r.value - printed) < 0.01 else "not reproduced"
        text = f"{agrees} from the tables and the positions (r = {r.value:.3f})"
        notes.append(f"r = {printed:.3f} in print: {text}")
    return Correlation(
        suite=y.name,
        metric=y.metric,
        vqa=x.name,
        n=len(both),
        pearson=r.value,
        low=low,
        high=high,
        p=r.p,
        p_holm=r.p,
        spearman=rho.value,
        spearman_low=float(rho_limits[0]),
        spearman_high=float(rho_limits[1]),
        spearman_p=rho.p,
        bootstrap_low=resampled.low,
        bootstrap_high=resampled.high,
        **vars(stats.least_squares(a, b)),
        noise_sd=noise.sd if noise else None,
        sign_kept=noise.sign_kept if noise else None,
        corrected=disattenuated(a, b, x_error, y_error) if noise else None,
        detectable=detectable_correlation(len(both)) if len(both) > FEWEST else None,
        printed=printed,
        points=tuple(points),
        families=stats.family_influence(a, b, families),
        lacking_x=lacking_x,
        lacking_y=lacking_y,
        notes=tuple(notes),
    )


def screen(
    suites: Sequence[str] = (),
    published: bool = False,
    store: Store | None = None,
    backbones: Mapping[str, str] | None = None,
) -> list[tuple[Correlation, float]]:
    """Every benchmark against every suite, p adjusted for all of them, the smallest p first.

    Exploration: among dozens of correlations over a handful of backbones some look strong by
    chance. The adjusted p (Benjamini & Hochberg 1995) bounds the expected share of false ones among
    those below a level; for a claim, name one benchmark beforehand (`correlate`, Holm).

    Positions read off a figure are left out: they are no benchmark. Arguments and errors are those
    of `correlations`; BadInput is also raised where no pair has enough backbones.
    """
    rows = [row for row in score_rows(store) if row.backbone]
    ys = suite_axes(suites, published, store, backbones or {})
    found: list[Correlation] = []
    for name in dict.fromkeys(row.benchmark for row in rows if row.unit != "position"):
        if len({row.backbone for row in rows if row.benchmark == name}) >= FEWEST_SCREENED:
            x = vqa_axis(name, rows, shipped_first=published)
            for y in ys:
                with suppress(NoCorrelation):
                    found.append(correlation(x, y, published))
    enough = [one for one in found if one.n >= FEWEST_SCREENED]
    if not enough:
        raise BadInput(
            f"No benchmark and suite have {FEWEST_SCREENED} backbones in common.",
            "`bench vqa list` shows who has which score.",
        )
    adjusted = map(float, benjamini_hochberg([one.p for one in enough]))
    return sorted(zip(enough, adjusted, strict=True), key=lambda pair: pair[0].p)


def _printed(suite: str) -> float | None:
    """The coefficient that VLM4VLA prints."""
    rows = (row for row in published() if row.table == "App. A.4" and row.metric == "pearson")
    return next((row.value for row in rows if row.suite == suite), None)
