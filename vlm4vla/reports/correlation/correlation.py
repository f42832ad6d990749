"""Fig. 3 of VLM4VLA from data: does a better vision-language model make a better policy?

In numbers, in words and as a table: for the terminal and for the page.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from vlm4vla.core.errors import BadInput
from vlm4vla.reports.correlation.capability import Axis, suite_axes, vqa_axis
from vlm4vla.reports.correlation.vqa import ScoreRow, score_rows
from vlm4vla.reports.marks import legend, signs
from vlm4vla.reports.tables.numbers import MEAN, TENTHS, interval_text
from vlm4vla.reports.tables.table import ResultTable, columns, words
from vlm4vla.stats import correlation as stats
from vlm4vla.stats.intervals import Z95, Floats
from vlm4vla.stats.measurement_error import disattenuated, noise_spread
from vlm4vla.stats.multiplicity import holm
from vlm4vla.stats.power import detectable_correlation
from vlm4vla.store import Store
from vlm4vla.store.published import family_of, published

SEED = 0
"""The same data always print the same numbers."""

FEWEST = 3
FEWEST_RANKED = 9
"""Below, the interval of Spearman's rho covers 46 to 98 % in place of 95 (normal data, rho to .95);
from here on 93 % or more."""


FEWEST_RESAMPLED = 5
"""Of four, the BCa interval covers 79 % at r = .8 (400 normal samples); of five 93 %."""


class NoCorrelation(BadInput):
    """A benchmark and a suite share too few backbones, or ones that are alike in either."""


@dataclass(frozen=True)
class Point:
    """One policy in the scatter."""

    name: str
    """Its backbone, or the policy where several points share one."""
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
        """The name with the signs of its policy's marks."""
        return self.name + signs(self.marks)


@dataclass(frozen=True)
class Correlation:
    """One suite against one benchmark, over backbones."""

    suite: str
    metric: str
    vqa: str
    n: int
    """Points: backbones, or checkpoints of them, which are then not independent."""
    pearson: float
    low: float
    high: float
    """Fisher's 95 % interval of Pearson's r; NaN where all points lie on a line."""
    p: float
    """Exact permutation test of Pearson's r, two-sided."""
    p_holm: float
    """The same, adjusted for all suites and benchmarks that were asked for together (Holm)."""
    spearman: float
    spearman_low: float
    """NaN below `FEWEST_RANKED` points, and where all are in one order."""
    spearman_high: float
    spearman_p: float
    bootstrap_low: float
    bootstrap_high: float
    """BCa interval of Pearson's r over resampled points; NaN below `FEWEST_RESAMPLED`."""
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
    x_rate: bool
    """Whether x (and y) are fractions of 1, shown in percent."""
    y_rate: bool

    @property
    def scale(self) -> tuple[float, float]:
        """What x and y are shown times."""
        return 100.0 if self.x_rate else 1.0, 100.0 if self.y_rate else 1.0

    @property
    def signs(self) -> tuple[str, str]:
        """The units behind the names of both axes."""
        return ", %" if self.x_rate else "", ", %" if self.y_rate else ""


def correlations(
    vqa: Sequence[str],
    suites: Sequence[str] = (),
    published: bool = False,
    store: Store | None = None,
    backbones: Mapping[str, str] | None = None,
    scores: Sequence[ScoreRow] | None = None,
) -> list[Correlation]:
    """Each benchmark against each suite (all in the store by default), over their backbones.

    If `published`, against the policies' scores in VLM4VLA's tables, which need no store.
    `backbones` says whose is which, where a policy's name does not tell. `scores` stand in place of
    what the store and the package hold, with all their benchmarks by default.

    Raises:
        UnknownName: no such benchmark or suite.
        BadInput: fewer than 3 backbones have both scores.
    """
    vqa = vqa or list(dict.fromkeys(row.benchmark for row in scores or ()))
    scores = score_rows(store) if scores is None else scores
    xs = [vqa_axis(name, scores, shipped_first=published) for name in vqa]
    ys = suite_axes(suites, published, store, backbones or {})
    found = [correlation(x, y, published) for x in xs for y in ys]
    adjusted = holm([one.p for one in found])
    return [replace(one, p_holm=float(p)) for one, p in zip(found, adjusted, strict=True)]


