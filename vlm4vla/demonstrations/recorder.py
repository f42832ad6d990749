"""Demonstrations: episodes played in the real engine, then drawn where training will look.

Two passes. First the policy (an expert) runs as in `bench run`, blind, into a store inside the
output folder; `runs.record` takes the episodes from there. Now every episode's length is known, and
the steps that training shall see are drawn by lot. Then the stored actions are played again and
rendered at those steps alone; an episode that does not end as it did before is refused. Both passes
continue where they were killed.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vlm4vla.core.episode import JSON, Episode
from vlm4vla.core.errors import BadInput
from vlm4vla.core.files import write_whole
from vlm4vla.core.result import EpisodeResult, Outcome
from vlm4vla.core.simulator import Floats
from vlm4vla.core.specs import ObservationRequest, PolicySpec, SimulatorSpec
from vlm4vla.demonstrations import lerobot_write as lerobot
from vlm4vla.demonstrations import ours
from vlm4vla.demonstrations.selection import FrameSelection, camera_requests, steps_to_draw
from vlm4vla.rollout.episode_loop import LoopConfig
from vlm4vla.rollout.execution import Execution
from vlm4vla.rollout.hosts.host import Assignment, HostConfig
from vlm4vla.rollout.hosts.host_process import HostProcess, Limits
from vlm4vla.rollout.recording import INSTRUCTIONS, Recording

_ATTEMPTS = 3


@dataclass(frozen=True)
class Drawn:
    """One episode is on disk, or could not be drawn (`problem`)."""

    key: str
    pictures: int
    problem: str = ""
    already: bool = False


@dataclass(frozen=True)
class DataSetSummary:
    """What the data set holds now."""

    episodes: int
    pictures: int
    left_out: int
    """Episodes that the policy failed at."""
    problems: tuple[Drawn, ...]


@dataclass(frozen=True)
class Take:
    """An episode as it was played blind."""

    episode: Episode
    outcome: Outcome
    instruction: str
    steps: int
    measures: Mapping[str, float | None]
    actions: Floats


@dataclass(frozen=True)
class Playback:
    """Where takes are played again, and what is written beside them."""

    simulator: SimulatorSpec
    host: HostConfig
    limits: Limits
    facts: Mapping[str, JSON]
    """What decides the pictures; another set of them is another data set."""
    provenance: Mapping[str, JSON]
    robot: str


class Recorder:
    """Draws takes into a data set."""

    def __init__(
        self,
        takes: Sequence[Take],
        playback: Playback,
        folder: Path,
        selection: FrameSelection,
        left_out: int = 0,
    ) -> None:
        """`left_out` failed episodes are not among the takes.

        Raises BadInput where the simulator cannot draw what is asked for.
        """
        self._takes, self._playback, self._folder = takes, playback, folder
        self._selection, self._left_out = selection, left_out
        self._cameras = camera_requests(playback.simulator, selection)
        starts = np.cumsum([0, *(take.steps for take in takes)])
        self._starts = [int(start) for start in starts]
        self._facts: Mapping[str, JSON] = {
            **playback.facts,
            "frames": selection.frames,
            "cameras": [c.name for c in self._cameras],
            "size": selection.size,
            "failures": selection.failures,
        }
        self._mark = hashlib.sha256(json.dumps(self._facts, sort_keys=True).encode()).hexdigest()

    def __len__(self) -> int:
        """Episodes to draw."""
        return len(self._takes)

    def run(self, slots: int, tell: Callable[[Drawn], None]) -> DataSetSummary:
        """Draw what is not on disk yet, `slots` simulators side by side; then write the metadata.

        The metadata is left out as long as an episode has a problem.
        """
        self._check_folder()
        tasks = lerobot.Tasks(self._folder, (take.instruction for take in self._takes))
        self._tasks = tasks
        done: dict[int, lerobot.Written] = {}
        missing = []
        for index in range(len(self)):
            written = self._read_back(index)
            if written is None:
                missing.append(index)
            else:
                done[index] = written
                tell(Drawn(written.key, written.pictures, already=True))
        problems = []
        for drawn in self._draw(missing, slots):
            tell(drawn)
            if drawn.problem:
                problems.append(drawn)
        for index in missing:
            written = self._read_back(index)
            if written is not None:
                done[index] = written
        if not problems:
            written_in_order = [done[index] for index in range(len(self))]
            lerobot.write_metadata(self._folder, self._header(), written_in_order, tasks)
        pictures = sum(written.pictures for written in done.values())
        return DataSetSummary(len(done), pictures, self._left_out, tuple(problems))

    def _draw(self, indices: Sequence[int], slots: int) -> Iterator[Drawn]:
        """Each thread supervises one simulator host and keeps it from episode to episode."""
        own, stopped = threading.local(), threading.Event()
        hosts: list[HostProcess] = []

        def work(index: int) -> Drawn:
            if not hasattr(own, "host"):
                own.host = HostProcess(self._host, self._playback.limits)
                hosts.append(own.host)
            return self._draw_one(own.host, index, stopped)

        pool = ThreadPoolExecutor(max(1, min(slots, len(indices))))
        try:
            for future in as_completed([pool.submit(work, index) for index in indices]):
                yield future.result()
        finally:
            stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
            for host in hosts:
                host.kill()

    def _draw_one(self, host: HostProcess, index: int, stopped: threading.Event) -> Drawn:
        take = self._takes[index]
        problem = ""
        for attempt in range(1, _ATTEMPTS + 1):
            if stopped.is_set():  # its host was killed; a retry would only hold the command up
                break
            with tempfile.TemporaryDirectory(prefix="vlm4vla-") as frames:
                recording = Recording(
                    take.actions,
                    steps_to_draw(take.steps, self._selection.frames, take.episode),
                    frames,
                )
                result = host.run(Assignment(take.episode, attempt, recording=recording))
                problem = _difference(take, result)
                if not problem:
                    episode = self._collect(index, Path(frames))
                    lerobot.write_episode(
                        self._folder, index, episode, self._fps, self._tasks, self._mark
                    )
                    pictures = max(len(shown) for shown in episode.images.values())
                    return Drawn(str(take.episode.key), pictures)
        return Drawn(str(take.episode.key), 0, problem)

    def _collect(self, index: int, frames: Path) -> lerobot.WrittenEpisode:
        take = self._takes[index]
        lines = (frames / INSTRUCTIONS).read_text().splitlines()
        return lerobot.WrittenEpisode(
            key=str(take.episode.key),
            start=self._starts[index],
            actions=take.actions,
            instructions=[(int(step), str(text)) for step, text in map(json.loads, lines)],
            images={
                camera.name: {
                    int(path.stem): path.read_bytes()
                    for path in sorted((frames / camera.name).glob("*.png"))
                }
                for camera in self._cameras
            },
            success=take.outcome is Outcome.SUCCESS,
        )

    @property
    def _fps(self) -> float:
        return self._playback.simulator.action.control_hz or 10.0

    @property
    def _host(self) -> HostConfig:
        """The run's host, with a blind player in the policy's place that asks for pictures."""
        spec = self._playback.simulator
        loop = LoopConfig(
            simulator=spec,
            policy=PolicySpec(spec.action, ObservationRequest(self._cameras)),
            execution=Execution.parse("chunk"),
            success=self._playback.host.loop.success,
        )
        return replace(self._playback.host, loop=loop)

    def _read_back(self, index: int) -> lerobot.Written | None:
        key = str(self._takes[index].episode.key)
        return lerobot.read_back(self._folder, index, key, self._starts[index], self._mark)

    def _check_folder(self) -> None:
        """Refuse to write over another data set. Raises BadInput."""
        there = ours.settings(self._folder)
        for name, value in self._facts.items():
            if there is not None and there.get(name) != value:
                raise BadInput(
                    f"{self._folder} holds demonstrations with {name} {there.get(name)}, "
                    f"not {value}.",
                    "Choose another --out folder, or delete this one.",
                )
        path = self._folder / ours.SETTINGS
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, ours.written(self._facts))

    def _header(self) -> lerobot.Header:
        spec = self._playback.simulator
        sizes = {}
        for request in self._cameras:
            camera = spec.observation.camera(request.name)
            assert camera is not None
            sizes[camera.name] = (request.height or camera.height, request.width or camera.width)
        return lerobot.Header(
            action=spec.action,
            cameras=sizes,
            fps=self._fps,
            robot=self._playback.robot,
            facts={**self._facts, "provenance": dict(self._playback.provenance)},
        )


def _difference(take: Take, result: EpisodeResult) -> str:
    """Why the second playing is not the first one again; empty if it is."""
    if result.error is not None:
        return f"{result.error.value} error: {result.error_text}"
    for name, before, now in (
        ("outcome", take.outcome.value, result.outcome.value),
        ("steps", take.steps, result.steps),
        ("measures", dict(take.measures), dict(result.measures)),
    ):
        if before != now:
            return f"played again, its {name} became {now} in place of {before}"
    return ""
