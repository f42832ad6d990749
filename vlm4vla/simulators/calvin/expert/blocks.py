"""Scripted skills for the three blocks: lift, push, turn, store, stack."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from vlm4vla.core.simulator import Floats
from vlm4vla.simulators.calvin.expert.fixtures import clear_door
from vlm4vla.simulators.calvin.expert.motion import (
    CLOSED,
    FRONT,
    HIGH,
    OPEN,
    TABLE_TOP,
    Motion,
    Skill,
    above,
    go,
    let_go,
    still,
)
from vlm4vla.simulators.calvin.expert.reach import (
    ACROSS,
    DRAWER_TOP,
    FINGER_DEPTH,
    HALF_SIZES,
    SeenBlock,
    SeenTable,
    best_grip,
    push_distance,
    room,
)

GRASP = 0.005
"""The TCP's height above the centre of the block that it takes."""
LIFT = 0.12
DROP = 0.012
STROKES = {1.0: (0.10, 0.11, 0.12, 0.13), -1.0: (0.11, 0.12, 0.13)}
"""Where the strokes that end a push turn back, to the right and to the left, metres."""
SHELF = 0.03
"""The y from which on a block is on the shelf."""
DRAWER = (0.09, 0.29)
"""Block centres, x, that fall clear of the drawer's walls: by a wall no finger fits."""
DRAWER_FLOOR, SHELF_TOP = 0.342, 0.444
SPOTS = {True: (-0.24, -0.18, -0.285), False: (0.07, 0.0, 0.035)}
"""Where on the shelf to put a block, x: left of the door (True) or right of it."""
LEAN = -0.6
"""Pitch in front of the wall behind the shelf, which an upright hand would touch."""


def grasp(
    state: SeenTable, colour: str, middle: float = ACROSS, lean: float | None = None
) -> Motion:
    """From anywhere to fingers closed around the block; `middle` is the yaw to stay near."""
    state = yield from let_go(state)
    block = state.blocks[colour]
    on_shelf = block.position[1] > SHELF
    walls = on_shelf or block.position[2] < DRAWER_TOP
    grip = best_grip(state, block, middle, most=0.8 if walls else 2.0)
    # The hand is wide: beside the shelf it must not turn. Closing fingers turn the block instead.
    yaw = float(np.clip(grip.yaw, ACROSS - 0.3, ACROSS + 0.2)) if on_shelf else grip.yaw
    pitch = LEAN if lean is None else lean
    state = yield from above(state, grip.place, OPEN, yaw, pitch)
    z = state.blocks[colour].position[2] + GRASP
    state = yield from go(state, (*grip.place, z), OPEN, yaw, pitch)
    return (yield still(CLOSED, 8))


def pick(state: SeenTable, colour: str) -> Motion:
    """Grasp it and raise it."""
    state = yield from grasp(state, colour)
    x, y, z, _, pitch, _ = state.target
    return (yield from go(state, (x, y, z + LIFT), CLOSED, pitch=pitch, stride=0.01))


def lift(state: SeenTable, colour: str) -> Skill:
    """Take it where it is and raise it."""
    for _ in range(3):
        x, y, _z = state.blocks[colour].position
        if y > SHELF:
            state = yield from let_go(state)
            state = yield from clear_door(state, x)
        state = yield from pick(state, colour)


def push(state: SeenTable, colour: str, direction: float) -> Skill:
    """Push it along x with closed fingers; `direction` is 1 for right."""
    for _ in range(3):
        state = yield from let_go(state)
        block = state.blocks[colour]
        x, y, z = block.position
        distance = push_distance(state, block, direction)
        if distance is None:
            state = yield from drag(state, colour, direction)
            continue
        start = x - distance * direction
        touch = x - (block.reach(0) + FINGER_DEPTH) * direction
        low = z + GRASP
        state = yield from above(state, (start, y), CLOSED, 0.0)
        state = yield from go(state, (start, y, low), CLOSED, 0.0)
        state = yield from go(state, (touch + 0.05 * direction, y, low), CLOSED, stride=0.007)
        # Strokes after which the block slides on, out of the fingers' touch: some subtasks cannot
        # be done with a block that the robot touched when they began.
        for end in STROKES[direction]:
            back = (touch + (end - 0.08) * direction, y, low)
            state = yield from go(state, back, CLOSED)
            to = (touch + end * direction, y, low)
            state = yield from go(state, to, CLOSED, stride=0.02, settle=0)
            state = yield from go(state, back, CLOSED, stride=0.02, settle=6)


def drag(state: SeenTable, colour: str, direction: float) -> Motion:
    """Where nothing fits behind it: take it and move it along x, on the table."""
    state = yield from grasp(state, colour, lean=0.0)
    x, y, z = state.target[:3]
    end = x + 0.14 * direction
    state = yield from go(state, (x, y, z + 0.004), CLOSED)
    state = yield from go(state, (end, y, z + 0.004), CLOSED, stride=0.01)
    state = yield from go(state, (end, y, z), CLOSED)
    return (yield still(OPEN, 10))


def turn(state: SeenTable, colour: str, direction: float) -> Skill:
    """Take it and turn it on the spot; `direction` is 1 for left."""
    for _ in range(2):
        state = yield from grasp(state, colour, ACROSS - 0.6 * direction, lean=0.0)
        x, y, z, _, _, yaw = state.target
        state = yield from go(state, (x, y, z + DROP), CLOSED)
        state = yield from go(state, (x, y, z + DROP), CLOSED, yaw + 1.3 * direction)
        # Let fall, so that nothing holds the block when it is done.
        state = yield still(OPEN, 15)


