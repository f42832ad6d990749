"""Demonstrations: episodes played in the real engine, then drawn where training will look.

Two passes. First the policy (an expert) runs as in `bench run`, blind, into a store inside the
output folder; `runs.record` takes the episodes from there. Now every episode's length is known, and
the steps that training shall see are drawn by lot. Then the stored actions are played again and
rendered at those steps alone; an episode that does not end as it did before is refused. Both passes
continue where they were killed.
"""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field, replace
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from vlm4vla.core.episode import JSON, Episode
from vlm4vla.core.errors import BadInput, OutOfRange, UnknownName
from vlm4vla.core.files import write_whole
from vlm4vla.core.result import EpisodeResult
from vlm4vla.core.specs import CameraRequest, ObservationRequest, PolicySpec, SimulatorSpec
from vlm4vla.demonstrations import ours
from vlm4vla.demonstrations.lerobot_write import LeRobotWriter, Tasks, Written
from vlm4vla.rollout.episode_loop import LoopConfig
from vlm4vla.rollout.execution import Execution
from vlm4vla.rollout.hosts.host import Assignment, HostConfig
from vlm4vla.rollout.hosts.host_process import HostProcess
from vlm4vla.rollout.recording import INSTRUCTIONS, STATES, Recording

_ATTEMPTS = 3


@dataclass(frozen=True)
class FrameSelection:
    """What of each episode is rendered."""

    frames: int | None = 16
    """Steps of an episode to render, drawn by lot.

    Every step if None.
    """
    cameras: tuple[str, ...] = ()
    """Camera (repeatable) [the simulator's first]."""
    size: int | None = None
    """Pixels a side [the camera's own]."""
    failures: bool = False
    """Keep episodes without success."""

    def __post_init__(self) -> None:
        """Refuse what no camera can be set to."""
        if self.size is not None and not 8 <= self.size <= 4096:
            raise OutOfRange(f"--size {self.size} is outside 8..4096 pixels.")


@dataclass(frozen=True)
class Drawn:
    """One episode is on disk, or could not be drawn (`problem`)."""

    key: str
    pictures: int
    problem: str = ""
    already: bool = False


