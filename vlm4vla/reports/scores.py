"""From episode rows to rates and means with intervals, for one run."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from operator import attrgetter
from typing import Protocol, TypeVar

import numpy as np

from vlm4vla.core.episode import JSON
from vlm4vla.core.result import EpisodeResult, Metric, Outcome
from vlm4vla.reports import marks
from vlm4vla.stats.intervals import (
    Estimate,
    bootstrap_mean,
    effective_trials,
    error_bounds,
    rate_of_tasks,
)
from vlm4vla.stats.sequential import asymptotic_sequence, confidence_sequence
from vlm4vla.store.records import EpisodeRow, RunRecord, RunStatus
from vlm4vla.suites.files import facts_of

ALL = "all"
"""The name of the row that averages over tasks, each weighing the same."""

BOOTSTRAP_SEED = 0
"""The same store always prints the same numbers."""


@dataclass(frozen=True)
class Row:
    """One metric of one run, over one task or all of them. Rates are fractions of 1."""

    policy: str
    suite: str
    task: str
    metric: str
    value: float | None
    """None where nothing counts, e.g. recognition when nothing was executed."""
    low: float | None
    high: float | None
    """95 % interval. Where no success was seen, `high` is the one-sided 95 % bound."""
    n: int
    """Episodes that count; error rows never do."""
    k: int | None
    """How many of them; None for a mean."""
    kind: str
    headline: bool
    chance: float | None
    errors: int
    """Quarantined episodes, outside `n`."""
    bound_low: float | None
    bound_high: float | None
    """The rate if every error were a failure, or a success; None without errors."""
    status: str
    """`complete`; `incomplete 12/24`: then the value is not a result; or `decided 12/24`: stopped
    by a sequential comparison, the interval holds whenever one stops."""
    finished: int
    planned: int
    privileged: bool
    training_split: str
    policy_options: str
    checkpoint: str
    protocol: str
    options: str
    execution: str
    comparability: str
    run: str
    created: str
    marks: tuple[str, ...]
    """Names of `reports.marks`: what must be said beside the value."""
    looks: int
    """Chosen by its score on these episodes among so many checkpoints or settings; 1 if not."""
    stand_ins: tuple[str, ...]
    """Assets of the benchmark that were replaced, each by what."""
    group: int = 1
    """Rows of a suite may be compared within a group; those of any but the first are marked."""
    control: str = ""
    """The same policy's run under a protocol with a `contrast`, where the board has both."""
    less_control: float | None = None
    """The difference to it, paired by episode as `bench compare` does: below 0, a loss."""
    less_control_low: float | None = None
    less_control_high: float | None = None
    control_p: float | None = None
    """Of a single task, adjusted for all of them (Holm)."""
    control_test: str = ""

    @property
    def complete(self) -> bool:
        """Every planned episode has its final row."""
        return self.finished == self.planned

    @property
    def decided(self) -> bool:
        """A sequential comparison stopped the run before it was complete."""
        return self.status.startswith(RunStatus.DECIDED)


class _Ranked(Protocol):
    @property
    def headline(self) -> bool: ...


R = TypeVar("R", bound=_Ranked)
T = TypeVar("T")

_A_FEW_DOZEN = 50
"""With fewer values the sequence of a mean without bounds holds far less than it says."""


def headline(rows: Sequence[R]) -> R:
    """Of the rows of one run, the metric that ranks."""
    return next((row for row in rows if row.headline), rows[0])


def grouped(rows: Iterable[T], *names: str) -> list[list[T]]:
    """The rows that agree in these fields together, in the order of the first of each."""
    found: dict[object, list[T]] = {}
    alike = attrgetter(*names)
    for row in rows:
        found.setdefault(alike(row), []).append(row)
    return list(found.values())


def status_of(run: RunRecord, finished: int, planned: int) -> str:
    """`complete`, `incomplete 12/24` or `decided 12/24`. Rows are counted, the rule is believed."""
    if finished == planned:
        return RunStatus.COMPLETE
    word = RunStatus.DECIDED if run.status is RunStatus.DECIDED else RunStatus.INCOMPLETE
    return f"{word} {finished}/{planned}"


def short_hash(facts: Mapping[str, JSON]) -> str:
    """Six digits that are equal where the facts are."""
    text = json.dumps(facts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:6]


def short_run(run: str) -> str:
    """The end of a default id, which is enough to name it; any other id whole."""
    found = re.search(r"(?<=-)[0-9a-f]{8}(-\d+)?$", run)
    return found[0] if found else run


def in_words(options: Mapping[str, JSON]) -> str:
    """`key=value` pairs, sorted."""
    return " ".join(f"{key}={options[key]}" for key in sorted(options))


def rows_of(run: RunRecord, episodes: Sequence[EpisodeRow]) -> list[Row]:
    """The rows of one run: each of its metrics over all tasks, then task by task.

    The metrics of a further table (a chain's subtasks) are tasks of one metric, named as the table.
    """
    tasks = list(dict.fromkeys(key.task for key in run.plan))
    planned = {task: sum(key.task == task for key in run.plan) for task in tasks}
    groups = {task: [row for row in episodes if row.key.task == task] for task in tasks}
    rows = []
    for metric in run.metrics:
        name = metric.name if metric.table else ALL
        rows.append(_row(run, metric, name, list(groups.values()), len(run.plan)))
        if not metric.table:
            rows += [_row(run, metric, task, [groups[task]], planned[task]) for task in tasks]
    return rows


