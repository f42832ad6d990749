"""Two runs set against each other: what may be compared, and what must be said beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from vlm4vla.core.episode import EpisodeKey
from vlm4vla.core.errors import BadInput, OutOfRange, UnknownName
from vlm4vla.core.result import Outcome
from vlm4vla.reports.caveats import caveats, differing
from vlm4vla.reports.contrast import Contrast, Rows, anytime, paired, unpaired
from vlm4vla.reports.scores import ALL, Row, rows_of, short_hash, status_of
from vlm4vla.reports.verdict import Verdict, verdict
from vlm4vla.stats.multiplicity import holm
from vlm4vla.store import RunRecord, Store
from vlm4vla.store.records import RunStatus
from vlm4vla.suites.schema import Metric

if TYPE_CHECKING:
    import pandas as pd

ALPHA = 0.05


@dataclass(frozen=True)
class Terms:
    """On which terms two runs are compared."""

    metric: str | None = None
    """What the verdict is about; the suite's headline if None."""
    unpaired: bool = False
    """Compare all episodes of either run, identical or not."""
    allow_different: bool = False
    """Compare runs of different comparability, marked."""
    alpha: float = ALPHA
    margin: float | None = None
    """Greatest difference that is still called none: points for rates, else the metric's unit."""
    sequential: bool = False
    """The runs were looked at while they grew, though nothing was decided."""
    span: float = 1.0
    """Greatest possible value of a mean less the least, in a sequential comparison."""

    def check(self) -> None:
        """Raise OutOfRange for a level or margin that cannot be."""
        if not 0 < self.alpha < 1:
            text = f"--alpha {self.alpha:g} must lie between 0 and 1."
            raise OutOfRange(text, "Write e.g. --alpha 0.05")
        if self.margin is not None and not self.margin > 0:
            text = f"--margin {self.margin:g} must be positive."
            raise OutOfRange(text, "Write e.g. --margin 5")


@dataclass(frozen=True)
class Side:
    """One of the two runs."""

    run: str
    policy: str
    label: str
    """What the verdict calls it: its policy, or its run where both have the same one."""
    status: str
    marks: tuple[str, ...]
    """Names of `reports.marks`."""
    checkpoint: str
    training_split: str
    execution: str
    comparability: str
    errors: int
    scores: tuple[Row, ...]
    """Its own scores over all of its episodes, compared or not."""


@dataclass(frozen=True)
class Comparison:
    """First less second."""

    suite: str
    first: Side
    second: Side
    contrasts: tuple[Contrast, ...]
    """The headline first, then the other metrics."""
    by_task: tuple[Contrast, ...]
    """The headline on each task, if there are several; p also adjusted by Holm."""
    notes: tuple[str, ...]
    verdict: Verdict
    alpha: float
    margin: float | None

    @property
    def headline(self) -> Contrast:
        """What the verdict speaks of."""
        return self.contrasts[0]

    @property
    def finished(self) -> bool:
        """Whether nothing is left to run: both are complete, or a rule decided."""
        sides = (self.first, self.second)
        return not any(side.status.startswith(RunStatus.INCOMPLETE) for side in sides)


