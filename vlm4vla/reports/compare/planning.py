"""How many episodes a question needs, before any are run; and what so many can answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

from vlm4vla.core.errors import BadInput, OutOfRange, UnknownName
from vlm4vla.core.result import Metric
from vlm4vla.stats import power
from vlm4vla.stats.intervals import Z95, wilson
from vlm4vla.suites.suite import Suite, load

if TYPE_CHECKING:
    import pandas as pd

PRECISIONS = (0.10, 0.05, 0.02)
DIFFERENCES = (0.20, 0.10, 0.05, 0.02)
"""What is asked for if nothing is: fractions of 1."""
MEAN_DIFFERENCES = (0.50, 0.20, 0.10)
SD = 1.6
"""Of CALVIN's chain length, as published tables have it (1.55 to 1.89)."""


@dataclass(frozen=True)
class Wish:
    """A question. Rates and differences of rates are fractions of 1."""

    kind: str = "rate"
    rate: float = 0.5
    """Expected; at 0.5 everything takes most."""
    precision: float | None = None
    """Half of the interval's width."""
    difference: float | None = None
    discordant: float | None = None
    """Share of the episodes in which the policies differ."""
    sd: float = SD
    """Of one episode, where the metric is a mean."""
    correlation: float = 0.5
    """Of the two policies' values on the same episode, where the metric is a mean."""
    alpha: float = power.ALPHA
    power: float = power.POWER


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
        kind = "mean" if self.mean else "rate" if suite is None else headline(suite).kind
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
        return wish, needs(wish), None if suite is None else reach(suite, wish)


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


def needs(wish: Wish) -> list[Need]:
    """Episodes for each goal of the wish, or for a ladder of goals if it names none.

    Raises:
        OutOfRange: a number of the wish cannot be.
    """
    _check(wish)
    if wish.kind == "mean":
        return _mean_needs(wish)
    ladder = wish.precision is None and wish.difference is None
    precisions = PRECISIONS if ladder else [p for p in (wish.precision,) if p is not None]
    differences = DIFFERENCES if ladder else [d for d in (wish.difference,) if d is not None]
    found = [_precision(wish, precision) for precision in precisions]
    for difference in differences:
        found += _difference(wish, difference)
    return found


def reach(suite: Suite, wish: Wish) -> Reach:
    """What the suite's own episodes can show of its headline."""
    metric, n = headline(suite), len(suite.episodes)
    if wish.kind == "mean":
        sd = wish.sd
        return Reach(
            suite.name,
            metric.name,
            n,
            Z95 * sd / n**0.5,
            power.detectable_mean(n, sd * 2**0.5, wish.alpha, wish.power),
            power.detectable_mean(n, _pair_sd(wish), wish.alpha, wish.power),
            f"at a correlation of {wish.correlation:g}",
        )
    low, high = wilson(wish.rate * n, n, 1 - wish.alpha)
    share = _shares(wish, 0.0)[-1]
    return Reach(
        suite.name,
        metric.name,
        n,
        float(high - low) / 2,
        power.detectable_unpaired(n, wish.rate, wish.alpha, wish.power),
        power.detectable_difference(n, share, wish.alpha, wish.power),
        f"if they differ in {100 * share:.0f} % of them",
    )


def headline(suite: Suite) -> Metric:
    """The metric that a suite is judged by."""
    return next((metric for metric in suite.metrics if metric.headline), suite.metrics[0])


def _precision(wish: Wish, precision: float) -> Need:
    n = _number(lambda: power.episodes_for_precision(wish.rate, precision, 1 - wish.alpha))
    return Need(f"interval of ±{100 * precision:g} points", "one policy", n)


def _difference(wish: Wish, difference: float) -> list[Need]:
    other = _other(wish, difference)
    goal = f"difference of {100 * difference:g} points"
    alone = _number(lambda: power.episodes_unpaired(wish.rate, other, wish.alpha, wish.power))
    found = [Need(goal, "other episodes", alone)]
    for share in _shares(wish, difference):
        n = _number(lambda s=share: power.episodes_paired(difference, s, wish.alpha, wish.power))  # type: ignore[misc]
        note = f"if they differ in {100 * share:.0f} % of the episodes"
        found.append(Need(goal, "same episodes", n, note))
    return found


