"""One run: what `bench show` prints and the HTML page folds out, and how to repeat it."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby

from vlm4vla.core.episode import JSON
from vlm4vla.core.result import Outcome
from vlm4vla.reports.scores import ALL, Row, grouped, longest, rows_of, status_of
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
class Spent:
    """Seconds by what they were spent on, and over how many episodes."""

    parts: Mapping[str, float]
    episodes: int


@dataclass(frozen=True)
class Summary:
    """Everything about a run that fits on a screen."""

    run: RunRecord
    rows: tuple[Row, ...]
    episodes: tuple[EpisodeRow, ...]
    """Those that have ended."""
    faults: tuple[Fault, ...]
    """Failed attempts that were repeated."""

    @property
    def finished(self) -> int:
        """How many episodes have ended."""
        return len(self.episodes)

    @property
    def status(self) -> str:
        """`complete`, or how many episodes there are of how many."""
        return status_of(self.run, self.finished, len(self.run.plan))

    @property
    def quarantined(self) -> list[EpisodeRow]:
        """Episodes that were given up."""
        return [row for row in self.episodes if row.outcome is Outcome.ERROR]

    @property
    def done(self) -> list[EpisodeRow]:
        """The others."""
        return [row for row in self.episodes if row.outcome is not Outcome.ERROR]

    @property
    def successes(self) -> int:
        """How many of them succeeded."""
        return sum(row.outcome is Outcome.SUCCESS for row in self.episodes)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The funnel: how many episodes reached each stage."""
        done = self.done
        names = dict.fromkeys(name for row in done for name in row.stages)
        return tuple(
            Stage(name, sum(row.stages.get(name, False) for row in done), len(done))
            for name in names
        )

    @property
    def chains(self) -> tuple[int, ...]:
        """Of chains of subtasks, `[k]` solved k; empty for other episodes.

        They are chains where the headline is the mean of a count whose steps are stages:
        `solved_1`, `solved_2`, ...
        """
        head = next((metric for metric in self.run.metrics if metric.headline), None)
        done = self.done
        if head is None or head.kind != "mean" or not done:
            return ()
        steps = longest(head, done[0])
        solved = Counter(int(row.measures.get(head.of) or 0) for row in done)
        return tuple(solved[k] for k in range(steps + 1)) if steps else ()

    @property
    def time(self) -> Spent:
        """Where the time of all finished episodes went."""
        names = ("reset", "simulate", "render", "policy")
        parts = {n: sum(getattr(row.timing, n) for row in self.episodes) for n in names}
        return Spent(parts, self.finished)

    @property
    def counts(self) -> Mapping[str, int]:
        """What that time bought."""
        names = ("steps", "queries", "renders")
        return {n: sum(getattr(row, n) for row in self.episodes) for n in names}


def summarise(store: Store, run: RunRecord) -> Summary:
    """Read what the store holds of `run`."""
    episodes = store.episodes(run.id)
    return Summary(run, tuple(rows_of(run, episodes)), tuple(episodes), tuple(store.faults(run.id)))


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
    cells = {(row.task, row.metric): row for row in summary.rows}
    metrics = [metric for task, metric in cells if task == ALL]
    tasks = list(dict.fromkeys(task for task, metric in cells if metric in metrics))
    body = []
    for task in [ALL] if len(tasks) == 2 else tasks:  # of one task, two lines would be the same
        first = cells[task, metrics[0]]
        errors = f", {first.errors} errors" if first.errors else ""
        done = Cell(f"{first.finished}/{first.planned}{errors}")
        body.append((Cell(task), *(score(cells[task, metric]) for metric in metrics), done))
    numeric = (*metrics, "episodes")
    return ResultTable("", columns("task", *numeric, numeric=numeric), tuple(body))


def further_tables(summary: Summary) -> list[ResultTable]:
    """What the suite counts besides: a chain's subtasks, each over its own attempts."""
    main = {row.metric for row in summary.rows if row.task == ALL}
    numeric, shown = ("solved", "attempts"), []
    for rows in grouped((row for row in summary.rows if row.metric not in main), "metric"):
        body = [(Cell(row.task), replace(score(row), below=()), *words(row.n)) for row in rows]
        heads = columns(rows[0].metric, *numeric, numeric=numeric)
        shown.append(ResultTable("", heads, tuple(body)))
    return shown


def repeat(run: RunRecord) -> str:
    """The command that makes the run again: as it was typed, or put together from the record.

    What was typed in a notebook or script is not a command, and of several commands none made the
    whole run; then the record says the same.
    """
    typed = str(run.provenance.get("command", ""))
    others = {facts["command"] for facts in run.continued if "command" in facts} - {typed}
    return typed if typed.startswith("bench run ") and not others else _from_record(run)


def environment(run: RunRecord) -> str:
    """Version and commit it was made with, as a comment line; empty if unknown."""
    version, commit = run.provenance.get("harness"), str(run.provenance.get("commit") or "")
    if not version:
        return ""
    changed = " with changes of its own" if commit.endswith("+") else ""
    at = f" at commit {commit.rstrip('+')}{changed}" if commit else ""
    return f"# vlm4vla {version}{at}"


def _from_record(run: RunRecord) -> str:
    inits = sorted({key.init for key in run.plan})
    said = [("--policy", run.policy)]
    said += [("--suite", str(run.provenance.get("suite_file") or run.suite))]
    said += [("--protocol", run.protocol)] * (run.protocol != "default")
    said += [("--task", task) for task in dict.fromkeys(key.task for key in run.plan)]
    said += [("--init", _ranges(inits))]
    said += [("--seed", str(run.seed))] * bool(run.seed)
    said += [("--python", run.brought_python)] if run.brought_python else []
    said += [("--set", f"{name}={value}") for name, value in run.options.items()]
    said += [("--policy-option", f"{name}={value}") for name, value in run.policy_options.items()]
    said += [("--execute", run.execution)]
    return shlex.join(["bench", "run", *chain.from_iterable(said)])


def _ranges(numbers: Sequence[int]) -> str:
    """0, 1, 2, 5 -> `0-2,5`."""
    # Numbers that follow each other are as far from their places.
    groups = groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0])
    found = [[number for _, number in group] for _, group in groups]
    return ",".join(str(one[0]) if len(one) == 1 else f"{one[0]}-{one[-1]}" for one in found)
