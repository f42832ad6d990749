"""`bench compare --sequential`: two policies are run until a rule has seen enough."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, replace
from typing import Literal

from rich.console import Console

from vlm4vla.cli.progress import LINE_EVERY_S
from vlm4vla.core.errors import BadInput, MissingDependency, OutOfRange, UnknownName
from vlm4vla.core.result import Metric
from vlm4vla.reports.compare.comparison import Comparison, comparison
from vlm4vla.reports.compare.contrast import Terms
from vlm4vla.reports.scores import counted, headline
from vlm4vla.rollout.events import Event
from vlm4vla.runs.duel import Duel, Finite, Standing, check
from vlm4vla.runs.plan import resolve
from vlm4vla.runs.request import RunRequest
from vlm4vla.stats import rules
from vlm4vla.store import Store
from vlm4vla.suites.suite import Suite


@dataclass(frozen=True)
class Stopping:
    """When a comparison has seen enough, as the command line says it."""

    rule: Literal["betting", "step"] = "betting"
    """Of --sequential: paired, or STEP."""
    bounds: str | None = None
    """Of --sequential on a mean, e.g. 0,5."""

    def span(self, metric: Metric) -> float:
        """The greatest possible value of the metric less the least. Raises BadInput."""
        if metric.kind == "rate":
            return 1.0
        if self.bounds is None:
            raise BadInput(
                f"To bet on {metric.name}, a mean, its least and greatest value must be known.",
                "Add e.g. --bounds 0,5",
            )
        try:
            low, high = map(float, self.bounds.split(","))
        except ValueError:
            raise BadInput(
                f"--bounds {self.bounds} is not LOW,HIGH.", "Write e.g. --bounds 0,5"
            ) from None
        if not low < high:
            raise OutOfRange(f"--bounds {self.bounds}: the first must be the smaller.")
        return high - low

    def made(
        self, metric: Metric, planned: int, alpha: float, span: float
    ) -> rules.Betting | rules.Step:
        """The rule, for so many planned episodes. Raises BadInput."""
        if self.rule == "betting":
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


def run_both(
    sides: tuple[RunRequest, RunRequest],
    stopping: Stopping,
    terms: Terms,
    where: str | None,
    quiet: bool,
) -> Comparison:
    """Run both policies until it is decided, and compare what is stored. Raises BadInput."""
    if terms.unpaired or terms.allow_different:
        raise BadInput(
            "--sequential pairs identical episodes under the same conditions.",
            "Drop --unpaired and --allow-different.",
        )
    if not sides[0].suite:
        raise BadInput(
            "--sequential runs both policies and needs to know where.",
            "Name a suite, e.g. --suite grinningface_val (bench list suites).",
        )
    first, second = map(resolve, sides)
    check((first, second))
    planned = len(first.suite.episodes)
    metric = _metric(first.suite, terms.metric)
    span = stopping.span(metric)
    rule = stopping.made(metric, planned, terms.alpha, span)
    # Numbers for programs leave nothing else on standard output.
    console = Console(highlight=False, soft_wrap=True, markup=False, stderr=quiet)
    last = time.monotonic()

    def score(row: Finite) -> float | None:
        return counted(metric, row)

    def tell(look: Standing) -> None:
        if look.pairs:
            means = [sum(values) / len(look.pairs) for values in zip(*look.pairs, strict=True)]
            scores = [f"{s.policy} {mean:.3g}" for s, mean in zip(sides, means, strict=True)]
            state = "decided" if look.decided else f"of at most {look.planned}"
            console.print(f"{len(look.pairs)} pairs, {state}: {', '.join(scores)}")

    def watch(look: Standing, event: Event | None) -> None:
        nonlocal last
        if time.monotonic() - last > LINE_EVERY_S:
            last = time.monotonic()
            tell(look)

    with Store.open(where, create=True) as store:
        ended = Duel((first, second), store, rule, metric.name, score, watch).run()
        tell(Standing(ended.pairs, planned, ended.decided))
        if ended.interrupted:
            console.print("Interrupted. What had ended is stored; the same command continues.")
            sys.exit(130)
        if ended.errors:
            console.print(
                f"{ended.errors} episodes ended in an error and were left out. Read: "
                f"bench show {ended.runs[0]}, bench show {ended.runs[1]}"
            )
        return comparison(store, *ended.runs, terms=replace(terms, sequential=True, span=span))


def _metric(suite: Suite, name: str | None) -> Metric:
    known = {one.name: one for one in suite.metrics}
    if name is None:
        return headline(suite.metrics)
    UnknownName.check(f"metric of suite '{suite.name}'", [name], known)
    return known[name]
