"""Every predicate of the oracle: positives done by the robot in the world, and near misses.

Each deed is judged by all 34 predicates at once, so a positive of one is a negative of the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

pytest.importorskip("pybullet")

from tests.simulators.calvin_hand import (
    ACROSS,
    CLOSED,
    HALF,
    LEAN,
    OPEN,
    Hand,
    in_drawer,
    on_shelf,
    on_table,
    table,
)
from vlm4vla.simulators.calvin.oracle import (
    PREDICATES,
    TASKS,
    BlockState,
    Snapshot,
    solved_tasks,
)

pytestmark = [pytest.mark.calvin, pytest.mark.assets]

COLOURS = ("red", "blue", "pink")
Moment = tuple[Snapshot, Snapshot]
"""Before and after what the robot did."""


def done(moment: Moment) -> set[str]:
    return set(solved_tasks(*moment))


@cache
def lifted_from(colour: str, place: str) -> tuple[Moment, Moment]:
    """Raised a little, then enough; the block is held at the end."""
    spot = {"table": on_table(0.05), "slider": on_shelf(0.07), "drawer": in_drawer(0.18, 0.22)}
    world = table(places={colour: spot[place]}, slide=0.28, drawer=0.22)
    hand, before = Hand(world), world.snapshot()
    hand.grasp(colour, LEAN if place == "slider" else 0.0)
    hand.rise(0.012)
    little = world.snapshot()
    hand.rise(0.10)
    return (before, little), (before, world.snapshot())


@cache
def turned(colour: str, direction: int) -> tuple[Moment, Moment]:
    """Turned by 40 degrees, then by 75, and let go."""
    world = table(places={colour: on_table(0.05)})
    hand, before = Hand(world), world.snapshot()
    hand.grasp(colour)
    hand.go(*hand.tcp, yaw=ACROSS + direction * 0.7)
    little = world.snapshot()
    hand.go(*hand.tcp, yaw=ACROSS + direction * 1.3)
    hand.hold(15, OPEN)
    return (before, little), (before, world.snapshot())


@cache
def shoved(colour: str, direction: int) -> tuple[Moment, Moment]:
    """Pushed along x by about 5 cm, then by about 13; `direction` is 1 for right."""
    # Turned like this the hand is as broad as to reach the door at x = 0.04.
    spot, other = on_table(0.05 if direction > 0 else 0.24), next(c for c in COLOURS if c != colour)
    world = table(places={colour: spot, other: on_shelf(0.07)})
    hand, before = Hand(world, CLOSED), world.snapshot()
    x, y, z = hand.block(colour)
    hand.go(x - direction * 0.09, y, z + 0.12, yaw=0.0)
    hand.go(x - direction * 0.09, y, z + 0.005)
    hand.go(x + direction * 0.02, y, z + 0.005)
    little = world.snapshot()
    hand.go(x + direction * 0.12, y, z + 0.005)
    return (before, little), (before, world.snapshot())


@cache
def slid(direction: int) -> tuple[Moment, Moment]:
    """The sliding door pushed by about 8 cm, then to its end; `direction` is 1 for right."""
    slide = 0.28 if direction > 0 else 0.0
    world = table(slide=slide)
    hand, before = Hand(world, CLOSED), world.snapshot()
    handle = 0.04 - slide
    hand.go(handle - direction * 0.05, -0.10, 0.60)
    hand.go(handle - direction * 0.05, 0.0, 0.55)
    hand.go(handle + direction * 0.05, 0.0, 0.55)
    little = world.snapshot()
    hand.go(handle + direction * 0.29, 0.0, 0.55)
    return (before, little), (before, world.snapshot())


@cache
def drawn(opens: bool) -> tuple[Moment, Moment]:
    """The drawer moved a little, then to its end."""
    world = table(drawer=0.0 if opens else 0.22)
    hand, before = Hand(world, CLOSED), world.snapshot()
    if opens:
        way = [
            (0.18, -0.325, 0.55),
            (0.18, -0.235, 0.52),
            (0.18, -0.235, 0.35),
            (0.18, -0.30, 0.35),
        ]
        end = (0.18, -0.48, 0.35)
    else:
        way = [(0.18, -0.50, 0.55), (0.18, -0.54, 0.37), (0.18, -0.42, 0.37)]
        end = (0.18, -0.27, 0.37)
    for place in way:
        hand.go(*place)
    little = world.snapshot()
    hand.go(*end)
    return (before, little), (before, world.snapshot())


@cache
def pressed() -> tuple[Snapshot, ...]:
    """The button before, while it is first pressed, let go, and pressed again."""
    world = table()
    hand, seen = Hand(world, CLOSED), [world.snapshot()]
    hand.go(-0.12, -0.12, 0.59)
    for height in (0.457, 0.55, 0.457):
        hand.go(-0.12, -0.12, height)
        seen.append(world.snapshot())
    return tuple(seen)


@cache
def switched() -> tuple[Snapshot, ...]:
    """The switch before, not far enough, up, and down again."""
    world = table()
    hand, seen = Hand(world, CLOSED), [world.snapshot()]
    for place in ((0.3, -0.07, 0.50), (0.3, -0.05, 0.47), (0.3, 0.0, 0.47)):
        hand.go(*place)
    seen.append(world.snapshot())
    hand.go(0.3, 0.10, 0.63)
    seen.append(world.snapshot())
    for place in ((0.3, 0.1, 0.70), (0.3, -0.05, 0.675), (0.3, 0.125, 0.655), (0.3, 0.125, 0.625)):
        hand.go(*place)
    hand.go(0.3, 0.045, 0.486)
    seen.append(world.snapshot())
    return tuple(seen)


@cache
def put(place: str) -> tuple[Moment, Moment]:
    """A held block brought down to the slider's shelf or into the drawer, then let go."""
    spot = on_shelf(0.07) if place == "slider" else in_drawer(0.18, 0.22)
    world = table(places={"red": spot}, slide=0.28, drawer=0.22)
    hand = Hand(world)
    hand.grasp("red", LEAN if place == "slider" else 0.0)
    x, y, z = hand.tcp
    hand.rise(0.10)
    before = world.snapshot()
    hand.go(x, y, z + 0.008)
    held = world.snapshot()
    hand.hold(10, OPEN)
    return (before, held), (before, world.snapshot())


