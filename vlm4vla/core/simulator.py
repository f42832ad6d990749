"""The simulator contract: commands (`reset`, `advance`) apart from queries (`observe`).

`advance` is physics and success logic only and never renders. `observe` renders just what is asked
for. Everything random comes from the episode, so that an episode's outcome depends on nothing but
its key and the actions.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from vlm4vla.core.episode import JSON, Episode
from vlm4vla.core.specs import ObservationRequest, SimulatorSpec

Frames = NDArray[np.uint8]
Floats = NDArray[np.float64]
Options = Mapping[str, JSON]


@dataclass(frozen=True)
class Progress:
    """What one action changed."""

    success: bool = False
    """The task's success rule holds now."""
    terminated: bool = False
    """The episode ended by its own rule."""
    truncated: bool = False
    """The step limit was reached."""
    stages: Mapping[str, bool] = field(default_factory=dict)
    """Milestones reached so far (latched)."""
    measures: Mapping[str, float | None] = field(default_factory=dict)
    """Per-episode numbers as they stand now; None where undefined."""
    instruction_changed: bool = False
    """A new instruction holds from now on: the chunk is dropped, the policy's memory reset."""

    @property
    def done(self) -> bool:
        """No further action will be taken."""
        return self.terminated or self.truncated


@dataclass(frozen=True)
class Observation:
    """What a policy sees at one query."""

    instruction: str
    step: int
    images: Mapping[str, Frames] = field(default_factory=dict)
    """Camera name -> uint8 RGB frames (T, H, W, 3), one per requested offset, the present last."""
    proprio: Floats | None = None
    """(P,), or (T, P) where several `proprio_offsets` are asked for. A simulator gives all parts of
    its `ObservationSpec.proprio`, a policy gets those it named, in its own conventions."""
    privileged: Mapping[str, Floats] = field(default_factory=dict)
    """Named arrays of simulator state; only for experts."""

    def image(self, camera: str) -> Frames:
        """The present frame of `camera`, (H, W, 3)."""
        frame: Frames = self.images[camera][-1]
        return frame


@runtime_checkable
class Simulator(Protocol):
    """One world. Lives in a simulator host process; one episode at a time."""

    def reset(self, episode: Episode) -> None:
        """Bring the world to the episode's initial state, whatever came before."""

    def advance(self, action: Floats) -> Progress:
        """Apply one action (A,), in the simulator's own ActionSpec. Never renders."""

    def observe(self, request: ObservationRequest) -> Observation:
        """Render and read what `request` names; each image has T = 1. Changes nothing."""

    def close(self) -> None:
        """Give back whatever the world holds."""


DRAWN = "drawn"
"""In an episode's setup: the state that an earlier reset drew, to be begun at again."""


@runtime_checkable
class DrawsStates(Protocol):
    """A simulator some of whose episodes begin at states that no suite lists: runs keep them."""

    @property
    def drawn(self) -> Floats:
        """The state (S,) at which the present episode began, in the simulator's own order.

        Empty where the suite lists it. A reset with it in the setup as `DRAWN` begins there.
        """


INSTRUCTED_AT = "instructed_at"
"""The measure that says after how many actions an episode's second instruction held."""


@runtime_checkable
class MovesOn(Protocol):
    """A simulator whose episodes may go on after a policy has declared its instruction done.

    Other simulators' episodes end there.
    """

    def move_on(self) -> None:
        """From the next action on the next instruction holds, if there is one.

        `advance` says so (`instruction_changed`); where it does not, the episode ends.
        """


class SimulatorPlugin(ABC):
    """How the harness knows a simulator without importing it.

    Registered under the entry-point group `vlm4vla.simulators`. `describe` and `experts` must
    answer without the simulator, with the base install; all else runs in the Python that the
    simulator is installed in, which may have no more than numpy beside it.
    """

    name: str
    summary: str
    timeout_s: float = 120.0
    """Longest time one reset or step may take before the watchdog kills the host."""
    episodes_per_host: int = 1000
    memory_limit_mb: int = 8000
    """A host is replaced after that many episodes, or beyond that resident memory."""
    slot_memory_mb: int = 500
    """What one host is expected to need; chooses the number of slots."""

    @abstractmethod
    def describe(self, options: Options) -> SimulatorSpec:
        """The conventions and limits under these options; BadInput for an unknown option."""

    @abstractmethod
    def preflight(self, options: Options, rendering: bool) -> Mapping[str, str]:
        """Check packages, assets and (if `rendering`) the renderer; raise BadInput with the fix.

        Returns the comparability facts: engine, renderer and asset versions, protocol. Two runs
        that differ in one of them are not compared unless asked for.
        """

    @abstractmethod
    def create(self, options: Options) -> Simulator:
        """Build the world. Called in the simulator host only."""

    def open_renderer(self) -> str:
        """Open the renderer and give its device's name; RendererUnavailable with the fix if not.

        Called by `bench doctor` in a host of its own. Empty where drawing needs no renderer.
        """
        return ""

    def experts(self) -> Mapping[str, str]:
        """Policy name -> `module:Class` of the scripted policies that know this simulator."""
        return {}
