"""Where CALVIN's gripper fits: grips and pushes that leave the other blocks alone.

A finger set down on a block presses it through the table, whose top is a thin shell.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from vlm4vla.core.simulator import Floats
from vlm4vla.simulators.calvin.expert.motion import (
    ACROSS,
    FINGER_DEPTH,
    FINGER_WIDTH,
    HALF_OPEN,
    SeenBlock,
    SeenTable,
    nearest_yaw,
)

MARGIN = 0.004
"""Room that a finger should have, metres."""
DRAWER_LEFT, DRAWER_RIGHT, DRAWER_FRONT = 0.0035, 0.356, -0.156
"""Inner walls of the drawer, the front one when it is shut (measured by rays)."""
TABLE_EDGE = -0.1815
DRAWER_TOP = 0.42
"""A block whose centre is lower lies in the drawer."""


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
    others = _neighbours(state, block)
    found: tuple[float, Grip] | None = None
    ways = []
    for direction, half in block.grips(HALF_OPEN - 0.006):
        yaw = nearest_yaw(float(np.arctan2(direction[1], direction[0])) + ACROSS, np.pi, middle)
        ways.append((half, abs(yaw - middle), yaw, direction))
    for half, _, yaw, direction in sorted(ways, key=lambda way: way[:2]):
        if abs(yaw - ACROSS) > most:
            continue
        play = HALF_OPEN - half - MARGIN
        for shift in (0.0, 0.5 * play, -0.5 * play, play, -play):
            place = block.position[:2] + shift * direction
            room = min((f.gap(o) for f in _fingers(place, direction) for o in others), default=1.0)
            if room > MARGIN:
                return Grip(place, yaw)
            if found is None or room > found[0]:
                found = room, Grip(place, yaw)
    if found is None and most < np.pi:
        return best_grip(state, block, middle, np.pi)
    if found is None:  # lies so that no side is narrow enough; try anyway
        return Grip(block.position[:2], ACROSS)
    return found[1]


def push_distance(state: SeenTable, block: SeenBlock, direction: float) -> float | None:
    """How far from the block's centre along x closed fingers (yaw 0) fit, or None."""
    others = _neighbours(state, block)
    own = _footprint(block)
    for distance in (0.09, 0.08, 0.07, 0.06, 0.05, 0.045, 0.04):
        centre = block.position[:2] - np.array([distance * direction, 0.0])
        tool = Rectangle(centre, np.eye(2), (FINGER_DEPTH, FINGER_WIDTH))
        if tool.gap(own) < MARGIN / 2:
            return None
        if all(tool.gap(other) > MARGIN for other in others):
            return distance
    return None


def room(place: Floats, block: SeenBlock, others: Iterable[SeenBlock]) -> float:
    """The gap that `block`, as it is turned now, would have at `place` (2,) to the others."""
    own = _footprint(block)
    there = Rectangle(place, own.axes, own.half)
    return min((there.gap(_footprint(other)) for other in others), default=1.0)


def _fingers(place: Floats, direction: Floats) -> list[Rectangle]:
    """Both open fingers of a gripper at `place` that closes along `direction`."""
    axes = np.array([direction, [-direction[1], direction[0]]])
    out = HALF_OPEN + FINGER_WIDTH / 2
    half = (FINGER_WIDTH / 2, FINGER_DEPTH)
    return [Rectangle(place + side * out * direction, axes, half) for side in (1, -1)]


def _footprint(block: SeenBlock) -> Rectangle:
    (x, first), (y, second) = block.sides
    return Rectangle(block.position[:2], np.array([x, y]), (first, second))


def _neighbours(state: SeenTable, block: SeenBlock) -> list[Rectangle]:
    """What fingers around this block could meet: other blocks, the button, the drawer's walls."""
    found = [
        _footprint(other)
        for other in state.blocks.values()
        if other.colour != block.colour and abs(other.position[2] - block.position[2]) < 0.035
    ]
    if block.position[2] < DRAWER_TOP:
        front = DRAWER_FRONT - state.drawer
        return [*found, *_walls(DRAWER_LEFT, DRAWER_RIGHT, front, TABLE_EDGE)]
    return [*found, BUTTON]


def _walls(left: float, right: float, front: float, back: float) -> list[Rectangle]:
    """The four sides of a box, each as thick as it is wide."""
    x, y = (left + right) / 2, (front + back) / 2
    half = ((right - left) / 2, (back - front) / 2)
    sides = ((2 * half[0], 0.0), (-2 * half[0], 0.0), (0.0, 2 * half[1]), (0.0, -2 * half[1]))
    return [Rectangle(np.array([x + dx, y + dy]), np.eye(2), half) for dx, dy in sides]
