"""The task behind the simulator contract."""

from __future__ import annotations

from typing import cast

import numpy as np

from vlm4vla.core import rotation
from vlm4vla.core.episode import JSON, Episode
from vlm4vla.core.errors import ResetNeeded
from vlm4vla.core.simulator import Floats, Observation, Progress
from vlm4vla.core.specs import ObservationRequest
from vlm4vla.simulators.grinningface.judge import Judge
from vlm4vla.simulators.grinningface.robots import ROBOTS, urdf
from vlm4vla.simulators.grinningface.view import View
from vlm4vla.simulators.grinningface.words import CAMERA_SIZE, PRIVILEGED, GrinningFaceOptions
from vlm4vla.simulators.grinningface.world import CardTable

PAPER_WIDTH = 0.08
"""Finger distance, metres, that upstream divides by, for either robot."""


class GrinningFaceSimulator:
    """One robot, one cube, three cards."""

    def __init__(self, options: GrinningFaceOptions) -> None:
        """Find the model; nothing is rendered before the first picture is asked for."""
        self._options = options
        self._robot = ROBOTS[options.robot]
        self._urdf = urdf(self._robot)
        self._view: View | None = None
        self._world: CardTable | None = None
        self._done = False

    def reset(self, episode: Episode) -> None:
        """A new scene as the episode's manifest describes it."""
        setup = episode.setup
        self._episode = episode
        self._target = int(cast(int, setup["target"]))
        self._world = CardTable(
            self._robot,
            self._urdf,
            np.array(setup["cube_xy"], np.float64),
            np.array(setup["cards_xy"], np.float64),
            np.array(setup["arm_noise"], np.float64),
        )
        self._judge = Judge(self._target)
        self._state = self._world.state()
        self._step = 0
        self._done = False
        self._dressed = False

    def advance(self, action: Floats) -> Progress:
        """One control step of 50 ms.

        The episode ends when the cube has been put down on a card, whichever it is: a second try
        would turn recognition into a search. It is cut off after the episode's `max_steps`.
        """
        if self._world is None or self._done:
            raise ResetNeeded("The episode has not begun, or has ended; call reset.")
        action = np.array(action, np.float64)
        if self._options.gripper == "default":
            action[6] = np.clip(action[6], -1, 1)
        self._world.step(action)
        self._step += 1
        self._state = self._world.state()
        self._judge.watch(self._state)
        terminated = self._judge.executed
        progress = Progress(
            success=self._judge.success,
            terminated=terminated,
            truncated=not terminated and self._step >= self._episode.max_steps,
            stages=self._judge.stages,
            measures=self._judge.measures,
        )
        self._done = progress.done
        return progress

    def observe(self, request: ObservationRequest) -> Observation:
        """Render and read what is asked for; the physics scene is not touched."""
        if self._world is None:
            raise ResetNeeded("The episode has not begun; call reset.")
        images = {}
        for camera in request.cameras:
            size = (camera.height or CAMERA_SIZE, camera.width or CAMERA_SIZE)
            images[camera.name] = self._dressed_view().picture(self._world.poses(), *size)[None]
        return Observation(
            instruction=self._episode.instruction,
            step=self._step,
            images=images,
            proprio=self._proprio() if request.proprio else None,
            privileged=self._privileged() if request.privileged else {},
        )

    def close(self) -> None:
        """Drop the scenes."""
        self._world = None
        self._view = None

    def _dressed_view(self) -> View:
        """The renderer, with this episode's emojis on its cards."""
        if self._view is None:
            self._view = View(self._urdf, self._options.art)
        if not self._dressed:
            self._view.lay_out([str(e) for e in cast(list[JSON], self._episode.setup["emojis"])])
            self._dressed = True
        return self._view

    def _proprio(self) -> Floats:
        quaternion = self._state.tcp[3:]
        # Upstream hands a wxyz quaternion to a function that reads xyzw.
        order: rotation.Rotation = "quat_xyzw" if self._options.proprio == "paper" else "quat_wxyz"
        euler = rotation.convert(quaternion, order, "euler_xyz")
        width = self._state.finger_distance / PAPER_WIDTH
        return np.concatenate([self._state.tcp[:3], euler, [width]])

    def _privileged(self) -> dict[str, Floats]:
        robot = {"base": self._robot.base, "reach": self._robot.reach, "grip": self._robot.grip}
        known = {**vars(self._state), **robot, "target": self._target}
        return {name: np.array(known[name], np.float64, ndmin=1) for name in PRIVILEGED}
