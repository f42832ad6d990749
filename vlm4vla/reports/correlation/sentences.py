"""What a correlation says, in words: for the terminal and for the page."""

from __future__ import annotations

from vlm4vla.reports.correlation.correlation import Correlation
from vlm4vla.reports.marks import legend


def sentences(one: Correlation) -> list[str]:
    """Coefficients, fit, influence and power; what must be known besides begins with `!`."""
    adjusted = f" (Holm {one.p_holm:.3g})" if one.p_holm != one.p else ""
    exact = "exact" if one.n <= 10 else "permutation"
    lines = [
        f"Pearson r = {one.pearson:.3f}, 95 % {span(one.low, one.high)} (Fisher), "
        f"{span(one.bootstrap_low, one.bootstrap_high)} (backbones resampled), "
        f"{exact} p = {one.p:.3g}{adjusted}, n = {one.n} backbones",
        f"Spearman rho = {one.spearman:.3f}, 95 % "
        f"{span(one.spearman_low, one.spearman_high)}, {exact} p = {one.spearman_p:.3g}",
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


def span(low: float, high: float) -> str:
    """Limits in brackets."""
    return f"[{low:.2f}, {high:.2f}]"
