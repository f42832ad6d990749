"""The engine: slots, a policy server, a schedule, and one loop that joins them.

`run` yields events and knows neither the store nor the terminal. Whatever dies is replaced: a host
by its slot, a slot or the policy server by this loop. An episode that fails through no fault of the
policy is retried on a fresh host and, after `retries` retries, quarantined with its error.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import ray
from ray.actor import ActorHandle
from ray.exceptions import RayActorError, RayError

from vlm4vla.core.episode import Episode, EpisodeKey
from vlm4vla.core.errors import BenchError, ErrorKind, HarnessFault, PolicyFault
from vlm4vla.core.result import EpisodeResult
from vlm4vla.rollout.cluster import Cluster, Job
from vlm4vla.rollout.events import Event, Finished, Retried, Tick
from vlm4vla.rollout.hosts.host import Assignment, failed
from vlm4vla.rollout.policy_client import Address
from vlm4vla.rollout.policy_server import QueryCounts
from vlm4vla.rollout.schedule import LongestFirst, Ordered

_TICK_S = 0.25
_LOAD_TIMEOUT_S = 1800.0  # a 30B checkpoint from a slow disk
_BRISK_S = 0.5  # handing over the next episode takes 5 ms: beyond this nobody would notice
_HARNESS_RETRIES = 20  # the harness's own deaths are nobody's fault, but must not loop for ever


@dataclass(eq=False)
class _Place:
    """One slot's seat: the actor may change, the seat stays."""

    actor: ActorHandle | None = None
    loaded: str | None = None
    given: deque[_Given] = field(default_factory=deque)
    """What its actor has to do, in this order."""
    brisk: bool = False
    """Its last episode was over so soon that fetching the next took a fair share of the time."""
    since: float = 0.0
    """When the first of `given` was begun."""

    def running(self, now: float) -> tuple[EpisodeKey, float] | None:
        """The episode that its actor is at, and for how many seconds."""
        return (self.given[0].assignment.episode.key, now - self.since) if self.given else None


@dataclass(frozen=True, eq=False)
class _Given:
    """An episode that an actor was given."""

    place: _Place
    actor: ActorHandle
    assignment: Assignment


