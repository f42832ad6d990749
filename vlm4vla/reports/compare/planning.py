"""How many episodes a question needs, before any are run; and what so many can answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from math import inf
from typing import TYPE_CHECKING

from vlm4vla.core.errors import BadInput, OutOfRange, UnknownName
from vlm4vla.core.result import Metric
from vlm4vla.stats import power
from vlm4vla.stats.intervals import Z95, wilson
from vlm4vla.suites.suite import Suite, load

if TYPE_CHECKING:
    import pandas as pd

LADDERS: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "rate": ((0.10, 0.05, 0.02), (0.20, 0.10, 0.05, 0.02)),
    "mean": ((0.2, 0.1, 0.05), (0.50, 0.20, 0.10)),
}
"""Precisions and differences asked for if none is: of rates, fractions of 1."""
SD = 1.6
"""Of CALVIN's chain length, as published tables have it (1.55 to 1.89)."""


@dataclass(frozen=True)
class PowerQuestion:
    """A question as it is asked: rates in per cent, their differences in points."""

    suite: str | None = None
    """Say what its episodes can show, too."""
    precision: float | None = None
    """Half-width wanted: points, or units of a mean."""
    difference: float | None = None
    """Difference to be found: points, or units of a mean."""
    rate: float = 50.0
    """Success rate expected, %."""
    discordant: float | None = None
    """Episodes in which the policies differ, % [unrelated, and half that]."""
    mean: bool = False
    """The metric is a mean, e.g. CALVIN's length."""
    sd: float = SD
    """Of a mean: its standard deviation."""
    correlation: float = 0.5
    """Of a mean: that of two policies on one episode."""
    alpha: float = power.ALPHA
    """Two-sided level."""
    power: float = power.POWER
    """Chance to find the difference."""
    protocol: str | None = None
    """A named reading of the suite, e.g. paper."""

    def answer(self) -> tuple[Wish, list[Need], Reach | None]:
        """The question in fractions, what it needs, and what the suite's own episodes can show.

        Raises BadInput in one of its forms.
        """
        suite = None if self.suite is None else load(self.suite, self.protocol)
        kind = "mean" if self.mean else "rate" if suite is None else _headline(suite).kind
        scale = 1.0 if kind == "mean" else 0.01
        wish = Wish(
            kind=kind,
            rate=self.rate / 100,
            precision=None if self.precision is None else scale * self.precision,
            difference=None if self.difference is None else scale * self.difference,
            discordant=None if self.discordant is None else self.discordant / 100,
            sd=self.sd,
            correlation=self.correlation,
            alpha=self.alpha,
            power=self.power,
        )
        wish.check()
        return wish, needs(wish), None if suite is None else reach(suite, wish)


@dataclass(frozen=True)
class Wish:
    """The same as it is computed: rates and differences of rates are fractions of 1."""

    kind: str
    rate: float
    precision: float | None
    difference: float | None
    discordant: float | None
    sd: float
    correlation: float
    alpha: float
    power: float

    @property
    def printed(self) -> tuple[float, str]:
        """What a difference is printed with: its factor and its unit."""
        return (1.0, "") if self.kind == "mean" else (100.0, " points")

    def check(self) -> None:
        """Raise OutOfRange for a number that cannot be."""
        for flag, value, low, high, ends in (
            ("--rate", 100 * self.rate, 0, 100, True),
            ("--discordant", 100 * (self.discordant or 0.0), 0, 100, True),
            ("--correlation", self.correlation, -1, 1, True),
            ("--alpha", self.alpha, 0, 1, False),
            ("--power", self.power, 0, 1, False),
        ):
            if not (low <= value <= high if ends else low < value < high):
                raise OutOfRange(f"{flag} {value:g} must lie between {low} and {high}.")
        scale, unit = self.printed
        most, limits = (100.0, "above 0 and below 100 points") if unit else (inf, "above 0")
        for flag, number in (("--precision", self.precision), ("--difference", self.difference)):
            if number is not None and not 0 < scale * number < most:
                raise OutOfRange(f"{flag} {scale * number:g} must be {limits}.")
        if not self.sd > 0:
            raise OutOfRange(f"--sd {self.sd:g} must be positive.")

    def other(self, difference: float) -> float:
        """The second rate: towards 50 %, where more episodes are needed."""
        other = self.rate + (difference if self.rate <= 0.5 else -difference)
        if not 0 <= other <= 1:
            raise OutOfRange(
                f"No rate lies {100 * difference:g} points from {100 * self.rate:g} %.",
                "Ask for a smaller --difference.",
            )
        return other

    def shares(self, difference: float) -> list[float]:
        """In how many episodes the policies differ: as asked for, or as unrelated ones, or half.

        Policies tend to fail on the same hard episodes, so unrelated is about the most.
        """
        if self.discordant is not None:
            if self.discordant < difference:
                raise BadInput(
                    f"Rates {100 * difference:g} points apart differ in at least as many "
                    f"episodes, not in {100 * self.discordant:g} %.",
                    f"Set --discordant to {100 * difference:g} or more.",
                )
            return [self.discordant]
        other = self.other(difference)
        unrelated = max(difference, self.rate * (1 - other) + other * (1 - self.rate))
        return list(dict.fromkeys([unrelated, max(difference, unrelated / 2)]))

    @property
    def pair_sd(self) -> float:
        """Standard deviation of the difference on one episode."""
        return float(self.sd * (2 * (1 - self.correlation)) ** 0.5)