def lookup(row: EpisodeRow | EpisodeResult, name: str) -> float | None:
    """What a metric calls `name` in one episode; None where undefined."""
    own = {
        "success": row.outcome is Outcome.SUCCESS,
        "success_any": row.success_any,
        "success_last": row.success_last,
    }
    known = next((one for one in (own, row.stages) if name in one), row.measures)
    value = known.get(name)
    return None if value is None or not math.isfinite(value) else float(value)


def counted(metric: Metric, row: EpisodeRow | EpisodeResult) -> float | None:
    """What one episode adds to a metric; None where it does not count: an error, not executed."""
    if row.outcome is Outcome.ERROR or (metric.given and not lookup(row, metric.given)):
        return None
    value = lookup(row, metric.of)
    if metric.table and value is None:  # the chain did not come to this subtask
        return None
    return float(bool(value)) if metric.kind == "rate" else value


def unknown_names(run: RunRecord, episodes: Sequence[EpisodeRow]) -> list[str]:
    """What the metrics ask for and no finished episode reports."""
    done = [row for row in episodes if row.outcome is not Outcome.ERROR]
    known = {"success", "success_any", "success_last"}.union(
        *({*row.stages, *row.measures} for row in done)
    )
    wanted = {name for m in run.metrics for name in (m.of, m.given) if name is not None}
    return sorted(wanted - known) if done else []


_OF_RUN = (
    "policy", "suite", "privileged", "training_split", "checkpoint", "protocol", "execution",
    "created",
)  # fmt: skip


def _whenever(
    metric: Metric, groups: Sequence[Sequence[EpisodeRow]], values: Sequence[float]
) -> tuple[float, float]:
    """Limits of a mean that hold whenever one stops; NaN where nothing is known that gives them."""
    most = 1 if metric.kind == "rate" else max(longest(metric, row) for row in chain(*groups))
    if most:
        return confidence_sequence(values, 0.0, float(most))
    return asymptotic_sequence(values) if len(values) >= _A_FEW_DOZEN else (math.nan, math.nan)


def longest(metric: Metric, row: EpisodeRow | EpisodeResult) -> int:
    """The most that the metric can count, where its steps are stages: `solved_1`, ...; else 0."""
    steps = next(k for k in count() if f"{metric.of}_{k + 1}" not in row.stages)
    return steps if steps > 1 else 0


def _row(
    run: RunRecord, metric: Metric, task: str, groups: Sequence[Sequence[EpisodeRow]], planned: int
) -> Row:
    found = [[counted(metric, row) for row in group] for group in groups]
    values = [[value for value in group if value is not None] for group in found]
    # Nobody knows which subtasks a chain that ended in an error would have come to.
    errors = [sum(row.outcome is Outcome.ERROR and not metric.table for row in g) for g in groups]
    finished = sum(len(group) for group in groups)
    status = status_of(run, finished, planned)
    everything, counts = list(chain(*values)), (list(map(sum, values)), list(map(len, values)))
    rate = metric.kind == "rate"
    estimate: Estimate | None = None
    if status.startswith(RunStatus.DECIDED) and everything:
        # Whatever the task, with limits that hold whenever one stops.
        estimate = Estimate(float(np.mean(everything)), *_whenever(metric, groups, everything))
    elif rate:
        poses = facts_of(run.suite).poses
        estimate = rate_of_tasks(*(_independent(poses, metric, groups) if poses else counts))
    elif everything:
        generator = np.random.default_rng(BOOTSTRAP_SEED)
        estimate = bootstrap_mean([group for group in values if group], generator)
    low, high = (estimate.low, estimate.high) if estimate else (math.nan, math.nan)
    bounds = error_bounds(*counts, errors) if rate and any(errors) else (None, None)
    return Row(
        **{name: getattr(run, name) for name in _OF_RUN},
        **{name: getattr(metric, name) for name in ("kind", "headline", "chance")},
        task=task,
        metric=metric.table or metric.name,
        value=estimate.value if estimate else None,
        low=low if math.isfinite(low) else None,
        high=high if math.isfinite(high) else None,
        n=len(everything),
        k=int(sum(everything)) if rate else None,
        errors=sum(errors),
        bound_low=bounds[0],
        bound_high=bounds[1],
        status=status,
        finished=finished,
        planned=planned,
        policy_options=in_words(run.policy_options),
        options=in_words(run.options),
        comparability=short_hash(run.comparability),
        run=run.id,
        marks=marks.of_run(run, status, sum(errors)),
        looks=marks.looks(run),
        stand_ins=marks.stand_ins(run),
    )


def _independent(
    poses: int, metric: Metric, groups: Sequence[Sequence[EpisodeRow]]
) -> tuple[list[float], list[float]]:
    """Of each task successes and trials, as many as are independent: repeats of a pose are not."""
    successes, trials = [], []
    for group in groups:
        found = [(v, row.key.init) for row in group if (v := counted(metric, row)) is not None]
        values, inits = np.array(found).reshape(-1, 2).T
        trials.append(effective_trials(values, inits % poses))
        successes.append(float(values.mean()) * trials[-1] if found else 0.0)
    return successes, trials
