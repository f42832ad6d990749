"""`bench compare --sequential`: from the words of the command to two runs and their comparison."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from vlm4vla.core.errors import BadInput, MissingDependency, OutOfRange, UnknownName

if TYPE_CHECKING:
    from rich.console import Console

    from vlm4vla.core.result import Metric
    from vlm4vla.reports.compare.comparison import Comparison
    from vlm4vla.reports.compare.pairing import Terms
    from vlm4vla.rollout.events import Event
    from vlm4vla.runs.duel import DuelSummary, Standing
    from vlm4vla.runs.plan import RunPlan
    from vlm4vla.runs.request import RunRequest
    from vlm4vla.stats.rules import Betting, Step

_LINE_EVERY_S = 10.0


@dataclass(frozen=True)
class Contest:
    """Two policies on one suite, and the rule that ends it."""

    sides: tuple[RunRequest, RunRequest]
    rule: Literal["betting", "step"]
    bounds: str | None


def run_contest(
    contest: Contest, terms: Terms, where: str | None, quiet: bool = False
) -> Comparison:
    """Run both policies until it is decided, and compare what is stored. Raises BadInput."""
    from rich.console import Console

    from vlm4vla.reports.compare.comparison import comparison
    from vlm4vla.reports.scores import counted
    from vlm4vla.runs.duel import Duel, check
    from vlm4vla.store import Store

    if terms.unpaired or terms.allow_different:
        raise BadInput(
            "--sequential pairs identical episodes under the same conditions.",
            "Drop --unpaired and --allow-different.",
        )
    first, second = map(_plan, contest.sides)
    check((first, second))
    metric = _metric(first, terms.metric)
    span = _span(metric, contest)
    rule = _rule(contest, len(first.suite.episodes), terms.alpha, span, metric)
    # Numbers for programs leave nothing else on standard output.
    console = Console(highlight=False, stderr=quiet)
    news = _News(contest, rule, console)
    with Store.open(where, create=True) as store:
        score = lambda row: counted(metric, row)  # noqa: E731
        ended = Duel((first, second), store, rule, metric.name, score, news.observe).run()
        news.tell()
        if ended.interrupted:
            console.print("Interrupted. What had ended is stored; the same command continues.")
            sys.exit(130)
        _say_errors(ended, console)
        return comparison(store, *ended.runs, terms=replace(terms, sequential=True, span=span))


def _plan(request: RunRequest) -> RunPlan:
    from vlm4vla.runs.plan import resolve

    if not request.suite:
        raise BadInput(
            "--sequential runs both policies and needs to know where.",
            "Name a suite, e.g. --suite grinningface_val (bench list suites).",
        )
    return resolve(request)


def _metric(plan: RunPlan, name: str | None) -> Metric:
    metrics = plan.suite.metrics
    if name is None:
        return next((one for one in metrics if one.headline), metrics[0])
    known = {one.name: one for one in metrics}
    if name not in known:
        raise UnknownName(f"metric of suite '{plan.suite.name}'", name, known)
    return known[name]


def _span(metric: Metric, contest: Contest) -> float:
    if metric.kind == "rate":
        return 1.0
    if contest.bounds is None:
        raise BadInput(
            f"To bet on {metric.name}, a mean, its least and greatest value must be known.",
            "Add e.g. --bounds 0,5",
        )
    try:
        low, high = map(float, contest.bounds.split(","))
    except ValueError:
        raise BadInput(
            f"--bounds {contest.bounds} is not LOW,HIGH.", "Write e.g. --bounds 0,5"
        ) from None
    if not low < high:
        raise OutOfRange(f"--bounds {contest.bounds}: the first must be the smaller.")
    return high - low


def _rule(
    contest: Contest, planned: int, alpha: float, span: float, metric: Metric
) -> Betting | Step:
    from vlm4vla.stats import rules

    if contest.rule == "betting":
        return rules.Betting(alpha, span)
    if metric.kind != "rate":
        raise BadInput("STEP compares rates only.", "Drop --rule step.")
    if not rules.installed():
        raise MissingDependency(
            "--rule step needs the package sequentialized-barnard-tests, "
            "whose licence (CC BY-NC 4.0) allows no commercial use.",
            'pip install "vlm4vla[step]", or drop --rule step',
        )
    if planned > rules.STEP_LARGEST:
        raise OutOfRange(
            f"STEP is offered for at most {rules.STEP_LARGEST} episodes, not {planned}.",
            "Set a number with --episodes or --init, or drop --rule step.",
        )
    return rules.Step(planned, alpha)


def _say_errors(ended: DuelSummary, console: Console) -> None:
    if ended.errors:
        console.print(
            f"{ended.errors} episodes ended in an error and were left out. Read: "
            f"bench show {ended.runs[0]}, bench show {ended.runs[1]}",
            soft_wrap=True,
        )


class _News:
    """A line now and then: how many pairs, and how they went."""

    def __init__(self, contest: Contest, rule: Betting | Step, console: Console) -> None:
        self._names = [side.policy for side in contest.sides]
        self._rule, self._console = rule, console
        self._last, self._look = time.monotonic(), None  # type: float, Standing | None

    def observe(self, look: Standing, event: Event | None) -> None:
        """Take in how it stands."""
        self._look = look
        if time.monotonic() - self._last > _LINE_EVERY_S:
            self.tell()

    def tell(self) -> None:
        """Print how it stands."""
        self._last = time.monotonic()
        if self._look is None or not self._look.pairs:
            return
        pairs = self._look.pairs
        means = [sum(pair[side] for pair in pairs) / len(pairs) for side in (0, 1)]
        scores = ", ".join(f"{n} {mean:.3g}" for n, mean in zip(self._names, means, strict=True))
        state = "decided" if self._look.decided else f"of at most {self._look.planned}"
        self._console.print(f"{len(pairs)} pairs, {state}: {scores}", soft_wrap=True)
