"""How many episodes a question needs, before any are run; and what so many can answer."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from vlm4vla.core.errors import BadInput, OutOfRange
from vlm4vla.reports.scores import headline
from vlm4vla.stats import power
from vlm4vla.stats.intervals import Z95, wilson
from vlm4vla.stats.needs import Need, Wish, needs
from vlm4vla.suites.suite import Suite, load

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
        kind = "mean" if self.mean else "rate" if suite is None else headline(suite.metrics).kind
        scale = 1.0 if kind == "mean" else 0.01
        precision, difference = (
            None if one is None else scale * one for one in (self.precision, self.difference)
        )
        discordant = None if self.discordant is None else self.discordant / 100
        wish = Wish(
            kind, self.rate / 100, precision, difference, discordant, self.sd, self.correlation,
            self.alpha, self.power,
        )  # fmt: skip
        self._check(wish)
        return wish, list(needs(wish)), None if suite is None else reach(suite, wish)

    def _check(self, wish: Wish) -> None:
        for flag, value, low, high, ends in (
            ("--rate", self.rate, 0, 100, True),
            ("--discordant", self.discordant or 0.0, 0, 100, True),
            ("--correlation", self.correlation, -1, 1, True),
            ("--alpha", self.alpha, 0, 1, False),
            ("--power", self.power, 0, 1, False),
        ):
            if not (low <= value <= high if ends else low < value < high):
                raise OutOfRange(f"{flag} {value:g} must lie between {low} and {high}.")
        rate = wish.kind == "rate"
        most, limits = (100.0, "above 0 and below 100 points") if rate else (inf, "above 0")
        for flag, number in (("--precision", self.precision), ("--difference", self.difference)):
            if number is not None and not 0 < number < most:
                raise OutOfRange(f"{flag} {number:g} must be {limits}.")
        if not self.sd > 0:
            raise OutOfRange(f"--sd {self.sd:g} must be positive.")
        for difference in wish.goals[1] if rate else ():
            points = f"{100 * difference:g}"
            if not 0 <= wish.other(difference) <= 1:
                raise OutOfRange(
                    f"No rate lies {points} points from {self.rate:g} %.",
                    "Ask for a smaller --difference.",
                )
            if wish.discordant is not None and wish.discordant < difference:
                raise BadInput(
                    f"Rates {points} points apart differ in at least as many episodes, "
                    f"not in {self.discordant:g} %.",
                    f"Set --discordant to {points} or more.",
                )


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
    return Reach(suite.name, headline(suite.metrics).name, n, half, unpaired, paired, note)
