"""A plan carried out: the engine's events become rows, one commit each."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import FrameType
from typing import TYPE_CHECKING

from vlm4vla.core.episode import Episode, EpisodeKey
from vlm4vla.core.errors import PolicyFault
from vlm4vla.core.result import Outcome
from vlm4vla.rollout.events import Event, Finished, Retried
from vlm4vla.rollout.policy_server import QueryCounts
from vlm4vla.runs.plan import RunPlan
from vlm4vla.store import RunStatus, Store

if TYPE_CHECKING:
    from vlm4vla.rollout.cluster import Job
    from vlm4vla.rollout.engine import Engine

INTERRUPTED = 130


@dataclass(frozen=True)
class Opened:
    """The run stands in the store; `finished` was there before this command."""

    run: str
    planned: int
    finished: dict[EpisodeKey, Outcome]
    remaining: int


Observer = Callable[[Opened | Event], None]


@dataclass(frozen=True)
class RunSummary:
    """How a command left its run."""

    run: str
    planned: int
    finished: int
    errors: int
    interrupted: bool
    statistics: QueryCounts

    @property
    def complete(self) -> bool:
        """Every episode has an outcome."""
        return self.finished == self.planned and not self.errors


def execute(plan: RunPlan, store: Store, observer: Observer) -> RunSummary:
    """Run what the store lacks of `plan`; what ends is committed before it is observed.

    Raises PolicyFault where the policy fails from the beginning (`give_up_after`).
    """
    plan = stored_as(plan, store)
    with store.lock(plan.record.id):
        record = store.begin(plan.record)
        finished = store.finished(record.id)
        # Quarantined ones are tried again only if that was asked for.
        lacking = {None, Outcome.ERROR} if plan.request.retry_errors else {None}
        episodes = [one for one in plan.suite.episodes if finished.get(one.key) in lacking]
        observer(Opened(record.id, len(record.plan), finished, len(episodes)))
        statistics, interrupted = QueryCounts(), False
        if episodes:
            try:
                statistics, interrupted = _roll_out(plan, record.id, episodes, store, observer)
            except PolicyFault:
                store.set_status(record.id, RunStatus.INCOMPLETE)
                raise
        outcomes = list(store.finished(record.id).values())
        errors = outcomes.count(Outcome.ERROR)
        summary = RunSummary(
            record.id, len(record.plan), len(outcomes), errors, interrupted, statistics
        )
        status = RunStatus.COMPLETE if summary.complete else RunStatus.INCOMPLETE
        store.set_status(record.id, status)
    return summary


def stored_as(plan: RunPlan, store: Store) -> RunPlan:
    """The plan under the id of the run that it continues or, if a new one is asked for, begins."""
    name, taken = plan.record.id, {run.id for run in store.runs()}
    if plan.request.new:
        names = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
        name = next(name for name in names if name not in taken)
    elif name not in taken and plan.former_id in taken:
        name = plan.former_id
    return replace(plan, record=replace(plan.record, id=name))


def _roll_out(
    plan: RunPlan, run: str, episodes: list[Episode], store: Store, observer: Observer
) -> tuple[QueryCounts, bool]:
    # Ray takes half a second to import; a run that is already complete does not need it.
    from vlm4vla.rollout.cluster import cluster
    from vlm4vla.rollout.engine import Engine

    engines: list[Engine] = []
    with stopping_on_signals(engines), cluster(plan.request.ray_address) as ray:
        spread = plan.request.slots is None and ray.nodes > 1
        slots = ray.cpus if spread else plan.slots
        engine = Engine(job_of(plan, run, episodes, store, slots), ray)
        engines.append(engine)
        with stopping_on_signals(engines):  # Ray has taken SIGTERM for itself
            for event in engine.run():
                commit(event, store, run)
                observer(event)
        return engine.statistics, engine.stop_requested


def commit(event: Event, store: Store, run: str) -> None:
    """Keep what an event brings for the run."""
    if isinstance(event, Finished):
        store.record(run, event.result)
    elif isinstance(event, Retried):
        store.fault(run, event.result)


def job_of(plan: RunPlan, run: str, episodes: Sequence[Episode], store: Store, slots: int) -> Job:
    """What the engine must know to run these episodes of the plan."""
    from vlm4vla.rollout.cluster import Job

    request = plan.request
    return Job(
        host=plan.host,
        episodes=episodes,
        policy=plan.policy,
        policy_options=request.policy_options,
        slots=slots,
        max_batch=request.max_batch,
        retries=request.retries,
        give_up_after=request.give_up_after,
        tcp=request.tcp,
        video_folder=None if request.video == "none" else store.videos(run),
    )


@contextmanager
def stopping_on_signals(engines: Sequence[Engine]) -> Iterator[None]:
    """The first Ctrl-C (or SIGTERM) lets the engines end in order, a second kills.

    A flag, not an exception: nothing that is being committed is torn apart, and Ray, which may be
    shutting down, does not end the process with a code that says nothing. Before there is an engine
    the first raises KeyboardInterrupt. Python allows handlers in the main thread only; elsewhere (a
    notebook's worker) signals keep their meaning.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        if not engines:
            raise KeyboardInterrupt
        if all(engine.stop_requested for engine in engines):
            os._exit(INTERRUPTED)  # the kernel ends Ray, the slots and their hosts with us
        for engine in engines:
            engine.stop_requested = True

    previous = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            previous[number] = signal.signal(number, handle)
    except ValueError:
        pass
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
