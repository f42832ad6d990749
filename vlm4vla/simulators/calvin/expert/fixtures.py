"""Scripted skills for the parts of the table: drawer, sliding door, button and switch.

Each is a way for closed fingers: above its first place, through the others, slowly at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from vlm4vla.simulators.calvin.expert.motion import (
    CLOSED,
    HIGH,
    STRIDE,
    Motion,
    Skill,
    above,
    go,
    let_go,
    rise,
)
from vlm4vla.simulators.calvin.expert.reach import ACROSS, SeenTable

DOOR_TRAVEL = 0.28

Way = Sequence[tuple[float, float, float]]
"""Places of the TCP."""


def sweep(
    state: SeenTable, way: Callable[[SeenTable], Way], stride: float = 0.01, slow: int = 1
) -> Skill:
    """Go that way, as it is once the hand is free; its last `slow` parts with that stride."""
    state = yield from let_go(state)
    yield from follow(state, way(state), stride, slow)


def follow(state: SeenTable, way: Way, stride: float, slow: int = 1) -> Motion:
    """Go that way, whatever is in the hand."""
    (x, y, _), *places = way
    state = yield from above(state, (x, y), CLOSED, ACROSS)
    for left, place in zip(range(len(places), 0, -1), places, strict=True):
        pace = stride if left <= slow else STRIDE
        state = yield from go(state, place, CLOSED, stride=pace)
    return state


def pull_drawer(state: SeenTable) -> Way:
    """Hook the handle from behind and pull."""
    y = -0.235 - state.drawer
    return (0.18, y - 0.09, HIGH), (0.18, y, 0.52), (0.18, y, 0.35), (0.18, y - 0.25, 0.35)


def push_drawer(state: SeenTable) -> Way:
    """Push its front."""
    y = -0.265 - state.drawer - 0.06
    return (0.18, y, HIGH), (0.18, y, 0.37), (0.18, y + 0.28, 0.37)


def press_button(state: SeenTable) -> Way:
    """Down on it; it toggles the LED."""
    return (-0.12, -0.12, HIGH), (-0.12, -0.12, 0.455)


def push_door(state: SeenTable, direction: float) -> Way:
    """Push the sliding door's handle along x; `direction` is -1 for left."""
    x = 0.040 - state.slide - 0.06 * direction
    return (x, -0.10, HIGH), (x, 0.0, 0.55), (x + 0.36 * direction, 0.0, 0.55)


def raise_switch(state: SeenTable) -> Way:
    """Push the switch up from below."""
    below = ((0.30, y, z) for y, z in ((-0.07, 0.50), (-0.05, 0.47), (0.0, 0.47), (0.10, 0.63)))
    return (0.30, -0.08, HIGH), *below


def lower_switch(state: SeenTable) -> Way:
    """Reach over the raised switch and draw it down."""
    top = state.switch_place[2] + 0.036
    return (
        (0.30, -0.05, HIGH), (0.30, -0.05, top + 0.055), (0.30, 0.125, top + 0.035),
        (0.30, 0.125, top + 0.005), (0.30, 0.125 - 0.08, top + 0.005 - 0.139),
    )  # fmt: skip


def clear_door(state: SeenTable, x: float) -> Motion:
    """Push the sliding door away from the side of the shelf where x is, if it is in the way.

    Its subtask ends as soon as it has moved by 0.15 of its 0.28 m. A held block stays held.
    """
    left = x < -0.1
    gap = state.slide if left else DOOR_TRAVEL - state.slide
    if gap < 0.02:
        return state
    direction = 1.0 if left else -1.0
    start = 0.040 - state.slide - 0.075 * direction
    end = start + (gap + 0.06) * direction
    way = (start, -0.10, HIGH), (start, 0.0, 0.55), (end, 0.0, 0.55)
    state = yield from follow(state, way, 0.01)
    return (yield from rise(state, CLOSED))


SKILLS: Mapping[str, Callable[[SeenTable], Skill]] = {
    "open_drawer": partial(sweep, way=pull_drawer),
    "close_drawer": partial(sweep, way=push_drawer),
    "turn_on_led": partial(sweep, way=press_button, stride=STRIDE),
    "turn_off_led": partial(sweep, way=press_button, stride=STRIDE),
    "move_slider_left": partial(sweep, way=partial(push_door, direction=-1.0), stride=0.012),
    "move_slider_right": partial(sweep, way=partial(push_door, direction=1.0), stride=0.012),
    "turn_on_lightbulb": partial(sweep, way=raise_switch, slow=4),
    "turn_off_lightbulb": partial(sweep, way=lower_switch),
}