def place_in_drawer(state: SeenTable) -> Skill:
    """Carry the held block over the drawer and let it down."""
    y = -0.19 - state.drawer / 2
    place = free_spot(state, state.nearest, [(x, y) for x in (0.18, 0.08, 0.28)], 0.035)
    yield from put(state, place, DRAWER_FLOOR)


def place_in_slider(state: SeenTable) -> Skill:
    """Carry the held block over the open part of the shelf and let it down.

    Where fingers will fit beside it; else right before a block that is there.
    """
    left = state.slide < 0.14
    state = yield from clear_door(state, -0.24 if left else 0.07)
    block = state.nearest
    there = (b.position for b in state.others(block) if b.position[1] > SHELF)
    before = [(x, 0.022) for x, _, _ in there if (x < -0.1) == left]
    place = free_spot(state, block, [(x, 0.075) for x in SPOTS[left]], 0.04, before)
    yield from put(state, place, SHELF_TOP)


def put(state: SeenTable, place: Floats, floor: float) -> Motion:
    """Carry the held block up, across and down to the height `floor`, and release it."""
    block = state.nearest
    offset = block.position - state.tcp
    x, y = place - offset[:2]
    low = floor + block.half_height + 0.006 - offset[2]
    pitch = float(state.target[4])
    state = yield from above(state, (x, y), CLOSED, ACROSS if y > FRONT else None, pitch)
    state = yield from go(state, (x, y, low), CLOSED, pitch=pitch, stride=0.01)
    return (yield from release(state))


def release(state: SeenTable) -> Motion:
    """Open, and up."""
    state = yield still(OPEN, 10)
    x, y, _, _, pitch, _ = state.target
    return (yield from go(state, (x, y, HIGH), OPEN, pitch=pitch))


def stack(state: SeenTable) -> Skill:
    """Set the held block upon the one that stands on the table."""
    bases = [b for b in state.others(state.nearest) if on_table(b)]
    if not bases:
        return
    base = min(bases, key=lambda b: float(np.linalg.norm(b.position - state.tcp))).colour
    pitch = float(state.target[4])
    for descend in (False, True):  # both may have moved a little meanwhile: look again above
        below, block = state.blocks[base], state.nearest
        offset = block.position - state.tcp
        x, y = below.position[:2] - offset[:2]
        if not descend:
            state = yield from above(state, (x, y), CLOSED, pitch=pitch)
            continue
        z = below.position[2] + below.half_height + block.half_height + 0.003 - offset[2]
        state = yield from go(state, (x, y, z), CLOSED, pitch=pitch, stride=0.01)
    yield from release(state)


def unstack(state: SeenTable) -> Skill:
    """Take the upper block off the lower one. It is done the moment they part, in the air."""
    top = max(state.blocks.values(), key=lambda b: b.position[2] * on_pile(state, b))
    for _ in range(3):
        state = yield from pick(state, top.colour)


def push_into_drawer(state: SeenTable) -> Skill:
    """Push the block on the table over its edge; carry it where the drawer is not below."""
    for _ in range(3):
        on = [b for b in state.blocks.values() if on_table(b)]
        if not on:
            return
        block = min(on, key=lambda b: b.position[1])
        x, y, z = block.position
        if not DRAWER[0] < x < DRAWER[1]:
            state = yield from grasp(state, block.colour, lean=0.0)
            state = yield from go(state, (*state.target[:2], HIGH), CLOSED)
            yield from place_in_drawer(state)
            return
        state = yield from let_go(state)
        state = yield from above(state, (x, y + 0.075), CLOSED, ACROSS)
        state = yield from go(state, (x, y + 0.075, z + GRASP), CLOSED)
        state = yield from go(state, (x, -0.21, z + GRASP), CLOSED, stride=0.01)
        state = yield from go(state, (x, -0.21, HIGH), CLOSED)


def free_spot(
    state: SeenTable,
    block: SeenBlock,
    spots: Sequence[tuple[float, float]],
    least: float,
    narrow: Sequence[tuple[float, float]] = (),
) -> Floats:
    """The first of the spots with room for the block, or of the narrow ones, or that with most."""
    for places, needed in ((spots, least), (narrow, 0.008)):
        for place in places:
            if room(state, block, np.array(place)) > needed:
                return np.array(place)
    return np.array(max(spots, key=lambda spot: room(state, block, np.array(spot))))


def on_table(block: SeenBlock) -> bool:
    """It stands on the table top, not on the shelf, in the drawer or on another block."""
    _, y, z = block.position
    return bool(y < 0.03 and abs(z - block.half_height - TABLE_TOP) < 0.01)


def on_pile(state: SeenTable, block: SeenBlock) -> bool:
    """It stands on another block."""
    return any(
        abs(block.position[2] - block.half_height - b.position[2] - b.half_height) < 0.01
        and bool(np.linalg.norm(block.position[:2] - b.position[:2]) < 0.05)
        for b in state.others(block)
    )


SKILLS: Mapping[str, Callable[[SeenTable], Skill]] = {
    **{f"lift_{c}_block_{p}": partial(lift, colour=c)
       for c in HALF_SIZES for p in ("table", "slider", "drawer")},
    **{f"push_{c}_block_{side}": partial(push, colour=c, direction=d)
       for c in HALF_SIZES for side, d in (("left", -1.0), ("right", 1.0))},
    **{f"rotate_{c}_block_{side}": partial(turn, colour=c, direction=d)
       for c in HALF_SIZES for side, d in (("left", 1.0), ("right", -1.0))},
    "place_in_drawer": place_in_drawer,
    "place_in_slider": place_in_slider,
    "stack_block": stack,
    "unstack_block": unstack,
    "push_into_drawer": push_into_drawer,
}  # fmt: skip