@dataclass
class Recorder:
    """Draws episodes that were played blind into a data set."""

    played: Sequence[tuple[Episode, EpisodeResult]]
    """Each as it was, with its actions."""
    host: HostConfig
    """The run's: its simulator plays them again."""
    folder: Path
    selection: FrameSelection
    origin: Mapping[str, JSON]
    """What decides the pictures beside the selection; another origin is another data set."""
    provenance: Mapping[str, JSON]
    robot: str
    left_out: int
    """Failed episodes that are not among the played."""
    _writer: LeRobotWriter = field(init=False)

    def __post_init__(self) -> None:
        """Raises BadInput where the simulator cannot draw what is asked for."""
        simulator, selection = self.host.loop.simulator, self.selection
        requests = camera_requests(simulator, selection)
        sizes = {}
        for request in requests:
            camera = simulator.observation.camera(request.name)
            assert camera is not None
            sizes[camera.name] = (request.height or camera.height, request.width or camera.width)
        facts: Mapping[str, JSON] = {
            **self.origin,
            "frames": selection.frames,
            "cameras": list(sizes),
            "size": selection.size,
            "failures": selection.failures,
        }
        begun = ours.settings(self.folder)
        # A set that an earlier version began goes on without.
        told = simulator.observation.proprio if begun is None or "proprio" in begun else ()
        if told:
            facts = {**facts, "proprio": json.loads(json.dumps([asdict(part) for part in told]))}
        starts = list(accumulate((result.steps for _, result in self.played), initial=0))
        self._writer = LeRobotWriter(
            self.folder, simulator.action, sizes, self.robot, facts, starts
        )
        # In the policy's place stands a blind player that asks for pictures.
        player = PolicySpec(simulator.action, ObservationRequest(requests, told))
        loop = LoopConfig(simulator, player, Execution.parse("chunk"), self.host.loop.success)
        self.host = replace(self.host, loop=loop)

    def __len__(self) -> int:
        """Episodes to draw."""
        return len(self.played)

    def run(self, slots: int, tell: Callable[[Drawn], None]) -> None:
        """Draw what is not on disk yet, `slots` simulators side by side, and tell of each episode.

        The metadata is written last, and not as long as an episode has a problem.
        """
        self._begin()
        tasks = Tasks(self.folder, (result.instruction for _, result in self.played))
        there = self._on_disk()
        for written in there.values():
            tell(Drawn(written.key, written.pictures, already=True))
        missing = [index for index in range(len(self)) if index not in there]
        for drawn in self._draw(missing, slots, tasks):
            tell(drawn)
        there = self._on_disk()
        if len(there) == len(self):
            self._writer.finish(list(there.values()), tasks, dict(self.provenance))

    def _begin(self) -> None:
        """Write down what is recorded, not over another data set. Raises BadInput."""
        there = ours.settings(self.folder)
        for name, value in self._writer.facts.items():
            if there is not None and there.get(name) != value:
                raise BadInput(
                    f"{self.folder} holds demonstrations with {name} {there.get(name)}, "
                    f"not {value}.",
                    "Choose another --out folder, or delete this one.",
                )
        path = self.folder / ours.SETTINGS
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, ours.written(self._writer.facts))

    def _on_disk(self) -> dict[int, Written]:
        """Those of the episodes that are there, by their place."""
        keys = [episode.key for episode, _ in self.played]
        found = {index: self._writer.read_back(index, key) for index, key in enumerate(keys)}
        return {index: written for index, written in found.items() if written is not None}

    def _draw(self, indices: Sequence[int], slots: int, tasks: Tasks) -> Iterator[Drawn]:
        """Each thread supervises one simulator host and keeps it from episode to episode."""
        own, stopped = threading.local(), threading.Event()
        hosts: list[HostProcess] = []

        def work(index: int) -> Drawn:
            if not hasattr(own, "host"):
                own.host = HostProcess(self.host)
                hosts.append(own.host)
            problem = ""
            for attempt in range(1, _ATTEMPTS + 1):
                if stopped.is_set():  # its host was killed; a retry would only hold the command up
                    break
                with tempfile.TemporaryDirectory(prefix="vlm4vla-") as frames:
                    problem = self._play(own.host, index, attempt, frames)
                    if not problem:
                        return self._keep(index, Path(frames), tasks)
            return Drawn(str(self.played[index][0].key), 0, problem)

        pool = ThreadPoolExecutor(max(1, min(slots, len(indices))))
        try:
            for future in as_completed([pool.submit(work, index) for index in indices]):
                yield future.result()
        finally:
            stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
            for host in hosts:
                host.kill()

    def _play(self, host: HostProcess, index: int, attempt: int, frames: str) -> str:
        """Play the episode again and render it into `frames`.

        Returns why the second playing is not the first one again; empty if it is.
        """
        episode, first = self.played[index]
        steps = steps_to_draw(first.steps, self.selection.frames, episode)
        recording = Recording(first.actions, steps, frames)
        again = host.run(Assignment(episode, attempt, recording=recording))
        if again.error is not None:
            return f"{again.error.value} error: {again.error_text}"
        for name, before, now in (
            ("outcome", first.outcome.value, again.outcome.value),
            ("steps", first.steps, again.steps),
            ("measures", dict(first.measures), dict(again.measures)),
        ):
            if before != now:
                return f"played again, its {name} became {now} in place of {before}"
        return ""

    def _keep(self, index: int, frames: Path, tasks: Tasks) -> Drawn:
        """Put what was rendered into the set."""
        _, result = self.played[index]
        instructions = list(_rows(frames / INSTRUCTIONS))
        states = dict(_rows(frames / STATES))
        images = {
            name: {int(p.stem): p.read_bytes() for p in sorted((frames / name).glob("*.png"))}
            for name in self._writer.cameras
        }
        self._writer.write(index, result, instructions, images, states, tasks)
        return Drawn(str(result.key), max(len(shown) for shown in images.values()))


def _rows(path: Path) -> Iterator[tuple[int, Any]]:
    """What was noted of the steps; nothing where there was nothing to note."""
    if path.is_file():
        for line in path.read_text().splitlines():
            step, noted = json.loads(line)
            yield step, noted


def steps_to_draw(length: int, count: int | None, episode: Episode) -> tuple[int, ...]:
    """The steps of an episode of `length` actions that are rendered, ascending from 0.

    One step is drawn from each of `count` equal stretches, so that no phase of the motion is left
    out; the first is step 0, where every evaluation begins. The lot depends on the episode alone.
    """
    if count is None or count >= length:
        return tuple(range(length))
    rng = np.random.default_rng((*episode.key.entropy, count))
    edges = np.arange(count + 1) * length // count
    drawn = [int(rng.integers(low, high)) for low, high in pairwise(edges[1:])]
    return (0, *drawn)


def camera_requests(
    simulator: SimulatorSpec, selection: FrameSelection
) -> tuple[CameraRequest, ...]:
    """The cameras to render. Raises BadInput for one that is not there, or not of that size."""
    offered = {camera.name: camera for camera in simulator.observation.cameras}
    if not offered:
        raise BadInput(f"Simulator '{simulator.simulator}' has no camera.")
    names = selection.cameras or tuple(offered)[:1]
    for name in names:
        if name not in offered:
            raise UnknownName(f"camera of '{simulator.simulator}'", name, offered)
        camera = offered[name]
        if not camera.resizable and selection.size not in (None, camera.height):
            raise OutOfRange(
                f"Camera '{name}' is fixed at {camera.height}x{camera.width}.", "Leave --size out."
            )
    return tuple(CameraRequest(name, selection.size, selection.size) for name in names)