@cache
def piled() -> dict[str, Moment]:
    """Red set upon blue, and taken off again."""
    world = table(places={"blue": on_table(0.25), "red": on_table(0.08)})
    hand = Hand(world)
    hand.grasp("red")
    hand.rise(0.15)
    before = world.snapshot()
    x, y, z = hand.block("blue")
    low = z + 2 * HALF + 0.003 - (hand.block("red")[2] - hand.tcp[2])
    hand.go(x, y, 0.61)
    hand.go(x, y, low)
    moments = {"set down": (before, world.snapshot())}
    hand.hold(10, OPEN)
    hand.rise(0.15)
    stacked = world.snapshot()
    moments["stacked"] = (before, stacked)
    hand.grasp("red")
    moments["gripped"] = (stacked, world.snapshot())
    hand.rise(0.12)
    moments["unstacked"] = (stacked, world.snapshot())
    return moments


@cache
def swept() -> tuple[Moment, Moment, Moment]:
    """Red pushed to the table's edge, over it, and down into the drawer."""
    places = {"red": on_table(0.18, -0.10), "blue": on_shelf(0.07)}
    world = table(places=places, drawer=0.22, yaws={"red": 0.0})
    hand, before = Hand(world, CLOSED), world.snapshot()
    x, y, z = hand.block("red")
    hand.go(x, y + 0.08, z + 0.12)
    hand.go(x, y + 0.08, z + 0.005)
    hand.go(x, -0.13, z + 0.005)
    edge = world.snapshot()
    hand.go(x, -0.21, z + 0.005)
    over = world.snapshot()
    hand.hold(15)
    return (before, edge), (before, over), (before, world.snapshot())


@pytest.mark.parametrize("place", ["table", "slider", "drawer"])
@pytest.mark.parametrize("colour", COLOURS)
def test_a_block_is_lifted_from_where_it_stood(colour, place):
    little, enough = lifted_from(colour, place)
    assert done(little) == set()
    assert done(enough) == {f"lift_{colour}_block_{place}"}


@pytest.mark.parametrize(("side", "direction"), [("left", 1), ("right", -1)])
@pytest.mark.parametrize("colour", COLOURS)
def test_a_block_is_rotated(colour, side, direction):
    little, enough = turned(colour, direction)
    assert done(little) == set()
    assert done(enough) == {f"rotate_{colour}_block_{side}"}


