"""What CALVIN's scripted policy sees, and the motions its skills are written in.

A skill is a generator: it yields action chunks (n, 7) and is sent the state that they led to. All
motions move the commanded target, which relative actions accumulate on; world frame, metres, rad.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass

import numpy as np

from vlm4vla.core import rotation
from vlm4vla.core.simulator import Floats

COLOURS = ("red", "blue", "pink")
HALF_SIZES = {"red": (0.028, 0.02, 0.02), "blue": (0.02, 0.02, 0.02), "pink": (0.04, 0.02, 0.02)}
"""Of scene D's blocks, along their own axes."""

OPEN, CLOSED = 1.0, -1.0
STEP, TURN = 0.02, 0.05
"""What one unit of an action moves the target by, and turns it by."""
STRIDE = 0.014
"""Metres a step in free motion: faster, the arm lags behind its target."""
DOWN = np.pi
"""Roll of a gripper that points down; the pitch is 0."""
ACROSS = np.pi / 2
"""Yaw at which the fingers open along x."""
TABLE_TOP = 0.44
HIGH = 0.58
"""Height of the TCP that clears everything in front of the wall, with a block in the gripper."""
FRONT = -0.08
"""The TCP's y in front of the sliding door's handle."""
ARRIVED = 0.003
HALF_OPEN, FINGER_WIDTH, FINGER_DEPTH = 0.04, 0.031, 0.0145
"""From the TCP to the inner face of an open finger, a finger's size in the direction in which it
moves, and half its size across (collision mesh, measured)."""


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
        level = [i for i in range(3) if i != self.upright]
        found = []
        for axis in sorted(level, key=lambda i: (HALF_SIZES[self.colour][i], -i)):
            direction = self.axes[:2, axis] / np.linalg.norm(self.axes[:2, axis])
            found.append((direction, HALF_SIZES[self.colour][axis]))
        return found

    def reach(self, axis: int) -> float:
        """How far it extends from its centre along x (0), y (1) or z (2) of the world."""
        return float(np.abs(self.axes[axis]) @ HALF_SIZES[self.colour])

    def grips(self, most: float) -> list[tuple[Floats, float]]:
        """The sides on which it fits between fingers that are 2 x `most` apart."""
        return [side for side in self.sides if side[1] <= most]


@dataclass(frozen=True)
class SeenTable:
    """The simulator's privileged state, named."""

    tcp: Floats
    """(3,)"""
    euler: Floats
    """(3,)"""
    opening: float
    """Between the fingers, 0 to 0.08."""
    gripper: float
    """The last command."""
    target: Floats
    """(6,) commanded position and Euler angles."""
    slide: float
    drawer: float
    button: float
    switch: float
    blocks: Mapping[str, SeenBlock]

    @classmethod
    def read(cls, privileged: Mapping[str, Floats]) -> SeenTable:
        """From `Observation.privileged`: robot_obs (15), scene_obs (24), target (6)."""
        robot, scene = privileged["robot_obs"], privileged["scene_obs"]
        blocks = {}
        for index, colour in enumerate(COLOURS):
            pose = scene[6 + 6 * index : 12 + 6 * index]
            blocks[colour] = SeenBlock(colour, pose[:3], rotation.to_matrix(pose[3:], "euler_xyz"))
        return cls(
            tcp=robot[:3],
            euler=robot[3:6],
            opening=float(robot[6]),
            gripper=float(robot[14]),
            target=privileged["target"],
            slide=float(scene[0]),
            drawer=float(scene[1]),
            button=float(scene[2]),
            switch=float(scene[3]),
            blocks=blocks,
        )

    @property
    def pinched(self) -> SeenBlock | None:
        """The block between the fingers, if there is one."""
        if self.gripper > 0 or self.opening < 0.02:
            return None
        near = min(self.blocks.values(), key=lambda b: float(np.linalg.norm(b.position - self.tcp)))
        return near if np.linalg.norm(near.position - self.tcp) < 0.05 else None


Motion = Generator[Floats, SeenTable, SeenTable]
Skill = Generator[Floats, SeenTable, None]


def go(
    state: SeenTable,
    to: Floats | tuple[float, float, float],
    grip: float,
    yaw: float | None = None,
    pitch: float = 0.0,
    stride: float = STRIDE,
    settle: int = 4,
) -> Motion:
    """Move the target in a straight line, the gripper pointing down, and let the arm follow.

    Args:
        state: where things are.
        to: (3,) where the target shall be.
        grip: the gripper's command meanwhile.
        yaw: the target's yaw at the end; by default as it is.
        pitch: how far the gripper leans back from the wall, as a negative pitch.
        stride: greatest step, metres.
        settle: most steps, in twos, to wait for the arm.
    """
    goal = np.array([*to, DOWN, pitch, state.target[5] if yaw is None else yaw])
    way = goal - state.target
    count = int(np.ceil(max(np.linalg.norm(way[:3]) / stride, np.max(np.abs(way[3:])) / TURN)))
    if count:
        scaled = way / count / np.array([STEP] * 3 + [TURN] * 3)
        state = yield np.tile([*scaled, grip], (count, 1))
    for _ in range(settle // 2):
        if np.linalg.norm(state.tcp - goal[:3]) < ARRIVED:
            break
        state = yield still(grip, 2)
    return state


def hold(grip: float, steps: int) -> Motion:
    """Stay where the target is."""
    state = yield still(grip, steps)
    return state


def still(grip: float, steps: int) -> Floats:
    """Actions (steps, 7) that move nothing but the fingers."""
    return np.tile([0.0] * 6 + [grip], (steps, 1))


def rise(state: SeenTable, grip: float) -> Motion:
    """Up to travelling height, in front of the wall."""
    x, y, z = state.tcp
    pitch = float(state.target[4])
    if x > 0.2 and -0.03 < y < switch_place(state)[1]:  # below the switch: out, then up
        state = yield from go(state, (x, FRONT, z), grip, pitch=pitch, settle=0)
    # Straight up from where the arm is: its target may still press against something.
    if state.tcp[2] < HIGH - 0.01:
        state = yield from go(state, (*state.tcp[:2], HIGH), grip, pitch=pitch, settle=0)
    if state.target[1] > FRONT:
        place = (state.target[0], FRONT, state.target[2])
        state = yield from go(state, place, grip, pitch=pitch, settle=0)
    return state


def above(
    state: SeenTable,
    place: tuple[float, float],
    grip: float,
    yaw: float | None = None,
    pitch: float = 0.0,
) -> Motion:
    """To travelling height above (x, y), by way of the space in front of the wall."""
    state = yield from rise(state, grip)
    x, y = place
    if y > FRONT:
        state = yield from go(state, (x, FRONT, HIGH), grip, yaw, pitch, settle=0)
    return (yield from go(state, (x, y, HIGH), grip, yaw, pitch))


def switch_place(state: SeenTable) -> tuple[float, float, float]:
    """Centre of the switch, which slides up a slope of 60 degrees."""
    return 0.30, 0.0385 + 0.44 * state.switch, 0.5165 + 0.81 * state.switch


def nearest_yaw(wanted: float, period: float, middle: float = ACROSS) -> float:
    """The yaw nearest to `middle` among `wanted` and its equivalents."""
    return wanted - period * round((wanted - middle) / period)
