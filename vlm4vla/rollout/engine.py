"""The engine: slots, a policy server, a schedule, and one loop that joins them.

`run` yields events and knows neither the store nor the terminal. Whatever dies is replaced: a host
by its slot, a slot or the policy server by this loop. An episode that fails through no fault of the
policy is retried on a fresh host and, after `retries` retries, quarantined with its error.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import ray
from ray.actor import ActorHandle
from ray.exceptions import RayActorError, RayError

from vlm4vla.core.episode import Episode, EpisodeKey
from vlm4vla.core.errors import BenchError, ErrorKind, HarnessFault
from vlm4vla.core.result import EpisodeResult
from vlm4vla.rollout.actors import PolicyActor, Slot
from vlm4vla.rollout.address import Address
from vlm4vla.rollout.cluster import Cluster
from vlm4vla.rollout.host import Assignment, HostConfig, failed
from vlm4vla.rollout.host_process import Limits
from vlm4vla.rollout.policy_server import Statistics
from vlm4vla.rollout.schedule import Schedule

_TICK_S = 0.25
_LOAD_TIMEOUT_S = 1800.0  # a 30B checkpoint from a slow disk
_HARNESS_RETRIES = 20  # the harness's own deaths are nobody's fault, but must not loop for ever


@dataclass(frozen=True)
class Job:
    """Everything needed to run a list of episodes."""

    host: HostConfig
    limits: Limits
    episodes: Sequence[Episode]
    policy: str
    """`module:Class` of the policy."""
    policy_options: Mapping[str, str] = field(default_factory=dict)
    slots: int = 1
    max_batch: int = 64
    retries: int = 2
    tcp: bool = False
    """Use TCP even on one node."""
    video_folder: Path | None = None


@dataclass(frozen=True)
class Finished:
    """An episode has its final result, an outcome or (quarantined) an error."""

    result: EpisodeResult


@dataclass(frozen=True)
class Retried:
    """An attempt failed and the episode goes back into the schedule."""

    result: EpisodeResult


@dataclass(frozen=True)
class Tick:
    """A moment passed; what every slot is doing."""

    running: Sequence[tuple[EpisodeKey, float] | None]
    """Per slot the episode and for how many seconds it has run."""


Event = Finished | Retried | Tick


@dataclass
class _Place:
    """One slot's seat: the actor may change, the seat stays."""

    actor: ActorHandle | None = None
    loaded: str | None = None
    episode: Episode | None = None
    attempt: int = 1
    since: float = 0.0


class Engine:
    """Runs one job. Iterate over `run()`; leaving the loop early stops everything."""

    def __init__(self, job: Job, cluster: Cluster) -> None:
        """`cluster` is a running Ray; nothing is started in it yet."""
        self._job, self._cluster = job, cluster
        self._schedule = Schedule.of(job.episodes)
        self._faults: Counter[EpisodeKey] = Counter()
        self._losses: Counter[EpisodeKey] = Counter()
        self._places = [_Place() for _ in range(min(job.slots, max(1, len(job.episodes))))]
        self._running: dict[ray.ObjectRef[EpisodeResult], _Place] = {}
        self._policy: ActorHandle | None = None
        self._address: Address | None = None
        self.statistics = Statistics()
        """Of the policy server, once the run has ended."""

    def run(self) -> Iterator[Event]:
        """Yield events until every episode is finished."""
        try:
            if len(self._schedule):
                self._start_policy()
            while len(self._schedule) or self._running:
                self._fill()
                yield from self._collect()
                yield self._tick()
        finally:
            self._stop()

    def _start_policy(self) -> None:
        job = self._job
        options = self._cluster.actor_options(PolicyActor)
        self._policy = options.remote(
            job.policy,
            dict(job.policy_options),
            job.host.loop.simulator,
            job.max_batch,
            job.tcp or self._cluster.nodes > 1,
            job.host.path_entries,
        )
        try:
            self._address = ray.get(self._policy.address.remote(), timeout=_LOAD_TIMEOUT_S)
        except RayError as error:
            cause = getattr(error, "cause", None) or error
            if isinstance(cause, BenchError):
                raise cause from error
            raise HarnessFault(f"The policy could not be loaded.\n{error}") from error

    def _fill(self) -> None:
        """Give every idle seat an episode."""
        for place in self._places:
            if place.episode is not None:
                continue
            episode = self._schedule.take(place.loaded)
            if episode is None:
                return
            if place.actor is None:
                slot = self._cluster.actor_options(Slot)
                place.actor = slot.remote(self._job.host, self._job.limits)
            place.episode, place.loaded = episode, episode.key.task
            place.attempt = 1 + self._faults[episode.key] + self._losses[episode.key]
            place.since = time.monotonic()
            assignment = Assignment(
                episode, place.attempt, self._address, video=self._video(episode.key)
            )
            self._running[place.actor.run.remote(assignment)] = place

    def _collect(self) -> Iterator[Event]:
        """Wait a moment for results; retry, quarantine or deliver them."""
        ready, _ = ray.wait(list(self._running), num_returns=1, timeout=_TICK_S)
        if ready:  # whatever else is already there comes along
            ready, _ = ray.wait(list(self._running), num_returns=len(self._running), timeout=0)
        for reference in ready:
            place = self._running.pop(reference)
            episode, place.episode = place.episode, None
            assert episode is not None
            try:
                result: EpisodeResult = ray.get(reference)
            except RayError as error:
                if isinstance(error, RayActorError):
                    place.actor = place.loaded = None
                text = f"The slot's worker process failed: {error}"
                result = replace(failed(episode, ErrorKind.HARNESS, text), attempt=place.attempt)
            yield self._judge(episode, result)

    def _judge(self, episode: Episode, result: EpisodeResult) -> Event:
        if result.error is None or result.error is ErrorKind.POLICY:
            return Finished(result)
        if result.error is ErrorKind.HARNESS:
            self._revive_policy()
            self._losses[episode.key] += 1
            if self._losses[episode.key] > _HARNESS_RETRIES:
                return Finished(result)
        else:
            self._faults[episode.key] += 1
            if self._faults[episode.key] > self._job.retries:
                return Finished(result)
        self._schedule.put_back(episode)
        return Retried(result)

    def _revive_policy(self) -> None:
        """Load the policy anew if its server is gone."""
        assert self._policy is not None
        try:
            if ray.get(self._policy.alive.remote(), timeout=10):
                return
        except RayError:
            pass  # dead, or too stuck to answer: replaced either way
        with contextlib.suppress(RayError):
            ray.kill(self._policy)
        self._start_policy()

    def _tick(self) -> Tick:
        now = time.monotonic()
        return Tick(
            [
                (p.episode.key, now - p.since) if p.episode is not None else None
                for p in self._places
            ]
        )

    def _video(self, key: EpisodeKey) -> str:
        if self._job.video_folder is None:
            return ""
        return str(self._job.video_folder / f"{key.task}-{key.init}-{key.seed}.mp4")

    def _stop(self) -> None:
        """End every process of this job. Bounded: a stuck actor is killed."""
        if self._policy is not None:
            with contextlib.suppress(RayError):
                self.statistics = ray.get(self._policy.statistics.remote(), timeout=2)
                ray.get(self._policy.close.remote(), timeout=5)
        actors = [self._policy, *(place.actor for place in self._places)]
        for actor in actors:
            if actor is not None:
                with contextlib.suppress(RayError):
                    ray.kill(actor)
