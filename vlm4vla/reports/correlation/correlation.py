"""Fig. 3 of VLM4VLA from data: does a better vision-language model make a better policy?

In numbers, in words and as a table: for the terminal and for the page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from vlm4vla.core.errors import BadInput
from vlm4vla.reports.correlation.capability import Axis, suite_axes, vqa_axis
from vlm4vla.reports.correlation.vqa import score_rows
from vlm4vla.reports.marks import legend, signs
from vlm4vla.reports.tables.numbers import MEAN, TENTHS, interval_text
from vlm4vla.reports.tables.table import Exhibit, ResultTable, columns, words
from vlm4vla.stats import correlation as stats
from vlm4vla.stats.intervals import Z95
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


def sentences(one: Correlation) -> list[str]:
    """Coefficients, fit, influence and power; what must be known besides begins with `!`."""
    adjusted = f" (Holm {one.p_holm:.3g})" if one.p_holm != one.p else ""
    exact = "exact" if one.n <= 10 else "permutation"
    lines = [
        f"Pearson r = {one.pearson:.3f}, 95 % {interval_text(one.low, one.high)} (Fisher), "
        f"{interval_text(one.bootstrap_low, one.bootstrap_high)} (backbones resampled), "
        f"{exact} p = {one.p:.3g}{adjusted}, n = {one.n} backbones",
        f"Spearman rho = {one.spearman:.3f}, 95 % "
        f"{interval_text(one.spearman_low, one.spearman_high)}, {exact} p = {one.spearman_p:.3g}",
        f"Fit y = {one.intercept:.4g} + {one.slope:.4g} x, R2 = {one.r_squared:.3f}; "
        f"r without one backbone: {min(p.without for p in one.points):.2f} to "
        f"{max(p.without for p in one.points):.2f}",
    ]
    for family in one.families:
        parts = []
        if family.without is not None and family.members > 1:
            parts.append(f"without it r = {family.without:.2f}")
        if family.within is not None and family.within_p is not None:
            parts.append(f"inside it r = {family.within:.2f} (p = {family.within_p:.2g})")
        if parts:
            lines.append(f"{family.family} ({family.members} backbones): {', '.join(parts)}")
    if one.noise_sd is not None:
        corrected = "" if one.corrected is None else f"; without that noise r = {one.corrected:.2f}"
        lines.append(f"Finite episodes alone move r by {one.noise_sd:.2f} (sd){corrected}")
    if one.detectable is not None:
        lines.append(
            f"{one.n} backbones show an |r| of {one.detectable:.2f} in 4 of 5 studies (power 80 %)"
        )
    lines += [f"! {note}" for note in one.notes]
    lines += [f"! {text}" for text in legend({mark for p in one.points for mark in p.marks})]
    if one.lacking_x:
        lines.append(f"! no score on {one.vqa}: {', '.join(one.lacking_x)}")
    if one.lacking_y:
        lines.append(f"! no {one.suite} result: {', '.join(one.lacking_y)}")
    return lines


def points_table(one: Correlation) -> ResultTable:
    """The backbones of the scatter, `a` its first."""
    rate = all(0 <= point.y <= 1 for point in one.points)
    unit = TENTHS if rate else MEAN
    body = []
    for index, point in enumerate(one.points):
        y = unit.text(point.y)
        if point.y_error is not None:
            y += f" ± {unit.text(Z95 * point.y_error)}"
        body.append(
            words(
                chr(ord("a") + index % 26), point.label, point.family, f"{point.x:.5g}", y,
                point.n, f"{point.without:.2f}",
            )
        )  # fmt: skip
    numeric = ("x", "y", "n", "r without")
    return ResultTable(
        "", columns("", "backbone", "family", *numeric, numeric=numeric), tuple(body)
    )


_OF_A_PAIR = ("suite", "vqa", "n", "pearson", "low", "high", "spearman", "p")


def screening_exhibit(
    store: Store | None, suites: Sequence[str], published: bool, named: Mapping[str, str]
) -> Exhibit:
    """As `screen`, as a table; a program is told of every pair what is in `_OF_A_PAIR`."""
    found = screen(suites, published, store, named)
    numeric = ("n", "r", "95 %", "rho", "p", "p (BH)")
    heads = columns("benchmark", "suite", *numeric, numeric=numeric, fold=True)
    body = tuple(
        words(
            one.vqa, one.suite, one.n, f"{one.pearson:.2f}", interval_text(one.low, one.high),
            f"{one.spearman:.2f}", f"{one.p:.3f}", f"{p_bh:.3f}",
        )
        for one, p_bh in found
    )  # fmt: skip
    records = [
        {name: getattr(one, name) for name in _OF_A_PAIR}
        | {"p_bh": p_bh, "lacking_x": one.lacking_x}
        for one, p_bh in found
    ]
    remark = (
        f"{len(found)} pairs with {FEWEST_SCREENED} backbones or more, p adjusted for all of them "
        "(Benjamini-Hochberg): a look around, not a claim."
    )
    return Exhibit((ResultTable("", heads, body),), records, remarks=(remark,))