def compare(
    first: str,
    second: str,
    *,
    store: Store | str | Path | None = None,
    suite: str | None = None,
    metric: str | None = None,
    unpaired: bool = False,
    allow_different: bool = False,
    alpha: float = ALPHA,
    margin: float | None = None,
) -> pd.DataFrame:
    """Compare two stored runs: a row for each metric, the headline first.

    Args:
        first: id of a run (or its beginning or end), or a policy: then its latest run.
        second: as `first`.
        store: an open store or its file; by default `VLM4VLA_STORE` or ./results/bench.db.
        suite: where policies are named and have runs of several suites.
        metric: what the verdict is about; the suite's headline by default.
        unpaired: compare all episodes of either run, identical or not.
        allow_different: compare runs of different comparability, marked.
        alpha: two-sided level.
        margin: greatest difference that is still called none, for an equivalence test: points for
            rates, else the metric's unit.

    Returns:
        The fields of `Contrast`, with `first_run`, `second_run`; `attrs` holds `verdict` and
        `notes`.

    Raises:
        BadInput: no such run, nothing in common, or different comparability.
    """
    import pandas as pd

    with ExitStack() as stack:
        opened = store if isinstance(store, Store) else stack.enter_context(Store.open(store))
        terms = Terms(metric, unpaired, allow_different, alpha, margin)
        found = comparison(opened, first, second, suite, terms)
    runs = {"first_run": found.first.run, "second_run": found.second.run}
    lines = [*found.contrasts, *found.by_task]
    table = pd.DataFrame([runs | asdict(c) | {"discordant": c.discordant} for c in lines])
    table.attrs = {"verdict": found.verdict.text, "notes": list(found.notes)}
    return table


def comparison(
    store: Store, first: str, second: str, suite: str | None = None, terms: Terms | None = None
) -> Comparison:
    """Read the store, check that the runs may be compared, and compare.

    Args:
        store: where the runs are.
        first: id of a run, or a policy.
        second: id of a run, or a policy.
        suite: where policies have runs of several.
        terms: on which terms.

    Raises:
        BadInput: no such run, nothing in common, or different comparability.
    """
    terms = terms or Terms()
    terms.check()
    runs = find_run(store, first, suite), find_run(store, second, suite)
    metrics = _check(runs, terms)
    rows = tuple({row.key: row for row in store.episodes(run.id)} for run in runs)
    if not rows[0].keys() & rows[1].keys() and not terms.unpaired:
        raise BadInput(
            f"Runs {runs[0].id} and {runs[1].id} have no finished episode in common.",
            "Run both on the same suite, --init and --seed; or add --unpaired.",
        )
    sides = _sides(runs, rows)
    stopped = any(side.status.startswith(RunStatus.DECIDED) for side in sides)
    if terms.unpaired and stopped:
        raise BadInput(
            "A run that a sequential comparison stopped can only be compared pair by pair.",
            "Drop --unpaired.",
        )
    if metrics[0].kind == "rate" and terms.margin is not None:
        terms = replace(terms, margin=terms.margin / 100)
    by_task: tuple[Contrast, ...] = ()
    if stopped or terms.sequential:
        contrasts = _anytime(runs, rows, metrics, terms)
    else:
        contrasts = _fixed(rows, metrics, terms)
        by_task = _by_task(rows, metrics[0], terms)
    return Comparison(
        suite=runs[0].suite,
        first=sides[0],
        second=sides[1],
        contrasts=contrasts,
        by_task=by_task,
        notes=tuple(caveats(runs, rows, contrasts[0], contrasts[1:])),
        verdict=verdict(contrasts[0], sides[0].label, sides[1].label, terms.alpha, terms.margin),
        alpha=terms.alpha,
        margin=terms.margin,
    )


def find_run(store: Store, name: str, suite: str | None = None) -> RunRecord:
    """The run of that id (or its beginning or end), or the latest of the policy of that name.

    Raises:
        UnknownName: neither; the nearest of both are offered.
        BadInput: the policy has runs of several suites.
    """
    runs = store.runs()
    if suite is not None and suite not in {run.suite for run in runs}:
        known = {run.suite for run in runs}
        raise UnknownName("suite with runs in this store", suite, known)
    of_policy = [run for run in runs if run.policy == name and suite in (None, run.suite)]
    if of_policy and name not in {run.id for run in runs}:
        suites = sorted({run.suite for run in of_policy})
        if len(suites) > 1:
            raise BadInput(
                f"Policy '{name}' has runs of {', '.join(suites)}.",
                f"Name one with --suite, e.g. --suite {suites[0]}",
            )
        return of_policy[-1]
    try:
        return store.run(name)
    except UnknownName:
        known = {run.id for run in runs} | {run.policy for run in runs}
        raise UnknownName(
            "run or policy with runs", name, known, "`bench list runs` shows all."
        ) from None


