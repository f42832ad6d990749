"""Our side's simulator and policy that cost nothing: what is left is the harness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tests.perf.workload import ACTION, SIZE, STATE, STEPS, Marks, frames
from vlm4vla.core.episode import JSON, Episode, EpisodeKey
from vlm4vla.core.policy import ActionChunk, Policy, Session
from vlm4vla.core.simulator import Floats, Observation, Options, Progress, SimulatorPlugin
from vlm4vla.core.specs import (
    ActionSpec,
    CameraRequest,
    CameraSpec,
    ObservationRequest,
    ObservationSpec,
    PolicySpec,
    ProprioPart,
    SimulatorSpec,
)


class ZeroSimulator:
    """Shows ready frames and eight numbers, for STEPS steps."""

    def __init__(self, marks: str) -> None:
        self._frames = [frame[None] for frame in frames()]
        self._state = np.zeros(STATE)
        self._mark = Marks(marks)

    def reset(self, episode: Episode) -> None:
        self._steps, self._limit = 0, episode.max_steps

    def advance(self, action: Floats) -> Progress:
        self._mark()
        self._steps += 1
        return Progress(truncated=self._steps >= self._limit)

    def observe(self, request: ObservationRequest) -> Observation:
        frame = self._frames[self._steps % len(self._frames)]
        return Observation("do nothing", self._steps, {"view": frame}, self._state)

    def close(self) -> None:
        pass


class Zero(SimulatorPlugin):
    """Option `marks`: the folder for the stop-watch's notes."""

    name = "zero"
    summary = "costs nothing"
    slot_memory_mb = 50

    def describe(self, options: Options) -> SimulatorSpec:
        cameras = (CameraSpec("view", SIZE, SIZE, resizable=False),)
        proprio = (ProprioPart("joints", STATE, "rad"),)
        return SimulatorSpec("zero", ActionSpec(), ObservationSpec(cameras, proprio), STEPS)

    def preflight(self, options: Options, rendering: bool) -> Mapping[str, str]:
        return {"engine": "zero"}

    def create(self, options: Options) -> ZeroSimulator:
        return ZeroSimulator(str(options["marks"]))


class ZeroPolicy(Policy):
    """Answers at once; `chunk` actions a query."""

    known_options = ("chunk",)

    @classmethod
    def describe(cls, simulator: SimulatorSpec, **options: str) -> PolicySpec:
        request = ObservationRequest((CameraRequest("view"),), simulator.observation.proprio)
        return PolicySpec(simulator.action, request)

    def __init__(self, simulator: SimulatorSpec, **options: str) -> None:
        super().__init__(simulator, **options)
        self._chunk = ActionChunk(np.zeros((int(options.get("chunk", "1")), ACTION)))

    def act(
        self, observations: Sequence[Observation], sessions: Sequence[Session]
    ) -> list[ActionChunk]:
        return [self._chunk] * len(observations)


def episodes(
    suite: str, arguments: Mapping[str, JSON], options: Mapping[str, JSON]
) -> list[Episode]:
    count = int(str(arguments["count"]))
    return [Episode(EpisodeKey(suite, "zero", i), "do nothing", STEPS) for i in range(count)]
