"""Which two runs are compared, on which terms, and whether they may be."""

from __future__ import annotations

from dataclasses import dataclass

from vlm4vla.core.comparability import differing
from vlm4vla.core.errors import BadInput, OutOfRange, UnknownName
from vlm4vla.core.result import Metric
from vlm4vla.store import RunRecord, Store

ALPHA = 0.05


@dataclass(frozen=True)
class Terms:
    """On which terms two runs are compared."""

    metric: str | None = None
    """What the verdict is about [the headline]."""
    margin: float | None = None
    """Equivalence: points (rates) or units that still count as none."""
    alpha: float = ALPHA
    """Two-sided level."""
    unpaired: bool = False
    """All episodes of either run, identical or not."""
    allow_different: bool = False
    """Compare across different comparability.

    Marked wherever it is shown.
    """
    sequential: bool = False
    """The runs were looked at while they grew, though nothing was decided."""
    span: float = 1.0
    """Greatest possible value of a mean less the least, in a sequential comparison."""

    def __post_init__(self) -> None:
        """Raise OutOfRange for a level or margin that cannot be."""
        if not 0 < self.alpha < 1:
            text = f"--alpha {self.alpha:g} must lie between 0 and 1."
            raise OutOfRange(text, "Write e.g. --alpha 0.05")
        if self.margin is not None and not self.margin > 0:
            text = f"--margin {self.margin:g} must be positive."
            raise OutOfRange(text, "Write e.g. --margin 5")


def find_run(store: Store, name: str, suite: str | None = None) -> RunRecord:
    """The run of that id (or its beginning or end), or the latest of the policy of that name.

    Raises:
        UnknownName: neither; the nearest of both are offered.
        BadInput: the policy has runs of several suites.
    """
    runs = store.runs()
    suites = {run.suite for run in runs}
    if suite is not None and suite not in suites:
        raise UnknownName("suite with runs in this store", suite, suites)
    ids, policies = {run.id for run in runs}, {run.policy for run in runs}
    of_policy = [run for run in runs if run.policy == name and suite in (None, run.suite)]
    if of_policy and name not in ids:
        suites = {run.suite for run in of_policy}
        if len(suites) > 1:
            raise BadInput(
                f"Policy '{name}' has runs of {', '.join(sorted(suites))}.",
                f"Name one with --suite, e.g. --suite {min(suites)}",
            )
        return of_policy[-1]
    try:
        return store.run(name)
    except UnknownName:
        hint = "`bench list runs` shows all."
        raise UnknownName("run or policy with runs", name, ids | policies, hint) from None


def shared_metrics(runs: tuple[RunRecord, RunRecord], terms: Terms) -> list[Metric]:
    """The metrics of both runs, what the verdict is about first. Raises BadInput."""
    first, second = runs
    if first.id == second.id:
        raise BadInput(f"Both names mean run {first.id}.", "`bench list runs` shows all.")
    if first.suite != second.suite:
        raise BadInput(
            f"Run {first.id} is of suite {first.suite}, run {second.id} of {second.suite}.",
            "Compare runs of one suite; --suite chooses among a policy's.",
        )
    unlike = differing([run.comparability for run in runs])
    if unlike and not terms.allow_different:
        raise BadInput(
            f"Runs {first.id} and {second.id} cannot be compared as they stand; "
            f"they differ in {unlike}.",
            "Run one of them again under the other's conditions, or add --allow-different.",
        )
    shared = [one for one in first.metrics if one in second.metrics and not one.table]
    if not shared:
        raise BadInput("The runs count nothing in the same way.", "`bench show RUN` says what.")
    if terms.metric is None:
        return sorted(shared, key=lambda one: not one.headline)
    if terms.metric not in {one.name for one in shared}:
        raise UnknownName("metric of both runs", terms.metric, {one.name for one in shared})
    return sorted(shared, key=lambda one: one.name != terms.metric)
