"""The door through which upstream's golden CALVIN traces are replayed.

python $VLM4VLA_GOLDEN/calvin/check_golden.py FILE.npz tests.golden_calvin:make
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from vlm4vla.core.assets import locate
from vlm4vla.simulators.calvin.oracle import solved_tasks
from vlm4vla.simulators.calvin.renderer import picture
from vlm4vla.simulators.calvin.scenes import scene
from vlm4vla.simulators.calvin.world import PlayTable


class Seen(Mapping):
    """One observation; pictures are rendered when they are looked at."""

    def __init__(self, world: PlayTable) -> None:
        self._world = world
        self._read = {"robot_obs": world.robot_obs(), "scene_obs": world.scene_obs()}

    def __getitem__(self, key: str) -> np.ndarray:
        return self._read[key] if key in self._read else picture(self._world, key[len("rgb_") :])

    def __iter__(self) -> Iterator[str]:
        return iter(("robot_obs", "scene_obs", "rgb_static", "rgb_gripper"))

    def __len__(self) -> int:
        return 4


class Replayed:
    """Our world under the names that the checker uses."""

    def __init__(self, world: PlayTable) -> None:
        self.world = world

    def reset(self, robot_obs: np.ndarray, scene_obs: np.ndarray) -> Seen:
        self.world.reset(robot_obs, scene_obs)
        self._start = self.world.snapshot()
        return Seen(self.world)

    def step_rel(self, action: np.ndarray) -> Seen:
        self.world.step_rel(action)
        return Seen(self.world)

    def step_abs(self, action: np.ndarray) -> Seen:
        self.world.step_abs(action)
        return Seen(self.world)

    def completed_tasks(self) -> set[str]:
        return set(solved_tasks(self._start, self.world.snapshot()))


def make() -> Replayed:
    return Replayed(PlayTable(scene("calvin_scene_D"), locate("calvin", "data")))


def displaced() -> Replayed:
    """A world that is not upstream's: its blocks are loaded in each other's places."""
    chosen = scene("calvin_scene_D")
    places = [(block.position, block.yaw) for block in reversed(chosen.blocks)]
    blocks = tuple(
        replace(block, position=position, yaw=yaw)
        for block, (position, yaw) in zip(chosen.blocks, places, strict=True)
    )
    return Replayed(PlayTable(replace(chosen, blocks=blocks), locate("calvin", "data")))
