"""The Bridge tasks behind the simulator contract."""

from __future__ import annotations

import numpy as np

from vlm4vla.core.episode import Episode
from vlm4vla.simulators.simpler.bridge import world
from vlm4vla.simulators.simpler.bridge.protocol import TASKS
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
        task = TASKS[episode.key.task]
        made = BridgeWorld(task, episode.instruction, self._files, self._urdf)
        made.settle(np.array(episode.setup["starts"], np.float64))
        made.begin()
        return made

    def look(self, episode: Episode) -> str:
        """Episodes of one task look alike."""
        return episode.key.task

    def build_view(self, episode: Episode) -> OverlaidView:
        """The task's setting, with what the photo leaves visible in front of it."""
        return world.view(TASKS[episode.key.task], self._files, self._urdf)