@pytest.mark.parametrize(("side", "direction"), [("left", -1), ("right", 1)])
@pytest.mark.parametrize("colour", COLOURS)
def test_a_block_is_pushed(colour, side, direction):
    little, enough = shoved(colour, direction)
    assert done(little) == set()
    assert done(enough) == {f"push_{colour}_block_{side}"}


@pytest.mark.parametrize(("side", "direction"), [("left", -1), ("right", 1)])
def test_the_sliding_door_is_moved(side, direction):
    little, enough = slid(direction)
    assert done(little) == set()
    assert done(enough) == {f"move_slider_{side}"}


@pytest.mark.parametrize("what", ["open", "close"])
def test_the_drawer_is_moved(what):
    little, enough = drawn(what == "open")
    assert done(little) == set()
    assert done(enough) == {f"{what}_drawer"}


def test_the_button_toggles_the_led_when_it_goes_down():
    before, down, up, again = pressed()
    assert done((before, down)) == {"turn_on_led"}
    assert done((before, up)) == {"turn_on_led"}, "letting go changes nothing"
    assert done((down, up)) == set()
    assert done((up, again)) == {"turn_off_led"}
    assert done((before, again)) == set()


def test_the_bulb_shines_while_the_switch_is_up():
    before, little, up, down = switched()
    assert done((before, little)) == set()
    assert done((before, up)) == {"turn_on_lightbulb"}
    assert done((up, down)) == {"turn_off_lightbulb"}
    assert done((before, down)) == set()


@pytest.mark.parametrize("place", ["slider", "drawer"])
def test_a_held_block_is_placed(place):
    held, released = put(place)
    assert done(held) == set()
    assert done(released) == {f"place_in_{place}"}


def test_blocks_are_stacked_and_unstacked():
    moments = piled()
    assert {name: done(moment) for name, moment in moments.items()} == {
        "set down": set(),
        "stacked": {"stack_block"},
        "gripped": set(),
        "unstacked": {"unstack_block"},
    }


def test_a_block_is_pushed_into_the_drawer():
    edge, over, fallen = swept()
    assert done(edge) == done(over) == set()
    assert done(fallen) == {"push_into_drawer"}


def test_every_task_was_done_by_the_robot():
    """Nothing above was left out."""
    moments = [lifted_from(c, p)[1] for c in COLOURS for p in ("table", "slider", "drawer")]
    moments += [act(c, d)[1] for act in (turned, shoved) for c in COLOURS for d in (-1, 1)]
    moments += [slid(-1)[1], slid(1)[1], drawn(True)[1], drawn(False)[1]]
    button, switch = pressed(), switched()
    moments += [button[:2], button[2:], (switch[0], switch[2]), (switch[2], switch[3])]
    moments += [put("slider")[1], put("drawer")[1], *piled().values(), swept()[2]]
    assert set.union(*(done(moment) for moment in moments)) == set(TASKS)


def test_nothing_is_solved_at_once():
    for _, (before, _) in (turned("red", 1), swept()[1:]):
        assert done((before, before)) == set()


# Every condition of every predicate: what the robot did, with one thing changed.
Change = Callable[[BlockState, Snapshot], BlockState]


def changed(moment: Snapshot, block: str, change: Change) -> Snapshot:
    name = f"block_{block}"
    return replace(moment, blocks={**moment.blocks, name: change(moment.blocks[name], moment)})


def contacts(*pairs: tuple[str, int]) -> Change:
    def change(block: BlockState, moment: Snapshot) -> BlockState:
        bodies = {"robot": moment.robot, "table": moment.table, "plane": 6}
        bodies |= {name.removeprefix("block_"): b.uid for name, b in moment.blocks.items()}
        return replace(block, contacts=frozenset((bodies[body], link) for body, link in pairs))

    return change


def moved(*by: float) -> Change:
    return lambda block, _: replace(block, position=block.position + by)


def tilted(block: BlockState, _: Snapshot) -> BlockState:
    """By 40 degrees about the world's x, after everything else."""
    x, y, z, w = block.quaternion
    s, c = np.sin(np.radians(20)), np.cos(np.radians(20))
    turned = np.array([c * x + s * w, c * y - s * z, c * z + s * y, c * w - s * x])
    return replace(block, quaternion=turned)


