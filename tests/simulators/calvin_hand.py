"""Moving things on the real play table from tests: scenes set up by hand, and a steady hand."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vlm4vla.core.assets import locate
from vlm4vla.simulators.calvin.scenes import scene
from vlm4vla.simulators.calvin.world import PlayTable

OPEN, CLOSED = 1.0, -1.0
ACROSS = np.pi / 2
"""Yaw of a hand whose fingers open along x, and of a block whose narrow side lies along x."""
LEAN = -0.35
"""Pitch of a hand over the shelf, where an upright one would touch the wall."""

HOME = np.array([
    0.02586889, -0.2313129, 0.5712808, 3.09045411, -0.02908596, 1.50013585, 0.07999963,
    -1.21779124, 1.03987629, 2.11978254, -2.34205014, -0.87015899, 1.64119093, 0.55344928, 1.0,
])  # fmt: skip
TABLE_TOP, SHELF_TOP, DRAWER_FLOOR = 0.44, 0.441, 0.342
HALF = 0.02
"""Half a block's height."""

Spot = tuple[float, float, float]


def on_table(x: float, y: float = -0.12) -> Spot:
    return x, y, TABLE_TOP + HALF


def on_shelf(x: float, y: float = 0.0924) -> Spot:
    return x, y, SHELF_TOP + HALF


def in_drawer(x: float, opened: float) -> Spot:
    return x, -0.07 - opened, DRAWER_FLOOR + HALF


ELSEWHERE = (on_table(0.05), on_table(0.23), on_shelf(-0.24))
"""Where blocks stand that a test says nothing of."""


class Hand:
    """The robot of one world, moved along straight lines by absolute actions."""

    def __init__(self, world: PlayTable, gripper: float = OPEN) -> None:
        self.world = world
        self.gripper, self.yaw, self.pitch = gripper, ACROSS, 0.0
        self.actions: list[np.ndarray] = []

    @property
    def tcp(self) -> np.ndarray:
        return self.world.robot_obs()[:3]

    def go(self, *place: float, stride: float = 0.012, yaw: float | None = None) -> None:
        """To `place` (3,), metres, then a few steps to settle."""
        start, before = self.tcp, self.yaw
        way = np.subtract(place, start)
        self.yaw = before if yaw is None else yaw
        turn = self.yaw - before
        steps = max(int(np.ceil(np.linalg.norm(way) / stride)), int(abs(turn) / 0.03), 1)
        for step in range(1, steps + 5):
            part = min(step / steps, 1.0)
            self._step(start + part * way, before + part * turn)

    def rise(self, by: float) -> None:
        x, y, z = self.tcp
        self.go(x, y, z + by)

    def hold(self, steps: int, gripper: float | None = None) -> None:
        """Stay, and open or close."""
        self.gripper = self.gripper if gripper is None else gripper
        place = self.tcp
        for _ in range(steps):
            self._step(place, self.yaw)

    def grasp(self, colour: str, pitch: float = 0.0) -> None:
        """The fingers around a block that lies across."""
        x, y, z = self.block(colour)
        self.pitch, self.gripper = pitch, OPEN
        self.go(x, y - (0.10 if pitch else 0.0), 0.60)
        self.go(x, y, z + 0.10)
        self.go(x, y, z + 0.005)
        self.hold(10, CLOSED)

    def block(self, colour: str) -> np.ndarray:
        """Where a block is, (3,) metres."""
        return self.world.snapshot().blocks[f"block_{colour}"].position

    def _step(self, place: np.ndarray, yaw: float) -> None:
        action = np.array([*place, np.pi, self.pitch, yaw, self.gripper])
        self.actions.append(action)
        self.world.step_abs(action)


def start(
    name: str = "calvin_scene_D",
    places: Mapping[str, Spot] | None = None,
    *,
    slide: float = 0.0,
    drawer: float = 0.0,
    bulb: int = 0,
    led: int = 0,
    yaws: Mapping[str, float] | None = None,
) -> np.ndarray:
    """A `scene_obs` (24,): blocks lie across, those that `places` leaves out somewhere free."""
    values = [slide, drawer, 0.0, 0.088 * bulb, float(bulb), float(led)]
    free = list(ELSEWHERE)
    for spot in (places or {}).values():
        free.remove(min(free, key=lambda other: float(np.linalg.norm(np.subtract(other, spot)))))
    for block in scene(name).blocks:
        colour = block.name.removeprefix("block_")
        spot = (places or {}).get(colour) or free.pop(0)
        values += [*spot, 0.0, 0.0, (yaws or {}).get(colour, ACROSS)]
    return np.array(values)


def table(
    name: str = "calvin_scene_D", places: Mapping[str, Spot] | None = None, **state
) -> PlayTable:
    """The play table in the state that `start` describes, settled for a moment."""
    world = PlayTable(scene(name), locate("calvin", "data"))
    world.reset(HOME, start(name, places, **state))
    Hand(world).hold(8)
    return world
