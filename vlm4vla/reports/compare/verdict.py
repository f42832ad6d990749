"""What a comparison says, in plain English."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from vlm4vla.reports.compare.contrast import Contrast
from vlm4vla.reports.tables.numbers import amount, p_text

CHECKPOINTS = "One checkpoint each: a comparison of checkpoints, not of methods."
"""Without several training seeds a method's luck in training cannot be told from its merit."""

Winner = Literal["first", "second", "equivalent", "none"]


@dataclass(frozen=True)
class Verdict:
    """Who is better, and the sentences that say so."""

    winner: Winner
    text: str


def verdict(
    found: Contrast,
    first: str,
    second: str,
    alpha: float,
    margin: float | None = None,
    of_checkpoints: bool = False,
) -> Verdict:
    """Put the headline into words.

    Args:
        found: the headline's contrast.
        first: what to call the first run.
        second: what to call the second run.
        alpha: two-sided level.
        margin: greatest difference that is still called none, if equivalence was asked for.
        of_checkpoints: whether both are learned policies, of one checkpoint each.
    """
    if found.difference is None:
        return Verdict("none", f"No episode counts in both runs, so {found.metric} says nothing.")
    judged = _judged(found, first, second, alpha, margin)
    return replace(judged, text=f"{judged.text} {CHECKPOINTS}") if of_checkpoints else judged


def _judged(
    found: Contrast, first: str, second: str, alpha: float, margin: float | None
) -> Verdict:
    if found.decided or (found.decided is None and _below(found.p, alpha) and found.difference):
        return _separable(found, first, second)
    if margin is not None and found.p_equivalent is not None and found.p_equivalent < alpha:
        return Verdict(
            "equivalent",
            f"{first} and {second} are equivalent in {found.metric} within "
            f"{amount(margin, found.kind)} (TOST, {p_text(found.p_equivalent)}).",
        )
    return Verdict("none", _not_separable(found, margin))


def _separable(found: Contrast, first: str, second: str) -> Verdict:
    assert found.difference is not None
    better, worse = (first, second) if found.difference > 0 else (second, first)
    by = f"by {amount(abs(found.difference), found.kind)}"
    if found.decided:
        found_by = f"decided after {found.n} pairs by {found.test}"
        return Verdict(
            "first" if found.difference > 0 else "second",
            f"{better} is better than {worse} in {found.metric}, {by} so far: {found_by}.",
        )
    assert found.p is not None
    text = (
        f"{better} is better than {worse} in {found.metric}, "
        f"{by} on {_episodes(found)} ({p_text(found.p)})."
    )
    if found.bound_low is not None and found.bound_high is not None:
        if found.bound_low <= 0 <= found.bound_high:
            text += " The episodes that ended in an error could turn this round."
    return Verdict("first" if found.difference > 0 else "second", text)


def _not_separable(found: Contrast, margin: float | None) -> str:
    text = f"Not separable with {_episodes(found)}"
    if found.decided is not None:
        return f"{text}: no decision by {found.test}."
    if found.more:
        text += (
            f"; about {_rounded(found.more)} more would do, if the difference is truly "
            f"{amount(abs(found.difference or 0), found.kind)}."
        )
    elif found.difference == 0:
        text += ", on which both score the same."
    else:
        text += "."
    if found.detectable is not None:
        text += f" So many can show a difference of {amount(found.detectable, found.kind)} or more."
    else:
        text += " So few cannot show any difference."
    if margin is not None:
        text += f" Nor can they be called equivalent within {amount(margin, found.kind)}."
    return text


def _below(p: float | None, alpha: float) -> bool:
    return p is not None and p <= alpha


def _episodes(found: Contrast) -> str:
    noun = "episode" if found.n == 1 else "episodes"
    return f"{found.n} {noun}" + ("" if found.paired else " of each")


def _rounded(number: int) -> str:
    """Two digits: nobody knows more about a sample not yet drawn."""
    if number < 100:
        return str(number)
    power = 10 ** (len(str(number)) - 2)
    return f"{-(-number // power) * power:,}"