@dataclass(frozen=True)
class Need:
    """One answer."""

    goal: str
    design: str
    episodes: int | None
    """Of each policy; None where more than anyone would run."""
    note: str = ""


@dataclass(frozen=True)
class Reach:
    """What the episodes of a suite can answer."""

    suite: str
    metric: str
    episodes: int
    half_width: float
    unpaired: float | None
    paired: float | None
    """Least differences found, on other episodes and on the same ones."""
    note: str
    """What `paired` supposes."""


def plan(suite: str | None = None, **question: float | bool | str | None) -> pd.DataFrame:
    """How many episodes a precision or a difference needs, before any are run.

    Args:
        suite: whose headline decides between a rate and a mean.
        question: any other field of `PowerQuestion` (precision, difference, rate, mean, ...), in
            per cent and points as in `bench plan`.

    Returns:
        One row per goal and design: goal, design, episodes of each policy, note.

    Raises:
        BadInput: in one of its forms.
    """
    import pandas as pd

    known = {one.name for one in fields(PowerQuestion)} - {"suite"}
    for name in question:
        if name not in known:
            raise UnknownName("part of a question", name, known)
    _, answers, _ = PowerQuestion(suite, **question).answer()  # type: ignore[arg-type]
    return pd.DataFrame([asdict(need) for need in answers])


def needs(wish: Wish) -> list[Need]:
    """Episodes for each goal of the wish, or for a ladder of goals if it names none."""
    precisions, differences = LADDERS[wish.kind]
    if wish.precision is not None or wish.difference is not None:
        precisions = () if wish.precision is None else (wish.precision,)
        differences = () if wish.difference is None else (wish.difference,)
    scale, unit = wish.printed
    found = []
    for half in precisions:
        level = 1 - wish.alpha
        if wish.kind == "mean":
            n = _number(power.episodes_for_mean, wish.sd, half, level)
        else:
            n = _number(power.episodes_for_precision, wish.rate, half, level)
        found.append(Need(f"interval of ±{scale * half:g}{unit}", "one policy", n))
    for difference in differences:
        goal = f"difference of {scale * difference:g}{unit}"
        found += [Need(goal, *design) for design in _designs(wish, difference)]
    return found


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


def reach(suite: Suite, wish: Wish) -> Reach:
    """What the suite's own episodes can show of its headline."""
    n, levels = len(suite.episodes), (wish.alpha, wish.power)
    unpaired: float | None
    paired: float | None
    if wish.kind == "mean":
        half = Z95 * wish.sd / n**0.5
        unpaired = power.detectable_mean(n, wish.sd * 2**0.5, *levels)
        paired = power.detectable_mean(n, wish.pair_sd, *levels)
        note = f"at a correlation of {wish.correlation:g}"
    else:
        low, high = wilson(wish.rate * n, n, 1 - wish.alpha)
        half, share = float(high - low) / 2, wish.shares(0.0)[-1]
        unpaired = power.detectable_unpaired(n, wish.rate, *levels)
        paired = power.detectable_difference(n, share, *levels)
        note = f"if they differ in {100 * share:.0f} % of them"
    return Reach(suite.name, _headline(suite).name, n, half, unpaired, paired, note)


def _headline(suite: Suite) -> Metric:
    return next((metric for metric in suite.metrics if metric.headline), suite.metrics[0])