def _mean_needs(wish: Wish) -> list[Need]:
    ladder = wish.precision is None and wish.difference is None
    precisions = (0.2, 0.1, 0.05) if ladder else [p for p in (wish.precision,) if p is not None]
    wanted = MEAN_DIFFERENCES if ladder else [d for d in (wish.difference,) if d is not None]
    found = [
        Need(
            f"interval of ±{precision:g}",
            "one policy",
            _number(lambda p=precision: power.episodes_for_mean(wish.sd, p, 1 - wish.alpha)),  # type: ignore[misc]
        )
        for precision in precisions
    ]
    for d in wanted:
        for design, sd, note in (
            ("other episodes", wish.sd * 2**0.5, ""),
            ("same episodes", _pair_sd(wish), f"at a correlation of {wish.correlation:g}"),
        ):
            n = _number(
                lambda d=d, sd=sd: power.episodes_paired_mean(d, sd, wish.alpha, wish.power)  # type: ignore[misc]
            )
            found.append(Need(f"difference of {d:g}", design, n, note))
    return found


def _other(wish: Wish, difference: float) -> float:
    """The second rate: towards 50 %, where more episodes are needed."""
    other = wish.rate + (difference if wish.rate <= 0.5 else -difference)
    if not 0 <= other <= 1:
        raise OutOfRange(
            f"No rate lies {100 * difference:g} points from {100 * wish.rate:g} %.",
            "Ask for a smaller --difference.",
        )
    return other


def _shares(wish: Wish, difference: float) -> list[float]:
    """In how many episodes the policies differ: as asked for, or as unrelated ones, or half that.

    Policies tend to fail on the same hard episodes, so unrelated is about the most.
    """
    if wish.discordant is not None:
        if wish.discordant < difference:
            raise BadInput(
                f"Rates {100 * difference:g} points apart differ in at least as many episodes, "
                f"not in {100 * wish.discordant:g} %.",
                f"Set --discordant to {100 * difference:g} or more.",
            )
        return [wish.discordant]
    other = _other(wish, difference)
    unrelated = max(difference, wish.rate * (1 - other) + other * (1 - wish.rate))
    return list(dict.fromkeys([unrelated, max(difference, unrelated / 2)]))


def _pair_sd(wish: Wish) -> float:
    return float(wish.sd * (2 * (1 - wish.correlation)) ** 0.5)


def _number(count: Callable[[], int]) -> int | None:
    try:
        return count()
    except ValueError:  # more than `power.MOST`: the wish itself has been checked
        return None


def _check(wish: Wish) -> None:
    for flag, value, low, high in (
        ("--rate", 100 * wish.rate, 0.0, 100.0),
        ("--discordant", 100 * (wish.discordant or 0.0), 0.0, 100.0),
        ("--correlation", wish.correlation, -1.0, 1.0),
    ):
        if not low <= value <= high:
            raise OutOfRange(f"{flag} {value:g} must lie between {low:g} and {high:g}.")
    for flag, share in (("--alpha", wish.alpha), ("--power", wish.power)):
        if not 0 < share < 1:
            raise OutOfRange(f"{flag} {share:g} must lie between 0 and 1.")
    scale, most = (1.0, float("inf")) if wish.kind == "mean" else (100.0, 100.0)
    for flag, number in (("--precision", wish.precision), ("--difference", wish.difference)):
        if number is not None and not 0 < scale * number < most:
            limits = "above 0" + (" and below 100 points" if scale > 1 else "")
            raise OutOfRange(f"{flag} {scale * number:g} must be {limits}.")
    if not wish.sd > 0:
        raise OutOfRange(f"--sd {wish.sd:g} must be positive.")
