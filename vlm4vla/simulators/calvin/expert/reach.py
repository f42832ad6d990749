"""What CALVIN's scripted policy sees, and where its gripper fits beside the other blocks.

A finger set down on a block presses it through the table, whose top is a thin shell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vlm4vla.core import rotation
from vlm4vla.core.simulator import Floats
from vlm4vla.simulators.calvin.scenes import SCENES

HALF_SIZES = {
    block.name.removeprefix("block_"): block.half_extents
    for block in SCENES["calvin_scene_D"].blocks
}
"""Colour -> half sizes along the block's own axes, metres."""
ACROSS = np.pi / 2
"""Yaw at which the fingers open along x."""
HALF_OPEN, FINGER_WIDTH, FINGER_DEPTH = 0.04, 0.031, 0.0145
"""From the TCP to the inner face of an open finger, a finger's size in the direction in which it
moves, and half its size across (collision mesh, measured)."""
MARGIN = 0.004
"""Room that a finger should have, metres."""
DRAWER_LEFT, DRAWER_RIGHT, DRAWER_FRONT = 0.0035, 0.356, -0.156
"""Inner walls of the drawer, the front one when it is shut (measured by rays)."""
TABLE_EDGE = -0.1815
DRAWER_TOP = 0.42
"""A block whose centre is lower lies in the drawer."""


@dataclass(frozen=True)
class SeenBlock:
    """One of the three blocks."""

    colour: str
    position: Floats
    """(3,)"""
    axes: Floats
    """(3, 3), columns are the block's own axes in the world."""

    @property
    def upright(self) -> int:
        """Which of its own axes is vertical."""
        return int(np.argmax(np.abs(self.axes[2])))

    @property
    def half_height(self) -> float:
        """Metres from its centre to its top."""
        return HALF_SIZES[self.colour][self.upright]

    @property
    def sides(self) -> list[tuple[Floats, float]]:
        """Its two level axes: direction (2,) in the world, half size; the narrow one first."""
        half = HALF_SIZES[self.colour]
        level = sorted({0, 1, 2} - {self.upright}, key=lambda axis: (half[axis], -axis))
        directions = (self.axes[:2, axis] for axis in level)
        return [
            (d / np.linalg.norm(d), half[axis]) for d, axis in zip(directions, level, strict=True)
        ]

    @property
    def footprint(self) -> Rectangle:
        """The block from above."""
        (x, first), (y, second) = self.sides
        return Rectangle(self.position[:2], np.array([x, y]), (first, second))

    def reach(self, axis: int) -> float:
        """How far it extends from its centre along x (0), y (1) or z (2) of the world."""
        return float(np.abs(self.axes[axis]) @ HALF_SIZES[self.colour])


@dataclass(frozen=True)
class SeenTable:
    """The simulator's privileged state, named."""

    tcp: Floats
    """(3,)"""
    opening: float
    """Between the fingers, 0 to 0.08."""
    gripper: float
    """The last command."""
    target: Floats
    """(6,) commanded position and Euler angles."""
    slide: float
    drawer: float
    switch: float
    blocks: Mapping[str, SeenBlock]

    @classmethod
    def read(cls, privileged: Mapping[str, Floats]) -> SeenTable:
        """From `Observation.privileged`: robot_obs (15), scene_obs (24), target (6)."""
        robot, scene = privileged["robot_obs"], privileged["scene_obs"]
        blocks = {
            colour: SeenBlock(colour, pose[:3], rotation.to_matrix(pose[3:], "euler_xyz"))
            for colour, pose in zip(HALF_SIZES, scene[6:].reshape(3, 6), strict=True)
        }
        slide, drawer, _, switch = (float(joint) for joint in scene[:4])
        opening, gripper = float(robot[6]), float(robot[14])
        return cls(robot[:3], opening, gripper, privileged["target"], slide, drawer, switch, blocks)

    @property
    def nearest(self) -> SeenBlock:
        """The block nearest to the TCP; the one in the gripper, if there is one."""
        blocks = self.blocks.values()
        return min(blocks, key=lambda b: float(np.linalg.norm(b.position - self.tcp)))

    @property
    def pinched(self) -> SeenBlock | None:
        """The block between the fingers, if there is one."""
        if self.gripper > 0 or self.opening < 0.02:
            return None
        near = self.nearest
        return near if np.linalg.norm(near.position - self.tcp) < 0.05 else None

    @property
    def switch_place(self) -> tuple[float, float, float]:
        """Centre of the switch, which slides up a slope of 60 degrees."""
        return 0.30, 0.0385 + 0.44 * self.switch, 0.5165 + 0.81 * self.switch

    def others(self, block: SeenBlock) -> list[SeenBlock]:
        """All blocks but this one."""
        return [other for other in self.blocks.values() if other.colour != block.colour]


