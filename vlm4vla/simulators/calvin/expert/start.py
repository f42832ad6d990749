"""How CALVIN's scripted policy begins: rid of what the last subtask ended in.

A subtask is over the moment it is done, with the robot wherever it is.
"""

from __future__ import annotations

import numpy as np

from vlm4vla.core.simulator import Floats
from vlm4vla.simulators.calvin.expert.motion import (
    CLOSED,
    HIGH,
    OPEN,
    TABLE_TOP,
    Motion,
    SeenBlock,
    SeenTable,
    go,
    hold,
    rise,
)
from vlm4vla.simulators.calvin.expert.reach import room

_DISTANCES = (0.045, 0.055, 0.065, 0.075, 0.085, 0.1, 0.12)
_X, _Y = (-0.08, 0.32), (-0.15, -0.03)


def let_go(state: SeenTable) -> Motion:
    """Nothing in the gripper, and clear of everything."""
    block = state.pinched
    if block is not None and block.position[2] - block.reach(2) > TABLE_TOP + 0.012:
        state = yield from set_down(state, block)
    elif block is not None:
        state = yield from hold(OPEN, 8)
    return (yield from rise(state, state.gripper))


def set_down(state: SeenTable, block: SeenBlock) -> Motion:
    """Put the held block on the nearest free spot of the table."""
    x, y = _free_spot(state, block)
    pitch = float(state.target[4])
    height = max(state.tcp[2], min(state.tcp[2] + 0.03, HIGH))
    state = yield from go(state, (*state.tcp[:2], height), CLOSED, pitch=pitch, settle=0)
    state = yield from go(state, (x, y, height), CLOSED, pitch=pitch)
    low = TABLE_TOP + block.reach(2) + 0.003 + state.tcp[2] - block_of(state, block).position[2]
    state = yield from go(state, (x, y, low), CLOSED, pitch=pitch, stride=0.01)
    return (yield from hold(OPEN, 8))


def block_of(state: SeenTable, block: SeenBlock) -> SeenBlock:
    """The same block as it is now."""
    return state.blocks[block.colour]


def _free_spot(state: SeenTable, block: SeenBlock) -> Floats:
    """Where the TCP (2,) may let go: the nearest of a few rings around it with room."""
    others = [b for b in state.blocks.values() if b.colour != block.colour]
    here, held = block.position[:2], state.tcp[:2] - block.position[:2]
    for distance in _DISTANCES:
        for angle in np.linspace(0, 2 * np.pi, 16, endpoint=False):
            spot = here + distance * np.array([np.cos(angle), np.sin(angle)])
            inside = _X[0] < spot[0] < _X[1] and _Y[0] < spot[1] < _Y[1]
            if inside and room(spot, block, others) > 0.006:
                return np.asarray(spot + held)
    return np.asarray(here + held)
