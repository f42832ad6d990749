"""The policy contract: observations in, action chunks out, batched by nature."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.random import Generator

from vlm4vla.core.episode import EpisodeKey
from vlm4vla.core.options import Known
from vlm4vla.core.simulator import Floats, Observation
from vlm4vla.core.specs import CameraRequest, ObservationRequest, PolicySpec, SimulatorSpec


@dataclass(frozen=True)
class ActionChunk:
    """Actions for the coming steps."""

    actions: Floats
    """(H, A) in the policy's ActionSpec."""
    terminate_after: int | None = None
    """The policy considers the episode over after that many of these actions."""


@dataclass
class Session:
    """One running episode as a policy sees it: its randomness and what the model remembers."""

    episode: EpisodeKey
    rng: Generator = field(init=False)
    memory: object | None = None

    def __post_init__(self) -> None:
        """Seed the randomness from the episode alone."""
        self.rng = np.random.default_rng(self.episode.entropy)


class Policy(ABC):
    """Subclass, implement `act`, and run with `--policy my_module:MyPolicy`.

    By default a policy speaks the simulator's own action convention and asks for every camera and
    the proprioception. Override `describe` to declare otherwise.
    """

    known_options: ClassVar[Known] = ()
    """The `--policy-option` keys it takes: a dataclass (`core.options`), whose types and bounds are
    checked too, or names alone. Others are refused before anything starts."""

    def __init__(self, simulator: SimulatorSpec, **options: str) -> None:
        """Load whatever is needed. `options` are the user's `--policy-option key=value`."""
        self.simulator = simulator
        self.options = options

    @classmethod
    def describe(cls, simulator: SimulatorSpec, **options: str) -> PolicySpec:
        """What the policy sends and needs against this simulator. Must be cheap."""
        cameras = tuple(CameraRequest(c.name) for c in simulator.observation.cameras)
        request = ObservationRequest(cameras, simulator.observation.proprio)
        return PolicySpec(simulator.action, request)

    def reset(self, sessions: Sequence[Session]) -> None:
        """Forget: these sessions start a new episode or a new instruction."""
        for session in sessions:
            session.memory = None

    @abstractmethod
    def act(
        self, observations: Sequence[Observation], sessions: Sequence[Session]
    ) -> list[ActionChunk]:
        """One chunk per observation, in order."""

    def close(self) -> None:  # noqa: B027 - optional hook
        """Give back whatever the policy holds."""
