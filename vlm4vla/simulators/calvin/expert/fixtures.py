"""Scripted skills for the parts of the table: drawer, sliding door, button and switch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from vlm4vla.simulators.calvin.expert.motion import (
    ACROSS,
    CLOSED,
    Motion,
    SeenTable,
    Skill,
    above,
    go,
    rise,
    switch_place,
)
from vlm4vla.simulators.calvin.expert.start import let_go

DOOR_TRAVEL = 0.28


def open_drawer(state: SeenTable) -> Skill:
    """Hook the handle from behind and pull."""
    state = yield from let_go(state)
    y = -0.235 - state.drawer
    state = yield from above(state, (0.18, y - 0.09), CLOSED, ACROSS)
    state = yield from go(state, (0.18, y, 0.52), CLOSED)
    state = yield from go(state, (0.18, y, 0.35), CLOSED)
    yield from go(state, (0.18, y - 0.25, 0.35), CLOSED, stride=0.01)


def close_drawer(state: SeenTable) -> Skill:
    """Push its front."""
    state = yield from let_go(state)
    y = -0.265 - state.drawer - 0.06
    state = yield from above(state, (0.18, y), CLOSED, ACROSS)
    state = yield from go(state, (0.18, y, 0.37), CLOSED)
    yield from go(state, (0.18, y + 0.28, 0.37), CLOSED, stride=0.01)


def press_button(state: SeenTable) -> Skill:
    """Down on it; it toggles the LED."""
    state = yield from let_go(state)
    state = yield from above(state, (-0.12, -0.12), CLOSED, ACROSS)
    yield from go(state, (-0.12, -0.12, 0.455), CLOSED)


def push_door(state: SeenTable, direction: float) -> Skill:
    """Push the sliding door's handle along x; `direction` is -1 for left."""
    state = yield from let_go(state)
    x = 0.040 - state.slide - 0.06 * direction
    state = yield from above(state, (x, -0.10), CLOSED, ACROSS)
    state = yield from go(state, (x, 0.0, 0.55), CLOSED)
    yield from go(state, (x + 0.36 * direction, 0.0, 0.55), CLOSED, stride=0.012)


def clear_door(state: SeenTable, x: float) -> Motion:
    """Push the sliding door away from the side of the shelf where x is, if it is in the way.

    Its subtask ends as soon as it has moved by 0.15 of its 0.28 m. A held block stays held.
    """
    left = x < -0.1
    way = state.slide if left else DOOR_TRAVEL - state.slide
    if way < 0.02:
        return state
    direction = 1.0 if left else -1.0
    start = 0.040 - state.slide - 0.075 * direction
    state = yield from above(state, (start, -0.10), CLOSED, ACROSS)
    state = yield from go(state, (start, 0.0, 0.55), CLOSED)
    state = yield from go(state, (start + (way + 0.06) * direction, 0.0, 0.55), CLOSED, stride=0.01)
    return (yield from rise(state, CLOSED))


def light_on(state: SeenTable) -> Skill:
    """Push the switch up from below."""
    state = yield from let_go(state)
    state = yield from above(state, (0.30, -0.08), CLOSED, ACROSS)
    for y, z in ((-0.07, 0.50), (-0.05, 0.47), (0.0, 0.47), (0.10, 0.63)):
        state = yield from go(state, (0.30, y, z), CLOSED, stride=0.01)


def light_off(state: SeenTable) -> Skill:
    """Reach over the raised switch and draw it down."""
    state = yield from let_go(state)
    top = switch_place(state)[2] + 0.036
    state = yield from above(state, (0.30, -0.05), CLOSED, ACROSS)
    state = yield from go(state, (0.30, -0.05, top + 0.055), CLOSED)
    state = yield from go(state, (0.30, 0.125, top + 0.035), CLOSED)
    state = yield from go(state, (0.30, 0.125, top + 0.005), CLOSED)
    yield from go(state, (0.30, 0.125 - 0.08, top + 0.005 - 0.139), CLOSED, stride=0.01)


SKILLS: Mapping[str, Callable[[SeenTable], Skill]] = {
    "open_drawer": open_drawer,
    "close_drawer": close_drawer,
    "turn_on_led": press_button,
    "turn_off_led": press_button,
    "move_slider_left": partial(push_door, direction=-1.0),
    "move_slider_right": partial(push_door, direction=1.0),
    "turn_on_lightbulb": light_on,
    "turn_off_lightbulb": light_off,
}
