"""Two policies side by side on the same episodes, until a rule has seen enough.

Both walk through the episodes in one order that looks random and that nothing can influence. The
rule sees a pair only when all pairs before it are there: what ends early (a success does) must not
be looked at early. Once it has decided, nothing new is begun, and what was begun is brought to its
end, so that each run holds the first so many episodes of the order and no others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Protocol

from vlm4vla.core.comparability import differing
from vlm4vla.core.episode import JSON, EpisodeKey
from vlm4vla.core.errors import BadInput
from vlm4vla.core.result import EpisodeResult, Outcome
from vlm4vla.rollout.events import Event, Finished
from vlm4vla.rollout.schedule import Ordered
from vlm4vla.runs.execute import commit, job_of, stopping_on_signals, stored_as
from vlm4vla.runs.plan import RunPlan
from vlm4vla.store import EpisodeRow, RunStatus, Store

Finite = EpisodeResult | EpisodeRow
Score = Callable[[Finite], float | None]
"""What an episode counts for; None where it does not count."""
Pairs = Sequence[tuple[float, float]]


class StoppingRule(Protocol):
    """When enough has been seen, with the chance of a wrong decision kept whenever one looks."""

    def decided(self, pairs: Pairs) -> bool:
        """Whether the pairs so far, all of them in order, decide."""

    def facts(self) -> Mapping[str, JSON]:
        """What it is called and how it was set."""


@dataclass(frozen=True)
class Standing:
    """How the comparison stands after an event."""

    pairs: Pairs
    planned: int
    decided: bool


@dataclass(frozen=True)
class DuelSummary:
    """How a sequential comparison ended."""

    runs: tuple[str, str]
    pairs: Pairs
    """Those that the rule has seen."""
    decided: bool
    interrupted: bool
    errors: int


Watcher = Callable[[Standing, Event | None], None]


def check(plans: tuple[RunPlan, RunPlan]) -> None:
    """Raise BadInput for two plans that cannot be paired."""
    first, second = plans
    if first.record.id == second.record.id:
        raise BadInput(
            f"Both sides are the same run, {first.record.id}.",
            "Name two policies, or set them apart with --first-option and --second-option.",
        )
    if set(first.record.plan) != set(second.record.plan):
        raise BadInput("The two policies would be run on other episodes.")
    if facts := differing([first.record.comparability, second.record.comparability]):
        raise BadInput(f"The two policies cannot be compared: they differ in {facts}.")


@dataclass
class Duel:
    """Both plans run until the rule has decided, or to their end."""

    plans: tuple[RunPlan, RunPlan]
    """Two plans of the same episodes; see `check`."""
    store: Store
    """Where both runs go."""
    rule: StoppingRule
    metric: str
    """The name of what is compared, for the store."""
    score: Score
    watch: Watcher
    """Told of every event."""

    def __post_init__(self) -> None:
        """Put the episodes into their order. Raises BadInput where the plans cannot be paired."""
        check(self.plans)
        first, second = self.plans
        self.plans = stored_as(first, self.store), stored_as(second, self.store)
        keys = {episode.key for episode in self.plans[0].suite.episodes}
        self._order = sorted(keys, key=lambda key: key.lot)
        self._rows: list[dict[EpisodeKey, Finite]] = []
        self._planned: list[Sequence[EpisodeKey]] = []
        """Of either run as stored: earlier commands may have asked for more."""
        self._seen = 0
        self._pairs: list[tuple[float, float]] = []
        self._decided = False

    def run(self) -> DuelSummary:
        """Run what the store lacks. What ends is committed."""
        with ExitStack() as stack:
            for plan in sorted(self.plans, key=lambda plan: plan.record.id):
                stack.enter_context(self.store.lock(plan.record.id))
            for plan in self.plans:
                record = self.store.begin(plan.record)
                self._rows.append({row.key: row for row in self.store.episodes(record.id)})
                self._planned.append(record.plan)
            self._look(None)
            interrupted = False if self._over else self._roll_out()
            self._conclude()
        first, second = (plan.record.id for plan in self.plans)
        errors = sum(map(_errors, self._rows))
        return DuelSummary((first, second), self._pairs, self._decided, interrupted, errors)

    @property
    def _over(self) -> bool:
        return self._decided or self._seen == len(self._order)

    def _look(self, event: Event | None) -> None:
        """Show the rule what has become visible: pair by pair, up to its decision."""
        while not self._over and all(self._order[self._seen] in rows for rows in self._rows):
            key = self._order[self._seen]
            self._seen += 1
            one, other = (self.score(rows[key]) for rows in self._rows)
            if one is not None and other is not None:
                self._pairs.append((one, other))
                self._decided = self.rule.decided(self._pairs)
        self.watch(Standing(self._pairs, len(self._order), self._decided), event)

    def _roll_out(self) -> bool:
        """Whether it was interrupted."""
        from vlm4vla.rollout.cluster import cluster
        from vlm4vla.rollout.engine import Engine

        places = {key: place for place, key in enumerate(self._order)}
        slots = max(1, self.plans[0].slots // 2)
        engines: list[Engine] = []
        schedules: list[Ordered] = []
        with stopping_on_signals(engines), cluster(self.plans[0].request.ray_address) as ray:
            for plan, rows in zip(self.plans, self._rows, strict=True):
                missing = [e for e in plan.suite.episodes if e.key not in rows]
                schedule = Ordered((places[e.key], e) for e in missing)
                job = job_of(plan, plan.record.id, missing, self.store, slots)
                schedules.append(schedule)
                engines.append(Engine(job, ray, schedule))
            self._reach(schedules, slots)
            with stopping_on_signals(engines):  # Ray has taken SIGTERM for itself
                streams = {side: engine.run() for side, engine in enumerate(engines)}
                while streams:
                    for side in tuple(streams):
                        self._step(side, streams)
                        self._reach(schedules, slots)
            return any(engine.stop_requested for engine in engines)

    def _step(self, side: int, streams: dict[int, Iterator[Event]]) -> None:
        event = next(streams[side], None)
        if event is None:
            del streams[side]
            return
        commit(event, self.store, self.plans[side].record.id)
        if isinstance(event, Finished):
            self._rows[side][event.result.key] = event.result
        self._look(event)

    def _reach(self, schedules: Sequence[Ordered], slots: int) -> None:
        """Let both go on, the quicker one no further ahead than keeps its slots busy."""
        for schedule in schedules:
            if self._decided:
                schedule.close()
            else:
                schedule.horizon = self._seen + 2 * slots

    def _conclude(self) -> None:
        """Note what became of either run."""
        seen = {**self.rule.facts(), "metric": self.metric, "pairs": len(self._pairs)}
        ids = [plan.record.id for plan in self.plans]
        for run, other, rows, planned in zip(
            ids, reversed(ids), self._rows, self._planned, strict=True
        ):
            if len(rows) == len(planned) and not _errors(rows):
                self.store.set_status(run, RunStatus.COMPLETE)
            elif self._decided:
                self.store.decide(run, {**seen, "against": other})
            else:
                self.store.set_status(run, RunStatus.INCOMPLETE)


def _errors(rows: Mapping[EpisodeKey, Finite]) -> int:
    return sum(row.outcome is Outcome.ERROR for row in rows.values())