def correlation(x: Axis, y: Axis, from_papers: bool) -> Correlation:
    """One benchmark against one suite, p not adjusted. Raises NoCorrelation."""
    paired = x.paired(y)
    both = sorted(paired, key=lambda name: paired[name][1].value)
    used = {name for name, _, _ in paired.values()}
    lacking_x = tuple(name for name in y.values if name not in paired)
    lacking_y = tuple(name for name in x.values if name not in used)
    notes = [*x.notes, *y.notes]
    notes += [f"{name} has no backbone: --backbone {name}=NAME gives it one"
              for name in lacking_x if not y.values[name].backbone]  # fmt: skip
    if len(both) < FEWEST:
        raise NoCorrelation(
            f"{len(both)} backbones have both '{x.name}' and {y.name}; {FEWEST} are needed. "
            f"Without '{x.name}': {', '.join(lacking_x) or 'none'}. "
            f"Without {y.name}: {', '.join(lacking_y) or 'none'}."
            + "".join(f" {note}." for note in notes if "no backbone" in note or "left out" in note),
            "`bench vqa import FILE` adds scores, `bench run` adds policies.",
        )
    pairs = [paired[name][1:] for name in both]
    sides = [[one for one, _ in pairs], [one for _, one in pairs]]
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
    low, high = _limits(r.value, len(both), stats.Kind.PEARSON)
    rho_low, rho_high = _limits(rho.value, len(both), stats.Kind.SPEARMAN)
    resampled = stats.bootstrap_interval(a, b, generator)
    spread = resampled.low < resampled.high and len(both) >= FEWEST_RESAMPLED
    measured = all(one.standard_error is not None for one in sides[1])
    noise = noise_spread(a, b, x_error, y_error, generator) if measured else None
    backbones = [two.backbone or one.backbone or name
                 for name, one, two in zip(both, *sides, strict=True)]  # fmt: skip
    families = [family_of(backbone) for backbone in backbones]
    points = (
        Point(
            name, backbone, family, one.value, other.value, other.standard_error, other.n,
            float(without),
            marks=tuple(dict.fromkeys((*one.marks, *other.marks))),
        )
        for name, backbone, family, one, other, without in zip(
            both, backbones, families, *sides, stats.leave_one_out(a, b), strict=True
        )
    )  # fmt: skip
    notes += _clusters(backbones, a, b, generator)
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
        spearman_low=rho_low,
        spearman_high=rho_high,
        spearman_p=rho.p,
        bootstrap_low=resampled.low if spread else math.nan,
        bootstrap_high=resampled.high if spread else math.nan,
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
        x_rate=x.rate,
        y_rate=y.rate,
    )


def _limits(value: float, n: int, kind: stats.Kind) -> tuple[float, float]:
    """The 95 % limits, or NaN where no interval keeps what it promises."""
    few = kind is stats.Kind.SPEARMAN and n < FEWEST_RANKED
    if few or abs(value) > 1 - 1e-9:
        return math.nan, math.nan
    low, high = stats.fisher_interval(value, n, kind=kind)
    return float(low), float(high)


def _clusters(
    backbones: Sequence[str], a: Floats, b: Floats, generator: np.random.Generator
) -> list[str]:
    """What must be said where several points share a backbone: they are not independent."""
    names = list(dict.fromkeys(backbones))
    if len(names) == len(backbones):
        return []
    said = f"{len(backbones)} points of {len(names)} backbones are not independent, p is too small"
    of = np.array([names.index(backbone) for backbone in backbones])
    means = [np.bincount(of, values) / np.bincount(of) for values in (a, b)]
    if len(names) < FEWEST or min(map(np.ptp, means)) == 0:
        return [said]
    found = stats.permutation_test(means[0], means[1], generator=generator)
    return [f"{said}: of the backbones' means r = {found.value:.3f}, p = {found.p:.3g}"]


def _printed(suite: str) -> float | None:
    """The coefficient that VLM4VLA prints."""
    rows = (row for row in published() if row.table == "App. A.4" and row.metric == "pearson")
    return next((row.value for row in rows if row.suite == suite), None)


def sentences(one: Correlation) -> list[str]:
    """Coefficients, fit, influence and power; what must be known besides begins with `!`."""
    adjusted = f" (Holm {one.p_holm:.3g})" if one.p_holm != one.p else ""
    exact = "exact" if one.n <= 10 else "permutation"
    (of_x, of_y), shown = (
        one.scale,
        "".join(f", {axis} in %" for axis, sign in zip("xy", one.signs, strict=True) if sign),
    )
    others = [point.without for point in one.points if one.n > FEWEST]  # two are always on a line
    influence = (
        f"; r without one backbone: {np.nanmin(others):.2f} to {np.nanmax(others):.2f}"
        if np.isfinite(others).any()
        else ""
    )
    few = f"no interval below {FEWEST_RANKED} points (its coverage fails)"
    lost = "all on a line" if one.n >= FEWEST_RESAMPLED else "too few"
    lines = [
        f"Pearson r = {one.pearson:.3f}, {_interval(one.low, one.high, 'all on a line')} (Fisher), "
        f"{_interval(one.bootstrap_low, one.bootstrap_high, lost)} "
        "(points resampled), "
        f"{exact} p = {one.p:.3g}{adjusted}, n = {one.n}",
        f"Spearman rho = {one.spearman:.3f}, "
        f"{few if one.n < FEWEST_RANKED else _interval(one.spearman_low, one.spearman_high)}, "
        f"{exact} p = {one.spearman_p:.3g}",
        f"Fit y = {of_y * one.intercept:.4g} + {of_y / of_x * one.slope:.4g} x{shown}, "
        f"R2 = {one.r_squared:.3f}{influence}",
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


def _interval(low: float, high: float, why: str = "all in one order") -> str:
    return f"no interval ({why})" if math.isnan(low) else f"95 % {interval_text(low, high)}"


def points_table(one: Correlation) -> ResultTable:
    """The points of the scatter, `a` its first."""
    unit = TENTHS if one.y_rate else MEAN
    body = []
    for index, point in enumerate(one.points):
        y = unit.text(point.y)
        if point.y_error is not None:
            y += f" ± {unit.text(Z95 * point.y_error)}"
        body.append(
            words(
                chr(ord("a") + index % 26), point.label, point.family,
                f"{one.scale[0] * point.x:.5g}", y, point.n, f"{point.without:.2f}",
            )
        )  # fmt: skip
    x, y = (name + sign for name, sign in zip("xy", one.signs, strict=True))
    numeric = (x, y, "n", "r without")
    return ResultTable(
        "", columns("", "backbone", "family", *numeric, numeric=numeric), tuple(body)
    )
