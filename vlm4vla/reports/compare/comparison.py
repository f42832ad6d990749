"""Two runs set against each other: what may be compared, what is said beside it, and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import product

from vlm4vla.core.comparability import differing
from vlm4vla.core.errors import BadInput, UnknownName
from vlm4vla.core.result import Metric
from vlm4vla.reports.compare.contrast import Contrast, Rows, Sides, Terms, anytime, contrast
from vlm4vla.reports.compare.pairing import by_name, without_unlike
from vlm4vla.reports.compare.verdict import Winner, caveats, verdict
from vlm4vla.reports.marks import signs
from vlm4vla.reports.scores import ALL, Row, rows_of, short_run
from vlm4vla.reports.tables.numbers import (
    MEAN,
    TENTHS,
    amount,
    counted,
    estimate_cell,
    p_text,
    score,
)
from vlm4vla.reports.tables.table import Cell, Column, ResultTable, columns
from vlm4vla.stats.intervals import Estimate
from vlm4vla.stats.multiplicity import holm
from vlm4vla.store import RunRecord, Store
from vlm4vla.store.records import RunStatus


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

    verdict: str
    winner: Winner
    suite: str
    first: Side
    second: Side
    contrasts: tuple[Contrast, ...]
    """The headline first, then the other metrics."""
    by_task: tuple[Contrast, ...]
    """The headline on each task, if there are several; p also adjusted by Holm."""
    notes: tuple[str, ...]
    alpha: float
    margin: float | None
    by_name: int = 0
    """Pairs taken for identical by their name: older rows do not tell what their episode was."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """All that must be said beside the verdict."""
        if not self.by_name:
            return self.notes
        text = f"{counted(self.by_name, 'pair')} identical by name alone: stored before rows told"
        return (*self.notes, f"{text} what their episode began with.")

    @property
    def headline(self) -> Contrast:
        """What the verdict speaks of."""
        return self.contrasts[0]

    @property
    def finished(self) -> bool:
        """Whether nothing is left to run: both are complete, or a rule decided."""
        sides = (self.first, self.second)
        return not any(side.status.startswith(RunStatus.INCOMPLETE) for side in sides)


def comparison(
    store: Store, first: str, second: str, suite: str | None = None, terms: Terms | None = None
) -> Comparison:
    """Compare two stored runs: each by its id (or its beginning or end), or by its policy.

    Of a policy's runs it is that which has most episodes in common with the other side; `suite`
    says of which where it has runs of several. Raises BadInput for no such run, nothing in common,
    or different comparability.
    """
    terms = terms or Terms()
    runs = _most_in_common(store, find_runs(store, first, suite), find_runs(store, second, suite))
    metrics = shared_metrics(runs, terms)
    one, other = ({row.key: row for row in store.episodes(run.id)} for run in runs)
    if not one.keys() & other.keys() and not terms.unpaired:
        raise BadInput(
            f"Runs {runs[0].id} and {runs[1].id} have no finished episode in common.",
            "Run both on the same suite, --init and --seed; or add --unpaired.",
        )
    rows = (one, other) if terms.unpaired else without_unlike(runs, (one, other))
    same = runs[0].policy == runs[1].policy
    labels = [run.id if same else run.policy for run in runs]
    sides = _side(runs[0], one, labels[0]), _side(runs[1], other, labels[1])
    stopped = any(side.status.startswith(RunStatus.DECIDED) for side in sides)
    if terms.unpaired and stopped:
        raise BadInput(
            "A run that a sequential comparison stopped can only be compared pair by pair.",
            "Drop --unpaired.",
        )
    headline, *others = metrics
    if headline.kind == "rate" and terms.margin is not None:
        terms = replace(terms, margin=terms.margin / 100)
    by_task: tuple[Contrast, ...] = ()
    if stopped or terms.sequential:
        # A mean's span is known of the headline only.
        lines = tuple(
            anytime(m, rows, terms.alpha, _span(runs, m, terms), _step(runs, m))
            for m in metrics
            if m.kind == "rate" or m is headline
        )
    else:
        # The margin has the unit of the headline and says nothing of other metrics.
        bare = replace(terms, margin=None)
        beside = (contrast(m, rows, ALL, bare) for m in others)
        lines = (contrast(headline, rows, ALL, terms), *beside)
        by_task = _by_task(headline, rows, bare)
    winner, text = verdict(lines[0], runs, labels, terms)
    notes = caveats(runs, (one, other), lines)
    if unlike := len(one) - len(rows[0]):
        began = "began differently in the two runs: left out."
        notes = (f"{counted(unlike, 'episode')} of equal name {began}", *notes)
    return Comparison(
        text, winner, runs[0].suite, *sides, lines, by_task, notes, terms.alpha, terms.margin,
        0 if terms.unpaired else by_name(rows),
    )  # fmt: skip


def _most_in_common(
    store: Store, firsts: Sequence[RunRecord], seconds: Sequence[RunRecord]
) -> tuple[RunRecord, RunRecord]:
    """Of the runs either name may mean, two that can be compared on most episodes, the newest."""
    pairs = list(product(firsts, seconds))
    if len(pairs) == 1:
        return pairs[0]
    done = {run.id: store.finished(run.id).keys() for run in (*firsts, *seconds)}

    def worth(pair: tuple[RunRecord, RunRecord]) -> tuple[bool, bool, int, str, str]:
        one, other = pair
        like = not differing([one.comparability, other.comparability])
        shared = len(done[one.id] & done[other.id])
        return one.id != other.id, like, shared, one.created, other.created

    return max(pairs, key=worth)


def find_runs(store: Store, name: str, suite: str | None = None) -> list[RunRecord]:
    """The run of that id (or its beginning or end), or all of the policy of that name.

    Raises UnknownName, or BadInput where the policy has runs of several suites.
    """
    runs = store.runs()
    suites = {run.suite for run in runs}
    UnknownName.check("suite with runs in this store", [] if suite is None else [suite], suites)
    ids, policies = {run.id for run in runs}, {run.policy for run in runs}
    of_policy = [run for run in runs if run.policy == name and suite in (None, run.suite)]
    if of_policy and name not in ids:
        suites = {run.suite for run in of_policy}
        if len(suites) > 1:
            raise BadInput(
                f"Policy '{name}' has runs of {', '.join(sorted(suites))}.",
                f"Name one with --suite, e.g. --suite {min(suites)}",
            )
        return of_policy
    try:
        return [store.run(name)]
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
    UnknownName.check("metric of both runs", [terms.metric], {one.name for one in shared})
    return sorted(shared, key=lambda one: one.name != terms.metric)


def _step(runs: Sequence[RunRecord], metric: Metric) -> int | None:
    """After how many pairs STEP decided between these two runs in this metric, if it did."""
    for run, other in (runs, runs[::-1]):
        wanted = {"rule": "STEP", "against": other.id, "metric": metric.name}
        found = run.decision or {}
        if wanted.items() <= found.items():
            pairs = found.get("pairs")
            return pairs if isinstance(pairs, int) else None
    return None


def _span(runs: Sequence[RunRecord], metric: Metric, terms: Terms) -> float:
    """Greatest possible value of the metric less the least, as it was told before the first bet."""
    if metric.kind == "rate":
        return 1.0
    decisions = [run.decision for run in runs if run.decision is not None]
    spans = [one.get("span") for one in decisions if one.get("metric") == metric.name]
    return max((span for span in spans if isinstance(span, float)), default=terms.span)


def _by_task(metric: Metric, sides: Sides, terms: Terms) -> tuple[Contrast, ...]:
    tasks = dict.fromkeys(key.task for key in sorted(sides[0].keys() & sides[1].keys()))
    if len(tasks) < 2:
        return ()
    lines = []
    for task in tasks:
        one, other = ({k: row for k, row in side.items() if k.task == task} for side in sides)
        lines.append(contrast(metric, (one, other), task, terms))
    adjusted = iter(holm([line.p for line in lines if line.p is not None]))
    return tuple(
        line if line.p is None else replace(line, p_adjusted=float(next(adjusted)))
        for line in lines
    )


def _side(run: RunRecord, done: Rows, label: str) -> Side:
    scores = tuple(row for row in rows_of(run, list(done.values())) if row.task == ALL)
    shared = {one.name for one in fields(Side)} & {one.name for one in fields(Row)}
    return Side(label=label, scores=scores, **{name: getattr(scores[0], name) for name in shared})


def scores_table(found: Comparison) -> ResultTable:
    """A line for each metric: both sides, their difference, p; the episodes below."""
    sides = (found.first, found.second)
    heads = [f"{side.policy}{signs(side.marks)}\n{short_run(side.run)}" for side in sides]
    whole = [{row.metric: row for row in side.scores} for side in sides]
    body = [
        (Cell(one.metric), *(score(side[one.metric]) for side in whole), difference(one), _p(one.p))
        for one in found.contrasts
    ]
    done = [Cell(f"{side.scores[0].finished}/{side.scores[0].planned}") for side in sides]
    body.append((Cell("episodes"), *done, Cell(), Cell()))
    numeric = (*(Column(head, numeric=True, fold=True) for head in heads),
               *columns("difference", "p", numeric=("difference", "p")))  # fmt: skip
    return ResultTable("", (Column(""), *numeric), tuple(body))


def tasks_table(found: Comparison) -> ResultTable:
    """The headline on each task."""
    numeric = ("n", "difference", "p", "p (Holm)")
    body = tuple(
        (
            Cell(one.task),
            Cell(str(one.n), value=one.n),
            difference(one),
            *(Cell() if p is None else Cell(f"{p:.2g}", value=p) for p in (one.p, one.p_adjusted)),
        )
        for one in found.by_task
    )
    return ResultTable("", columns("task", *numeric, numeric=numeric), body)


def difference(one: Contrast) -> Cell:
    """The first run less the second, with its interval."""
    if one.difference is None or one.low is None or one.high is None:
        return Cell("n/a")
    unit = TENTHS if one.kind == "rate" else MEAN
    return estimate_cell(Estimate(one.difference, one.low, one.high), unit, signed=True)


def details(head: Contrast, alpha: float) -> dict[str, str]:
    """How the headline was tested, and what so many episodes can show."""
    lines: dict[str, str] = {}
    if head.difference is None or head.p is None:
        return lines
    level = f"{100 * (1 - alpha):g} %"
    lines["difference"] = f"{difference(head).line} {level} interval ({head.interval})"
    test = f"{head.test}, {p_text(head.p)}"
    if head.p_mid is not None:
        test += f" (mid-p {head.p_mid:.2g})"
    if head.e_value is not None:
        test += f", e = {head.e_value:.3g} of {1 / alpha:g} needed"
    lines["test"] = test
    apart = head.low is not None and head.high is not None and not head.low <= 0 <= head.high
    if head.e_value is None and apart != (head.p <= alpha):
        lines["decides"] = "the test; the interval says otherwise, as it may where few pairs differ"
    if head.discordant is not None:
        lines["differ in"] = (
            f"{head.discordant} of {head.n}: the first is better in {head.first_only}, "
            f"the second in {head.second_only}"
        )
    if head.detectable is not None:
        lines["can show"] = f"{amount(head.detectable, head.kind)} or more (80 % power)"
    return lines


def _p(p: float | None) -> Cell:
    if p is None:
        return Cell()
    return Cell(p_text(p).removeprefix("p ").removeprefix("= "), value=p)
