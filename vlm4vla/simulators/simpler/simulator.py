"""SimplerEnv's tasks behind the simulator contract: what Bridge and Google Robot share.

As upstream's evaluator: a fresh scene for each episode, nothing stops on success, what counts is
success at the last step (any-step is kept beside it), the picture is taken once a query at its own
size, and policies shrink it themselves.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import sapien

from vlm4vla.core.episode import Episode
from vlm4vla.core.errors import ResetNeeded
from vlm4vla.core.simulator import Floats, Observation, Progress
from vlm4vla.core.specs import ObservationRequest
from vlm4vla.simulators.simpler.view import OverlaidView, Picture, Poses


@dataclass(frozen=True)
class Verdict:
    """What upstream's rules say after a step."""

    success: bool
    stages: Mapping[str, bool]
    """Upstream's `episode_stats` that are true or false, by upstream's rule for each."""
    measures: Mapping[str, float | None] = field(default_factory=dict)


class TaskScene(ABC):
    """One episode's world, from its reset to its end."""

    instruction: str
    """What is to be done now; may change in `step`."""

    @abstractmethod
    def step(self, action: Floats) -> Verdict:
        """One control step."""

    @abstractmethod
    def poses(self) -> Poses:
        """Of everything that can be seen, by the names that the view knows."""

    @abstractmethod
    def eye(self) -> sapien.Pose:
        """Of the policy's camera, in the world."""

    @abstractmethod
    def proprio(self) -> Floats:
        """All parts of the proprioception."""

    @abstractmethod
    def privileged(self) -> Mapping[str, Floats]:
        """What experts may see."""


class SceneSimulator(ABC):
    """Plays episodes one after the other, each in a scene of its own."""

    def __init__(self) -> None:
        """Nothing is loaded before the first episode, no renderer opened before a picture."""
        self._scene: TaskScene | None = None
        self._view: OverlaidView | None = None
        self._shown: object = None
        self._done = False

    @abstractmethod
    def build(self, episode: Episode) -> TaskScene:
        """The episode's initial state, settled."""

    @abstractmethod
    def look(self, episode: Episode) -> object:
        """What tells episodes apart that do not look alike: for each value there is a view."""

    @abstractmethod
    def build_view(self, episode: Episode) -> OverlaidView:
        """What episodes that look like this one are seen with."""

    def reset(self, episode: Episode) -> None:
        """A new scene, as the episode's manifest describes it."""
        self._scene = None
        self._scene = self.build(episode)
        self._episode, self._step, self._done = episode, 0, False

    def advance(self, action: Floats) -> Progress:
        """One control step. The episode is cut off after its `max_steps`, whatever happened."""
        scene = self._running()
        if self._done:
            raise ResetNeeded("The episode has ended; call reset.")
        before = scene.instruction
        verdict = scene.step(np.array(action, np.float64))
        self._step += 1
        self._done = self._step >= self._episode.max_steps
        return Progress(
            success=verdict.success,
            truncated=self._done,
            stages=dict(verdict.stages),
            measures=dict(verdict.measures),
            instruction_changed=scene.instruction != before,
        )

    def observe(self, request: ObservationRequest) -> Observation:
        """Draw and read what is asked for; the physics is not touched."""
        scene = self._running()
        images = {}
        if request.cameras:  # there is one camera, and it has one size
            frame = self.picture().frame[None]
            images = {camera.name: frame for camera in request.cameras}
        return Observation(
            instruction=scene.instruction,
            step=self._step,
            images=images,
            proprio=scene.proprio() if request.proprio else None,
            privileged=dict(scene.privileged()) if request.privileged else {},
        )

    def picture(self) -> Picture:
        """What the policy's camera sees now, and which thing each pixel shows."""
        scene = self._running()
        if self._view is None or self._shown != self.look(self._episode):
            self._view = None  # the textures of one task are enough
            self._view = self.build_view(self._episode)
            self._shown = self.look(self._episode)
        return self._view.draw(scene.poses(), scene.eye())

    def close(self) -> None:
        """Drop the scenes."""
        self._scene = None
        self._view = None

    def _running(self) -> TaskScene:
        if self._scene is None:
            raise ResetNeeded("The episode has not begun; call reset.")
        return self._scene
