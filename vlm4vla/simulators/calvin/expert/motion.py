"""The motions that CALVIN's scripted skills are written in.

A skill is a generator: it yields action chunks (n, 7) and is sent the state that they led to. All
motions move the commanded target, which relative actions accumulate on; world frame, metres, rad.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from vlm4vla.core.simulator import Floats
from vlm4vla.simulators.calvin.expert.reach import SeenBlock, SeenTable, room

OPEN, CLOSED = 1.0, -1.0
STEP, TURN = 0.02, 0.05
"""What one unit of an action moves the target by, and turns it by."""
STRIDE = 0.014
"""Metres a step in free motion: faster, the arm lags behind its target."""
DOWN = np.pi
"""Roll of a gripper that points down; the pitch is 0."""
TABLE_TOP = 0.44
HIGH = 0.58
"""Height of the TCP that clears everything in front of the wall, with a block in the gripper."""
FRONT = -0.08
"""The TCP's y in front of the sliding door's handle."""
ARRIVED = 0.003

_DISTANCES = (0.045, 0.055, 0.065, 0.075, 0.085, 0.1, 0.12)
_X, _Y = (-0.08, 0.32), (-0.15, -0.03)
"""Where a block that was still held may be set down: rings about it, and how far they count."""

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


def still(grip: float, steps: int) -> Floats:
    """Actions (steps, 7) that move nothing but the fingers."""
    return np.tile([0.0] * 6 + [grip], (steps, 1))


def rise(state: SeenTable, grip: float) -> Motion:
    """Up to travelling height, in front of the wall."""
    x, y, z = state.tcp
    pitch = float(state.target[4])
    if x > 0.2 and -0.03 < y < state.switch_place[1]:  # below the switch: out, then up
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
    place: tuple[float, float] | Floats,
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


def let_go(state: SeenTable) -> Motion:
    """Nothing in the gripper, and clear of everything.

    A subtask is over the moment it is done, with the robot wherever it is: so the next one begins.
    """
    block = state.pinched
    if block is not None:
        if block.position[2] - block.reach(2) > TABLE_TOP + 0.012:
            state = yield from _set_down(state, block)
        state = yield still(OPEN, 8)
    return (yield from rise(state, state.gripper))


def _set_down(state: SeenTable, block: SeenBlock) -> Motion:
    """Lower the held block on the nearest free spot of the table."""
    x, y = _free_spot(state, block)
    pitch = float(state.target[4])
    height = max(state.tcp[2], min(state.tcp[2] + 0.03, HIGH))
    state = yield from go(state, (*state.tcp[:2], height), CLOSED, pitch=pitch, settle=0)
    state = yield from go(state, (x, y, height), CLOSED, pitch=pitch)
    now = state.blocks[block.colour]
    low = TABLE_TOP + block.reach(2) + 0.003 + state.tcp[2] - now.position[2]
    return (yield from go(state, (x, y, low), CLOSED, pitch=pitch, stride=0.01))


def _free_spot(state: SeenTable, block: SeenBlock) -> Floats:
    """Where the TCP (2,) may let go: the nearest of a few rings around it with room."""
    here, held = block.position[:2], state.tcp[:2] - block.position[:2]
    for distance in _DISTANCES:
        for angle in np.linspace(0, 2 * np.pi, 16, endpoint=False):
            spot = here + distance * np.array([np.cos(angle), np.sin(angle)])
            inside = _X[0] < spot[0] < _X[1] and _Y[0] < spot[1] < _Y[1]
            if inside and room(state, block, spot) > 0.006:
                return np.asarray(spot + held)
    return np.asarray(here + held)
