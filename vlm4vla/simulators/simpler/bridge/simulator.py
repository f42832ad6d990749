"""The Bridge tasks behind the simulator contract."""

from __future__ import annotations

import numpy as np

from vlm4vla.core.episode import Episode
from vlm4vla.simulators.simpler.bridge import world
from vlm4vla.simulators.simpler.bridge.protocol import TASKS, BridgeTask
from vlm4vla.simulators.simpler.bridge.world import BridgeWorld
from vlm4vla.simulators.simpler.simulator import SceneSimulator
from vlm4vla.simulators.simpler.view import OverlaidView


class BridgeSimulator(SceneSimulator):
    """A WidowX, a thing to be moved and the thing it is to be moved onto."""

    def __init__(self) -> None:
        """Find the files; MissingAsset."""
        super().__init__()
        self._files, self._urdf = world.held_files(), world.robot_urdf()

    def build(self, episode: Episode) -> BridgeWorld:
        """Dropped, settled, and the robot in its place."""
        setup, task = episode.setup, _task(episode)
        supported = bool(setup.get("supported"))
        made = BridgeWorld(task, episode.instruction, self._files, self._urdf, supported)
        if "rests" in setup:
            made.lay(np.array(setup["rests"], np.float64))
        else:
            made.settle(np.array(setup["starts"], np.float64))
        qpos = np.array(task.setting.qpos)
        qpos[:6] += np.array(setup.get("arm", np.zeros(6)), np.float64)
        made.begin(qpos)
        return made

    def look(self, episode: Episode) -> object:
        """Episodes of one task look alike."""
        return _task(episode), bool(episode.setup.get("supported"))

    def build_view(self, episode: Episode) -> OverlaidView:
        """The task's setting, with what the photo leaves visible in front of it."""
        supported = bool(episode.setup.get("supported"))
        return world.view(_task(episode), self._files, self._urdf, supported)


def _task(episode: Episode) -> BridgeTask:
    return TASKS[str(episode.setup["task"])]
