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

from vlm4vla.core.comparability import conflicts
from vlm4vla.core.episode import JSON, EpisodeKey
from vlm4vla.core.errors import BadInput
from vlm4vla.core.result import EpisodeResult, Outcome
from vlm4vla.rollout.events import Event, Finished, Retried
from vlm4vla.rollout.schedule import Ordered
from vlm4vla.runs.execute import job_of, stopping_on_signals
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
    differing = conflicts([first.comparability, second.comparability])
    if differing:
        facts = ", ".join(f"{name} ({' / '.join(values)})" for name, values in differing.items())
        raise BadInput(f"The two policies cannot be compared: they differ in {facts}.")


def duel(
    plans: tuple[RunPlan, RunPlan],
    store: Store,
    rule: StoppingRule,
    metric: str,
    score: Score,
    watch: Watcher,
) -> DuelSummary:
    """Run both plans until the rule has decided, or to their end. What ends is committed.

    Args:
        plans: two plans of the same episodes; see `check`.
        store: where both runs go.
        rule: when to stop.
        metric: the name of what is compared, for the store.
        score: what an episode counts for.
        watch: told of every event.
    """
    check(plans)
    with ExitStack() as stack:
        for plan in sorted(plans, key=lambda plan: plan.record.id):
            stack.enter_context(store.lock(plan.record.id))
        for plan in plans:
            store.begin(plan.record)
        state = _Duel(plans, store, rule, metric, score, watch)
        state.look(None)
        interrupted = False if state.over else state.run()
        state.conclude()
    return DuelSummary(
        runs=(plans[0].record.id, plans[1].record.id),
        pairs=tuple(state.pairs),
        decided=state.decided,
        interrupted=interrupted,
        errors=state.errors,
    )


class _Duel:
    def __init__(
        self,
        plans: tuple[RunPlan, RunPlan],
        store: Store,
        rule: StoppingRule,
        metric: str,
        score: Score,
        watch: Watcher,
    ) -> None:
        self._plans, self._store, self._rule = plans, store, rule
        self._metric, self._score, self._watch = metric, score, watch
        keys = {episode.key for episode in plans[0].suite.episodes}
        self._order = sorted(keys, key=lambda key: key.lot)
        self._rows: tuple[dict[EpisodeKey, Finite], ...] = tuple(
            {row.key: row for row in store.episodes(plan.record.id)} for plan in plans
        )
        self._seen = 0
        self.pairs: list[tuple[float, float]] = []
        self.decided = False

    @property
    def over(self) -> bool:
        return self.decided or self._seen == len(self._order)

    @property
    def errors(self) -> int:
        return sum(row.outcome is Outcome.ERROR for rows in self._rows for row in rows.values())

    def look(self, event: Event | None) -> None:
        """Show the rule what has become visible: pair by pair, up to its decision."""
        while not self.over and all(self._order[self._seen] in rows for rows in self._rows):
            key = self._order[self._seen]
            self._seen += 1
            one, other = (self._score(rows[key]) for rows in self._rows)
            if one is not None and other is not None:
                self.pairs.append((one, other))
                self.decided = self._rule.decided(self.pairs)
        self._watch(Standing(self.pairs, len(self._order), self.decided), event)

    def run(self) -> bool:
        """Roll both out; whether it was interrupted."""
        from vlm4vla.rollout.cluster import cluster
        from vlm4vla.rollout.engine import Engine

        places = {key: place for place, key in enumerate(self._order)}
        with cluster(self._plans[0].request.ray_address) as ray:
            engines, schedules = [], []
            slots = max(1, self._plans[0].slots // 2)
            for plan, rows in zip(self._plans, self._rows, strict=True):
                missing = [e for e in plan.suite.episodes if e.key not in rows]
                schedule = Ordered((places[e.key], e) for e in missing)
                job = job_of(plan, plan.record.id, missing, self._store, slots)
                schedules.append(schedule)
                engines.append(Engine(job, ray, schedule))
            self._reach(schedules, slots)
            with stopping_on_signals(*engines):
                streams = {side: engine.run() for side, engine in enumerate(engines)}
                while streams:
                    for side in tuple(streams):
                        self._step(side, streams)
                        self._reach(schedules, slots)
            return any(engine.stop_requested for engine in engines)

    def conclude(self) -> None:
        """Note what became of either run."""
        for number, plan in enumerate(self._plans):
            rows, other = self._rows[number], self._plans[1 - number].record.id
            errors = any(row.outcome is Outcome.ERROR for row in rows.values())
            if len(rows) == len(self._order) and not errors:
                self._store.set_status(plan.record.id, RunStatus.COMPLETE)
            elif self.decided:
                seen: dict[str, JSON] = {
                    "metric": self._metric,
                    "pairs": len(self.pairs),
                    "against": other,
                }
                self._store.decide(plan.record.id, {**self._rule.facts(), **seen})
            else:
                self._store.set_status(plan.record.id, RunStatus.INCOMPLETE)

    def _step(self, side: int, streams: dict[int, Iterator[Event]]) -> None:
        event = next(streams[side], None)
        if event is None:
            del streams[side]
            return
        run = self._plans[side].record.id
        if isinstance(event, Finished):
            self._store.record(run, event.result)
            self._rows[side][event.result.key] = event.result
        elif isinstance(event, Retried):
            self._store.fault(run, event.result)
        self.look(event)

    def _reach(self, schedules: Sequence[Ordered], slots: int) -> None:
        """Let both go on, the quicker one no further ahead than keeps its slots busy."""
        for schedule in schedules:
            if self.decided:
                schedule.close()
            else:
                schedule.horizon = self._seen + 2 * slots
