"""How many episodes a wish needs, on the same episodes or on others, before any are run.

Rates and their differences are fractions of 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from vlm4vla.stats import power

LADDERS: Mapping[str, tuple[Sequence[float], Sequence[float]]] = {
    "rate": ((0.10, 0.05, 0.02), (0.20, 0.10, 0.05, 0.02)),
    "mean": ((0.2, 0.1, 0.05), (0.50, 0.20, 0.10)),
}
"""Precisions and differences asked for if none is."""


@dataclass(frozen=True)
class Wish:
    """What is to be known, and what is expected."""

    kind: str
    """`rate` or `mean`."""
    rate: float
    precision: float | None
    """Half-width of an interval."""
    difference: float | None
    discordant: float | None
    """Share of the episodes in which two policies differ."""
    sd: float
    """Of a mean: its standard deviation."""
    correlation: float
    """Of a mean: that of two policies on one episode."""
    alpha: float
    power: float

    @property
    def goals(self) -> tuple[Sequence[float], Sequence[float]]:
        """Precisions and differences: those wished for, or a ladder of either."""
        if self.precision is None and self.difference is None:
            return LADDERS[self.kind]
        wished = self.precision, self.difference
        precisions, differences = (() if one is None else (one,) for one in wished)
        return precisions, differences

    @property
    def printed(self) -> tuple[float, str]:
        """What a difference is printed with: its factor and its unit."""
        return (1.0, "") if self.kind == "mean" else (100.0, " points")

    @property
    def pair_sd(self) -> float:
        """Standard deviation of the difference on one episode."""
        return float(self.sd * (2 * (1 - self.correlation)) ** 0.5)

    def other(self, difference: float) -> float:
        """The second rate: towards 50 %, where more episodes are needed."""
        return self.rate + (difference if self.rate <= 0.5 else -difference)

    def shares(self, difference: float) -> list[float]:
        """In how many episodes the policies differ: as wished, or as unrelated ones, or half.

        Policies tend to fail on the same hard episodes, so unrelated is about the most.
        """
        if self.discordant is not None:
            return [self.discordant]
        other = self.other(difference)
        unrelated = max(difference, self.rate * (1 - other) + other * (1 - self.rate))
        return list(dict.fromkeys([unrelated, max(difference, unrelated / 2)]))


@dataclass(frozen=True)
class Need:
    """One answer."""

    goal: str
    design: str
    episodes: int | None
    """Of each policy; None where more than anyone would run."""
    note: str = ""


def needs(wish: Wish) -> Iterator[Need]:
    """Episodes for each goal of the wish."""
    precisions, differences = wish.goals
    scale, unit = wish.printed
    mean = wish.kind == "mean"
    of_one = power.episodes_for_mean if mean else power.episodes_for_precision
    for half in precisions:
        n = _number(of_one, wish.sd if mean else wish.rate, half, 1 - wish.alpha)
        yield Need(f"interval of ±{scale * half:g}{unit}", "one policy", n)
    for difference in differences:
        for design, n, note in _designs(wish, difference):
            yield Need(f"difference of {scale * difference:g}{unit}", design, n, note)


def _designs(wish: Wish, difference: float) -> Iterator[tuple[str, int | None, str]]:
    """On which episodes, how many of them find the difference, and what that supposes."""
    levels, of_mean = (wish.alpha, wish.power), power.episodes_paired_mean
    if wish.kind == "mean":
        yield "other episodes", _number(of_mean, difference, wish.sd * 2**0.5, *levels), ""
        note = f"at a correlation of {wish.correlation:g}"
        yield "same episodes", _number(of_mean, difference, wish.pair_sd, *levels), note
        return
    rates = wish.rate, wish.other(difference)
    yield "other episodes", _number(power.episodes_unpaired, *rates, *levels), ""
    for share in wish.shares(difference):
        note = f"if they differ in {100 * share:.0f} % of the episodes"
        yield "same episodes", _number(power.episodes_paired, difference, share, *levels), note


def _number(count: Callable[..., int], *of: float) -> int | None:
    try:
        return count(*of)
    except ValueError:  # more than `power.MOST`: the wish itself has been checked
        return None