def fast(kind: str) -> Change:
    return lambda block, _: replace(block, **{kind: np.array([0.0, 1.1, 0.0])})


DRAWER, PLANK = 3, 6
SPOILT = {
    "rotate, but 12 cm away": ("rotate_red_block_left", "now", moved(0.12, 0, 0)),
    "rotate, but tilted": ("rotate_red_block_left", "now", tilted),
    "rotate, but held up": ("rotate_red_block_left", "now", contacts(("robot", 10))),
    "push, but off the table now": ("push_red_block_right", "now", contacts(("robot", 10))),
    "push, but in the air at first": ("push_red_block_right", "start", contacts(("robot", 10))),
    "push, but onto another link": ("push_red_block_right", "now", contacts(("table", PLANK))),
    "lift, but a block still touches": ("lift_red_block_table", "now",
                                        contacts(("robot", 10), ("blue", -1))),
    "lift, but in the air by itself": ("lift_red_block_table", "now", contacts()),
    "lift, but from the plank": ("lift_red_block_table", "start", contacts(("table", PLANK))),
    "place, but the block touched the table": ("place_in_drawer", "start",
                                               contacts(("robot", 10), ("table", -1))),
    "place, but onto the plank": ("place_in_drawer", "now", contacts(("table", PLANK))),
    "place, but still touched": ("place_in_drawer", "now",
                                 contacts(("table", DRAWER), ("robot", 10))),
    "stack, but stacked before": ("stack_block", "start", contacts(("robot", 10), ("blue", -1))),
    "stack, but leaning on the table": ("stack_block", "now",
                                        contacts(("blue", -1), ("table", -1))),
    "stack, but on nothing": ("stack_block", "now", contacts()),
    "stack, but moving": ("stack_block", "now", fast("linear")),
    "stack, but tumbling": ("stack_block", "now", fast("angular")),
    "unstack, but touching the table before": ("unstack_block", "start",
                                               contacts(("blue", -1), ("table", -1))),
    "unstack, but moving before": ("unstack_block", "start", fast("linear")),
    "unstack, but still touching": ("unstack_block", "now", contacts(("blue", -1))),
    "into the drawer, but from the robot": ("push_into_drawer", "start",
                                            contacts(("table", -1), ("robot", 10))),
    "into the drawer, but from the plank": ("push_into_drawer", "start",
                                            contacts(("table", PLANK))),
    "into the drawer, but beside it": ("push_into_drawer", "now", contacts(("plane", -1))),
}  # fmt: skip


def deed(task: str) -> Moment:
    """The robot's own deed that solves it."""
    return {
        "rotate_red_block_left": lambda: turned("red", 1)[1],
        "push_red_block_right": lambda: shoved("red", 1)[1],
        "lift_red_block_table": lambda: lifted_from("red", "table")[1],
        "place_in_drawer": lambda: put("drawer")[1],
        "stack_block": lambda: piled()["stacked"],
        "unstack_block": lambda: piled()["unstacked"],
        "push_into_drawer": lambda: swept()[2],
    }[task]()


@pytest.mark.parametrize("case", SPOILT)
def test_each_condition_decides(case):
    task, when, change = SPOILT[case]
    before, now = deed(task)
    assert PREDICATES[task](before, now)
    if when == "start":
        before = changed(before, "red", change)
    else:
        now = changed(now, "red", change)
    assert not PREDICATES[task](before, now)


def test_placing_asks_that_the_robot_touched_the_block_alone():
    before, now = deed("place_in_drawer")
    assert not PREDICATES["place_in_drawer"](replace(before, touched=frozenset()), now)
    both = replace(before, touched=before.touched | {before.table})
    assert not PREDICATES["place_in_drawer"](both, now)
    door = replace(before, touched=frozenset({before.table}))
    assert not PREDICATES["place_in_drawer"](door, now)


def test_a_block_in_the_drawer_may_still_be_touched():
    """Upstream's check of that never fires; to add one would change published numbers."""
    before, now = deed("push_into_drawer")
    touched = changed(now, "red", contacts(("table", DRAWER), ("robot", 10)))
    assert PREDICATES["push_into_drawer"](before, touched)