def pair_order(keys: Iterable[EpisodeKey]) -> list[EpisodeKey]:
    """The order in which a sequential comparison looks at episodes.

    It looks random and depends on nothing but the episodes' names: neither on their tasks nor
    on what became of them.
    """
    return sorted(keys, key=lambda key: key.lot)


def _check(runs: tuple[RunRecord, RunRecord], terms: Terms) -> list[Metric]:
    """The metrics of both runs, what the verdict is about first. Raises BadInput."""
    first, second = runs
    if first.id == second.id:
        raise BadInput(f"Both names mean run {first.id}.", "`bench list runs` shows all.")
    if first.suite != second.suite:
        raise BadInput(
            f"Run {first.id} is of suite {first.suite}, run {second.id} of {second.suite}.",
            "Compare runs of one suite; --suite chooses among a policy's.",
        )
    if (unlike := differing(runs)) and not terms.allow_different:
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


def _fixed(rows: Sequence[Rows], metrics: Sequence[Metric], terms: Terms) -> tuple[Contrast, ...]:
    # The margin has the unit of the headline and says nothing of other metrics.
    margins = [terms.margin, *[None] * (len(metrics) - 1)]
    do = unpaired if terms.unpaired else paired
    pairs = zip(metrics, margins, strict=True)
    return tuple(do(one, rows[0], rows[1], ALL, terms.alpha, m) for one, m in pairs)


def _anytime(
    runs: Sequence[RunRecord], rows: Sequence[Rows], metrics: Sequence[Metric], terms: Terms
) -> tuple[Contrast, ...]:
    """Every metric in the order of the rule; a mean's span is known of the headline only."""
    order = pair_order(rows[0].keys() | rows[1].keys())
    return tuple(
        anytime(one, rows[0], rows[1], order, terms.alpha, terms.span, _step(runs, one))
        for one in metrics
        if one.kind == "rate" or one is metrics[0]
    )


def _step(runs: Sequence[RunRecord], metric: Metric) -> int | None:
    """After how many pairs STEP decided between these two runs in this metric, if it did."""
    for run, other in (runs, runs[::-1]):
        wanted = {"rule": "STEP", "against": other.id, "metric": metric.name}
        found = run.decision or {}
        if wanted.items() <= found.items():
            pairs = found.get("pairs")
            return pairs if isinstance(pairs, int) else None
    return None


def _by_task(rows: Sequence[Rows], metric: Metric, terms: Terms) -> tuple[Contrast, ...]:
    tasks = list(dict.fromkeys(key.task for key in sorted(rows[0].keys() & rows[1].keys())))
    if len(tasks) < 2:
        return ()
    lines, do = [], unpaired if terms.unpaired else paired
    for task in tasks:
        own = [{key: row for key, row in side.items() if key.task == task} for side in rows]
        lines.append(do(metric, own[0], own[1], task, terms.alpha))
    adjusted = iter(holm([line.p for line in lines if line.p is not None]))
    return tuple(
        replace(line, p_adjusted=float(next(adjusted)) if line.p is not None else None)
        for line in lines
    )


def _sides(runs: Sequence[RunRecord], rows: Sequence[Rows]) -> list[Side]:
    same = runs[0].policy == runs[1].policy
    sides = []
    for run, done in zip(runs, rows, strict=True):
        scores = [row for row in rows_of(run, list(done.values())) if row.task == ALL]
        sides.append(
            Side(
                run=run.id,
                policy=run.policy,
                label=run.id if same else run.policy,
                status=status_of(run, len(done), len(run.plan)),
                marks=scores[0].marks,
                checkpoint=run.checkpoint,
                training_split=run.training_split,
                execution=run.execution,
                comparability=short_hash(run.comparability),
                errors=sum(row.outcome is Outcome.ERROR for row in done.values()),
                scores=tuple(scores),
            )
        )
    return sides