@dataclass(frozen=True)
class Rectangle:
    """A box seen from above."""

    centre: Floats
    """(2,)"""
    axes: Floats
    """(2, 2), rows are unit vectors."""
    half: tuple[float, float]

    def gap(self, other: Rectangle) -> float:
        """Distance along the best separating axis; negative where they overlap."""
        between = other.centre - self.centre
        return max(
            abs(float(axis @ between)) - self._extent(axis) - other._extent(axis)
            for axis in (*self.axes, *other.axes)
        )

    def _extent(self, axis: Floats) -> float:
        return float(np.abs(self.axes @ axis) @ self.half)


BUTTON = Rectangle(np.array([-0.12, -0.12]), np.eye(2), (0.035, 0.035))
"""It stands out of the table; a finger on it would toggle the LED."""


@dataclass(frozen=True)
class Grip:
    """How to take a block: the TCP's place (2,) and yaw."""

    place: Floats
    yaw: float


def best_grip(
    state: SeenTable, block: SeenBlock, middle: float = ACROSS, most: float = 2.0
) -> Grip:
    """The plainest grip whose fingers touch no other block, or the one with most room.

    Plain means: on the narrow side, turned little, in its middle. `middle` is the yaw to stay near,
    `most` how far from `ACROSS` it may be.
    """
    obstacles = _neighbours(state, block)
    ways = []
    for direction, half in block.sides:
        yaw = nearest_yaw(float(np.arctan2(direction[1], direction[0])) + ACROSS, np.pi, middle)
        if half <= HALF_OPEN - 0.006 and abs(yaw - ACROSS) <= most:
            ways.append((half, abs(yaw - middle), yaw, direction))
    grips: list[tuple[float, Grip]] = []
    for half, _, yaw, direction in sorted(ways, key=lambda way: way[:2]):
        play = HALF_OPEN - half - MARGIN
        for shift in (0.0, 0.5 * play, -0.5 * play, play, -play):
            place = block.position[:2] + shift * direction
            fingers = _fingers(place, direction)
            gap = min((f.gap(o) for f in fingers for o in obstacles), default=1.0)
            grips.append((gap, Grip(place, yaw)))
            if gap > MARGIN:
                return grips[-1][1]
    if grips:
        return max(grips, key=lambda one: one[0])[1]
    if most < np.pi:
        return best_grip(state, block, middle, np.pi)
    return Grip(block.position[:2], ACROSS)  # no side is narrow enough; try anyway


def push_distance(state: SeenTable, block: SeenBlock, direction: float) -> float | None:
    """How far from the block's centre along x closed fingers (yaw 0) fit, or None."""
    obstacles = _neighbours(state, block)
    for distance in (0.09, 0.08, 0.07, 0.06, 0.05, 0.045, 0.04):
        centre = block.position[:2] - np.array([distance * direction, 0.0])
        tool = Rectangle(centre, np.eye(2), (FINGER_DEPTH, FINGER_WIDTH))
        if tool.gap(block.footprint) < MARGIN / 2:
            return None
        if all(tool.gap(other) > MARGIN for other in obstacles):
            return distance
    return None


def room(state: SeenTable, block: SeenBlock, place: Floats) -> float:
    """The gap that `block`, as it is turned now, would have at `place` (2,) to the others."""
    own = block.footprint
    there = Rectangle(place, own.axes, own.half)
    return min(there.gap(other.footprint) for other in state.others(block))


def nearest_yaw(wanted: float, period: float, middle: float = ACROSS) -> float:
    """The yaw nearest to `middle` among `wanted` and its equivalents."""
    return wanted - period * round((wanted - middle) / period)


def _fingers(place: Floats, direction: Floats) -> list[Rectangle]:
    """Both open fingers of a gripper at `place` that closes along `direction`."""
    axes = np.array([direction, [-direction[1], direction[0]]])
    out = HALF_OPEN + FINGER_WIDTH / 2
    half = (FINGER_WIDTH / 2, FINGER_DEPTH)
    return [Rectangle(place + side * out * direction, axes, half) for side in (1, -1)]


def _neighbours(state: SeenTable, block: SeenBlock) -> list[Rectangle]:
    """What fingers around this block could meet: other blocks, the button, the drawer's walls."""
    height = block.position[2]
    level = [b.footprint for b in state.others(block) if abs(b.position[2] - height) < 0.035]
    if height < DRAWER_TOP:
        return [*level, *_walls(DRAWER_LEFT, DRAWER_RIGHT, DRAWER_FRONT - state.drawer, TABLE_EDGE)]
    return [*level, BUTTON]


def _walls(left: float, right: float, front: float, back: float) -> list[Rectangle]:
    """The four sides of a box, each as thick as it is wide."""
    x, y = (left + right) / 2, (front + back) / 2
    half = ((right - left) / 2, (back - front) / 2)
    sides = ((2 * half[0], 0.0), (-2 * half[0], 0.0), (0.0, 2 * half[1]), (0.0, -2 * half[1]))
    return [Rectangle(np.array([x + dx, y + dy]), np.eye(2), half) for dx, dy in sides]
