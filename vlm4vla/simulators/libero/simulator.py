"""LIBERO behind the simulator contract."""

from __future__ import annotations

import gc

import numpy as np

from vlm4vla.core.episode import Episode
from vlm4vla.core.errors import ResetNeeded
from vlm4vla.core.simulator import Floats, Frames, Observation, Progress
from vlm4vla.core.specs import CameraRequest, ObservationRequest
from vlm4vla.simulators.libero.aims import aims
from vlm4vla.simulators.libero.eye import Eye, cropped
from vlm4vla.simulators.libero.options import LiberoOptions
from vlm4vla.simulators.libero.words import CAMERAS, CROPPED, GOALS, SETTLING
from vlm4vla.simulators.libero.world import STATE, TaskFiles, TaskWorld


class LiberoSimulator:
    """One robot and the task that was played last, which stays loaded."""

    def __init__(self, options: LiberoOptions) -> None:
        """Load nothing yet."""
        self._options = options
        self._world: TaskWorld | None = None
        self._eye: Eye | None = None
        self._episode: Episode | None = None
        self._done = False

    def reset(self, episode: Episode) -> None:
        """The episode's initial state, settled; another task is loaded where it is another's."""
        self._episode = None
        self._close_eye()  # it has seen another model
        scene = TaskFiles.of(episode)
        if self._world is None or self._world.scene != scene:
            self._unload()
            self._world = TaskWorld(scene)
        self._world.reset(episode, self._options.seeding == "community")
        interleaved = self._options.settle == "interleaved"
        self._owed = SETTLING // 2 - 1 if interleaved else 0
        settling = 0 if STATE in episode.setup else 1 if interleaved else SETTLING
        for _ in range(settling):
            self._world.settle()
        self._episode, self._step, self._done = episode, 0, False

    def advance(self, action: Floats) -> Progress:
        """One control step of 50 ms. The episode ends with its first success."""
        world, episode = self._running()
        if self._done:
            raise ResetNeeded("The episode has ended; call reset.")
        success = world.step(np.array(action, np.float64))
        self._step += 1
        goals = world.goals
        truncated = not success and self._step >= episode.max_steps
        self._done = success or truncated
        if self._owed and not self._done:
            self._owed -= 1
            world.settle()
        return Progress(success, success, truncated, measures={GOALS: sum(goals) / len(goals)})

    def observe(self, request: ObservationRequest) -> Observation:
        """Draw and read what is asked for. The physics is not touched."""
        world, episode = self._running()
        return Observation(
            instruction=episode.instruction,
            step=self._step,
            images={camera.name: self._picture(world, camera)[None] for camera in request.cameras},
            proprio=_proprio(world) if request.proprio else None,
            privileged=_privileged(world) if request.privileged else {},
        )

    @property
    def drawn(self) -> Floats:
        """Of the fresh suites, the state that the task's sampler drew."""
        return self._running()[0].drawn

    def close(self) -> None:
        """Give model and renderer back."""
        self._close_eye()
        self._unload()

    def _running(self) -> tuple[TaskWorld, Episode]:
        if self._world is None or self._episode is None:
            raise ResetNeeded("The episode has not begun; call reset.")
        return self._world, self._episode

    def _picture(self, world: TaskWorld, wanted: CameraRequest) -> Frames:
        if self._eye is None:
            self._eye = Eye(world.model)
        camera, size = CAMERAS[wanted.name], self._options.size
        if self._options.view == "full":
            sides = wanted.height or size, wanted.width or size
            return self._eye.frame(world.shown, camera, *sides)
        whole = self._eye.frame(world.shown, camera, size, size)
        return cropped(whole, wanted.height or CROPPED, wanted.width or CROPPED)

    def _close_eye(self) -> None:
        if self._eye is not None:
            self._eye.close()
        self._eye = None

    def _unload(self) -> None:
        if self._world is not None:
            self._world.close()
            self._world = None
            gc.collect()  # robosuite's objects point at each other


def _proprio(world: TaskWorld) -> Floats:
    seen = world.env._get_observations()
    fingers = seen["robot0_gripper_qpos"]
    parts = (
        seen["robot0_eef_pos"], seen["robot0_eef_quat"], fingers, seen["robot0_joint_pos"],
        [fingers[0] - fingers[1]],
    )  # fmt: skip
    return np.concatenate(parts).astype(np.float64)


def _privileged(world: TaskWorld) -> dict[str, Floats]:
    """What experts may see: the grip site's pose (12), the fingers (2), the aims."""
    site = world.env.robots[0].eef_site_id
    pose = [world.data.site_xpos[site], world.data.site_xmat[site]]
    return {
        "tcp": np.concatenate(pose),
        "fingers": np.array(world.env._get_observations()["robot0_gripper_qpos"], np.float64),
        "aims": aims(world),
    }