class Engine:
    """Runs one job. Iterate over `run()`; leaving the loop early stops everything."""

    def __init__(self, job: Job, cluster: Cluster, schedule: Ordered | None = None) -> None:
        """`cluster` is a running Ray; nothing is started in it yet.

        With a `schedule` its episodes are run, in its order, instead of the quickest one.
        """
        self._job, self._cluster = job, cluster
        self._schedule = LongestFirst.of(job.episodes) if schedule is None else schedule
        self._failures: Counter[tuple[EpisodeKey, bool]] = Counter()
        """Episode, and whether the harness was to blame -> failed attempts."""
        self._places = [_Place() for _ in range(min(job.slots, max(1, len(job.episodes))))]
        self._first_errors: list[str] = []
        """What the policy said in each of the first episodes; empty where it had no error."""
        self._running: dict[ray.ObjectRef[EpisodeResult], _Given] = {}
        self._policy: ActorHandle | None = None
        self._address: Address | None = None
        self.stop_requested = False
        """Set it (from a signal handler, say) to end the run soon; finished episodes still come."""
        self.statistics = QueryCounts()
        """Of the policy server, once the run has ended."""

    def run(self) -> Iterator[Event]:
        """Yield events until every episode is finished.

        Raises PolicyFault where the policy has failed in every one so far, always likewise.
        """
        try:
            if len(self._schedule):
                self._start_policy()
            while (len(self._schedule) or self._running) and not self.stop_requested:
                self._fill()
                ended = self._collect(_TICK_S)
                if all(result.error is None for _, result in ended):
                    self._fill()  # before the events: whoever takes them may take their time
                yield from (self._judge(*pair) for pair in ended)
                self._give_up()
                yield Tick([place.running(time.monotonic()) for place in self._places])
            yield from (self._judge(*pair) for pair in self._collect(0))
        finally:
            self._stop()

    def _start_policy(self) -> None:
        job = self._job
        self._policy = self._cluster.policy().remote(job.host.path_entries)
        tcp = job.tcp or self._cluster.nodes > 1
        answer = self._policy.load.remote(replace(job, episodes=()), tcp)
        deadline = time.monotonic() + _LOAD_TIMEOUT_S
        while not ray.wait([answer], timeout=_TICK_S)[0] and not self.stop_requested:
            if time.monotonic() > deadline:
                raise HarnessFault(f"The policy was not loaded within {_LOAD_TIMEOUT_S:g} s.")
        if self.stop_requested:
            return
        try:
            address: Address = ray.get(answer)
        except RayError as error:
            cause = getattr(error, "cause", None)
            if isinstance(cause, BenchError):
                raise cause from None
            raise HarnessFault(f"The policy's process died while loading it: {error}") from error
        self._address = replace(address, path="") if job.tcp else address

    def _fill(self) -> None:
        """Give every idle seat an episode; then every brisk one a second, to begin at once."""
        for depth in (1, 2):
            for place in self._places:
                if self.stop_requested or len(place.given) >= depth:
                    continue
                if depth > 1 and (not place.brisk or len(self._schedule) < len(self._places)):
                    continue  # at the end of a run nobody is to wait behind another
                episode = self._schedule.take(place.loaded)
                if episode is None:
                    return
                self._give(place, episode)

    def _give(self, place: _Place, episode: Episode) -> None:
        if place.actor is None:
            place.actor = self._cluster.slot().remote(self._job.host)
        if not place.given:
            place.since = time.monotonic()
        key, folder = episode.key, self._job.video_folder
        place.loaded = key.task
        attempt = 1 + self._failures[key, True] + self._failures[key, False]
        video = str(folder / f"{key.task}-{key.init}-{key.seed}.mp4") if folder else ""
        assignment = Assignment(episode, attempt, self._address, video=video)
        given = _Given(place, place.actor, assignment)
        place.given.append(given)
        self._running[place.actor.run.remote(assignment)] = given

    def _collect(self, timeout_s: float) -> list[tuple[Episode, EpisodeResult]]:
        """Wait a moment for results; free their seats."""
        if not self._running:
            return []
        ended = []
        ready, _ = ray.wait(list(self._running), num_returns=1, timeout=timeout_s)
        if ready:  # whatever else is already there comes along
            ready, _ = ray.wait(list(self._running), num_returns=len(self._running), timeout=0)
        arrived = set(ready)
        for reference in [r for r in self._running if r in arrived]:  # as they were given
            given = self._running.pop(reference)
            place, episode = given.place, given.assignment.episode
            begun = place.given[0] is given and place.actor is given.actor
            place.given.remove(given)
            try:
                result: EpisodeResult = ray.get(reference)
            except RayError as error:
                if isinstance(error, RayActorError):
                    if not begun:  # its turn had not come when the actor died
                        self._schedule.put_back(episode)
                        continue
                    place.actor = place.loaded = None
                text = f"The slot's worker process failed: {error}"
                result = failed(given.assignment, ErrorKind.HARNESS, text)
            now = time.monotonic()
            place.brisk = result.error is None and now - place.since < _BRISK_S
            place.since = now
            ended.append((episode, replace(result, digest=episode.digest)))
        return ended

    def _judge(self, episode: Episode, result: EpisodeResult) -> Event:
        if result.error is None or result.error is ErrorKind.POLICY:
            if len(self._first_errors) < self._job.give_up_after:
                said = result.error_text.strip().splitlines() if result.error else []
                self._first_errors.append(said[-1] if said else "")
            return Finished(result)
        ours = result.error is ErrorKind.HARNESS
        if ours:
            self._revive_policy()
        self._failures[episode.key, ours] += 1
        allowed = _HARNESS_RETRIES if ours else self._job.retries
        if self._failures[episode.key, ours] > allowed:
            return Finished(result)
        self._schedule.put_back(episode)
        return Retried(result)

    def _give_up(self) -> None:
        """What would fail a thousand times alike need not be tried a thousand times."""
        most, errors = self._job.give_up_after, self._first_errors
        if most and len(errors) == most and errors[0] and len(set(errors)) == 1:
            raise PolicyFault(
                f"The policy failed in each of the first {most} episodes: {errors[0]}",
                "Mend it, then the same command with --retry-errors. "
                "To go on all the same: --give-up-after 0",
            )

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
