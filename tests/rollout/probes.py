"""Simulators and policies whose behaviour the engine's tests can see from outside."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vlm4vla.core.episode import Episode
from vlm4vla.core.policy import ActionChunk, Policy, Session
from vlm4vla.core.simulator import Floats, Observation, Options, Progress
from vlm4vla.core.specs import CameraRequest, ObservationRequest, PolicySpec, SimulatorSpec
from vlm4vla.simulators.toy.expert import ToyExpert
from vlm4vla.simulators.toy.plugin import Toy
from vlm4vla.simulators.toy.world import World


class CountingWorld(World):
    """The toy, noting at which steps it was observed and with how many cameras."""

    def __init__(self) -> None:
        super().__init__()
        self.looks: list[tuple[int, int]] = []

    def reset(self, episode: Episode) -> None:
        super().reset(episode)
        self.looks.clear()

    def observe(self, request: ObservationRequest) -> Observation:
        self.looks.append((self._steps, len(request.cameras)))
        return super().observe(request)


class LimitedWorld(World):
    """The toy with a second instruction after five steps."""

    def advance(self, action: Floats) -> Progress:
        progress = super().advance(action)
        return Progress(
            truncated=self._steps >= 12,
            instruction_changed=self._steps == 5,
            stages=progress.stages,
            measures=progress.measures,
        )


class Aborting(Toy):
    """Starts a process of its own, notes its number, and crashes."""

    def create(self, options: Options) -> World:
        started = subprocess.Popen(["sleep", "600"])
        with open(os.environ["STARTED_NOTE"], "w") as note:
            note.write(str(started.pid))
        os.abort()


class Lingering(Toy):
    """Closes every file it did not open, the line to its supervisor among them, and stays."""

    def create(self, options: Options) -> World:
        os.closerange(3, 1024)
        time.sleep(600)
        raise AssertionError("never reached")


class SeeingExpert(ToyExpert):
    """The toy's expert, asking for an image it does not need, a few actions a query."""

    @classmethod
    def describe(cls, simulator: SimulatorSpec, **options: str) -> PolicySpec:
        request = ObservationRequest((CameraRequest("top", 64, 64),), privileged=True)
        return PolicySpec(simulator.action, request, privileged=True)


class Impatient(SeeingExpert):
    """Wants to be asked at every step."""

    @classmethod
    def describe(cls, simulator: SimulatorSpec, **options: str) -> PolicySpec:
        return replace(super().describe(simulator, **options), execution="first")


class Wanderer(Policy):
    """Random chunks that depend on what it sees and on what it remembers: the hardest to repeat.

    It thinks for some milliseconds, so that requests meet in batches.
    """

    @classmethod
    def describe(cls, simulator: SimulatorSpec, **options: str) -> PolicySpec:
        proprio = simulator.observation.proprio
        request = ObservationRequest((CameraRequest("top", 32, 32),), proprio)
        return PolicySpec(simulator.action, request)

    def reset(self, sessions: Sequence[Session]) -> None:
        for session in sessions:
            session.memory = 0.0

    def act(
        self, observations: Sequence[Observation], sessions: Sequence[Session]
    ) -> list[ActionChunk]:
        time.sleep(0.005)
        chunks = []
        for observation, session in zip(observations, sessions, strict=True):
            assert isinstance(session.memory, float)
            session.memory += float(observation.image("top").mean()) / 255
            actions = session.rng.uniform(-1, 1, (4, 7)) * np.cos(session.memory)
            chunks.append(ActionChunk(actions))
        return chunks


class Misbehaving(Policy):
    """Goes wrong, as `how` says, in episodes of init 1 (or `always`)."""

    known_options = ("how",)

    def act(
        self, observations: Sequence[Observation], sessions: Sequence[Session]
    ) -> list[ActionChunk]:
        return [self._one(session) for session in sessions]

    def _one(self, session: Session) -> ActionChunk:
        actions = np.zeros((8, 7))
        how = self.options["how"]
        if how == "always":
            raise RuntimeError("there is no such layer")
        if session.episode.init == 1:
            if how == "raise":
                raise RuntimeError("I was told to")
            if how == "nan":
                actions[3, 2] = np.nan
            if how == "shape":
                actions = np.zeros((8, 6))
            if how == "die":
                os.kill(os.getpid(), 9)
            if how == "hang":
                time.sleep(3600)
        return ActionChunk(actions)


class Unloadable(Policy):
    """Cannot be constructed."""

    def __init__(self, simulator: SimulatorSpec, **options: str) -> None:
        raise OSError("the weights are not there")

    def act(
        self, observations: Sequence[Observation], sessions: Sequence[Session]
    ) -> list[ActionChunk]:
        raise AssertionError("never reached")
