"""What a correlation says, in words and as a table: for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vlm4vla.reports.correlation.correlation import FEWEST_SCREENED, Correlation, screen
from vlm4vla.reports.marks import legend
from vlm4vla.reports.tables.numbers import MEAN, TENTHS, interval_text
from vlm4vla.reports.tables.table import Exhibit, ResultTable, columns, words
from vlm4vla.stats.intervals import Z95
from vlm4vla.store import Store


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
