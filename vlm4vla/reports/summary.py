"""One run at a glance: what `bench show` prints and the HTML page folds out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from vlm4vla.core.episode import JSON
from vlm4vla.core.result import Outcome
from vlm4vla.reports.scores import ALL, Row, rows_of, status_of
from vlm4vla.reports.tables.numbers import score
from vlm4vla.reports.tables.table import Cell, ResultTable, columns, words
from vlm4vla.store import EpisodeRow, Fault, RunRecord, Store


@dataclass(frozen=True)
class Stage:
    """One step of the funnel."""

    name: str
    reached: int
    episodes: int


@dataclass(frozen=True)
class TimeSplit:
    """Seconds over all finished episodes, and what they bought."""

    reset: float
    simulate: float
    render: float
    policy: float
    steps: int
    queries: int
    renders: int

    @property
    def parts(self) -> Mapping[str, float]:
        """The four shares by name."""
        names = ("reset", "simulate", "render", "policy")
        return {name: getattr(self, name) for name in names}

    @property
    def total(self) -> float:
        """Seconds that the episodes took, were they run one after the other."""
        return sum(self.parts.values())


@dataclass(frozen=True)
class Summary:
    """Everything about a run that fits on a screen."""

    run: RunRecord
    rows: tuple[Row, ...]
    stages: tuple[Stage, ...]
    time: TimeSplit
    quarantined: tuple[EpisodeRow, ...]
    faults: tuple[Fault, ...]
    """Failed attempts that were repeated."""
    finished: int

    @property
    def status(self) -> str:
        """`complete`, or how many episodes there are of how many."""
        return status_of(self.run, self.finished, len(self.run.plan))


def summarise(store: Store, run: RunRecord) -> Summary:
    """Read what the store holds of `run`."""
    episodes = store.episodes(run.id)
    done = [row for row in episodes if row.outcome is not Outcome.ERROR]
    return Summary(
        run=run,
        rows=tuple(rows_of(run, episodes)),
        stages=_funnel(done),
        time=_time(episodes),
        quarantined=tuple(row for row in episodes if row.outcome is Outcome.ERROR),
        faults=tuple(store.faults(run.id)),
        finished=len(episodes),
    )


def configuration(run: RunRecord) -> Mapping[str, JSON]:
    """What defines the run, in the order one asks for it."""
    return {
        "policy": run.policy,
        "policy options": dict(run.policy_options),
        "checkpoint": run.checkpoint,
        "trained on": run.training_split,
        "privileged": run.privileged,
        "suite": run.suite,
        "protocol": run.protocol,
        "simulator": run.simulator,
        "options": dict(run.options),
        "execution": run.execution,
        "seed": run.seed,
        "success counts": f"{run.success_rule} step" if run.success_rule == "last" else "any step",
    }


def scores_table(summary: Summary) -> ResultTable:
    """Every metric over all tasks, and on each if there are several."""
    metrics = list(dict.fromkeys(row.metric for row in summary.rows if row.task == ALL))
    tasks = list(dict.fromkeys(row.task for row in summary.rows if row.metric in metrics))
    if len(tasks) == 2:
        tasks = [ALL]  # one task: the two lines would be the same
    cells = {(row.task, row.metric): row for row in summary.rows}
    body = []
    for task in tasks:
        first = cells[task, metrics[0]]
        errors = f", {first.errors} errors" if first.errors else ""
        done = Cell(f"{first.finished}/{first.planned}{errors}")
        body.append((Cell(task), *(score(cells[task, metric]) for metric in metrics), done))
    numeric = (*metrics, "episodes")
    return ResultTable("", columns("task", *numeric, numeric=numeric), tuple(body))


def further_tables(summary: Summary) -> list[ResultTable]:
    """What the suite counts besides: a chain's subtasks, each over its own attempts."""
    main = {row.metric for row in summary.rows if row.task == ALL}
    rows = [row for row in summary.rows if row.metric not in main]
    numeric = ("solved", "attempts")
    return [
        ResultTable(
            "",
            columns(name, *numeric, numeric=numeric),
            tuple(
                (Cell(row.task), replace(score(row), below=()), *words(row.n))
                for row in rows
                if row.metric == name
            ),
        )
        for name in dict.fromkeys(row.metric for row in rows)
    ]


def _funnel(done: Sequence[EpisodeRow]) -> tuple[Stage, ...]:
    names = dict.fromkeys(name for row in done for name in row.stages)
    return tuple(
        Stage(name, sum(row.stages.get(name, False) for row in done), len(done)) for name in names
    )


def _time(episodes: Sequence[EpisodeRow]) -> TimeSplit:
    return TimeSplit(
        reset=sum(row.timing.reset for row in episodes),
        simulate=sum(row.timing.simulate for row in episodes),
        render=sum(row.timing.render for row in episodes),
        policy=sum(row.timing.policy for row in episodes),
        steps=sum(row.steps for row in episodes),
        queries=sum(row.queries for row in episodes),
        renders=sum(row.renders for row in episodes),
    )
