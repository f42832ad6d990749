"""Scripted solutions of the Google Robot tasks, from simulator state: upper bounds, not results.

A script is a generator of actions that reads the state as it stands before each. Drawers are opened
by hooking the closed fingers over the upper edge of the front panel, since handles are pictures.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import numpy as np

from vlm4vla.core import rotation
from vlm4vla.core.policy import ActionChunk, Session
from vlm4vla.core.simulator import Floats, Observation
from vlm4vla.core.specs import PolicySpec, SimulatorSpec
from vlm4vla.simulators.scripted import ScriptedPolicy
from vlm4vla.simulators.simpler.google.hand import Hand, Script, nearest, pointing
from vlm4vla.simulators.simpler.google.words import RULES

QUARTER = np.pi / 2
LEAN, IN_FRONT, HOOKED = 0.315, 0.95, 0.5
"""Radians by which the hand leans: at the start, before a drawer, and over its edge."""
TABLE, CABINET = 0.8875, 0.878
"""Heights on which things lie, metres."""
HOVER = 0.10
"""Of the tool above where it takes something, metres; much higher the arm does not reach."""
AWAY = np.array([0.13, 0.0, 0.045])
DOWN = np.array([-0.005, 0.0, 0.065])
ENOUGH, TRIES = 0.25, 3
"""Metres that a drawer is pulled open, and how often at most."""
LIFT, LOW = 0.06, 0.03
BESIDE = 0.11
"""Between the centres of two things that shall be near each other, metres."""
EDGES = (0.755, 0.510, 0.265)
"""Height of the drawers' upper edges, metres."""
PANEL = 0.0175
"""Where a closed drawer's panel ends, metres."""


class GoogleExpert(ScriptedPolicy):
    """Plays the script of the episode's task, and says so when it is done."""

    @classmethod
    def describe(cls, simulator: SimulatorSpec, **options: str) -> PolicySpec:
        """Asked at every step."""
        return replace(super().describe(simulator, **options), execution="first")

    def next_part(self, observation: Observation, session: Session) -> ActionChunk:
        """One action; the episode is over once success has held for a while."""
        state = observation.privileged
        if not isinstance(session.memory, Hand):
            script = _SCRIPTS[RULES[int(state["rule"][0])]]
            session.memory = Hand(_place if state["placing"][0] else script)
        action, done = session.memory.act(state)
        return ActionChunk(action[None], terminate_after=1 if done else None)


def _pick(hand: Hand) -> Script:
    """Take the can, and lift it."""
    turn = yield from _take(hand, 0, TABLE)
    yield from hand.go(hand.lift(LIFT), turn, steps=15)
    yield from hand.wait(20)


def _near(hand: Hand) -> Script:
    """Carry the source to the target's nearer side, and hold it there."""
    source, target = (int(hand.state[name][0]) for name in ("source", "target"))
    turn = yield from _take(hand, source, TABLE)
    lifted = hand.lift(LOW)
    yield from hand.go(lifted, turn, near=0.02, steps=8)
    grasp = hand.place - hand.thing(source)
    apart = (hand.thing(source) - hand.thing(target))[:2]
    gap = apart / np.linalg.norm(apart) * BESIDE

    def beside() -> Floats:
        return np.array([*(hand.thing(target)[:2] + gap + grasp[:2]), lifted[2]])

    yield from hand.go(beside, turn, near=0.01, steps=40)
    yield from hand.wait(40)


def _open(hand: Hand) -> Script:
    """Hook the closed fingers over the panel's edge, and pull."""
    yield from _pull(hand, int(hand.state["drawer"][0]))
    yield from hand.wait(40)


def _close(hand: Hand) -> Script:
    """Push the panel with closed fingers."""
    edge = EDGES[int(hand.state["drawer"][0])]
    turn = pointing(IN_FRONT, -QUARTER)
    before = np.array([PANEL + 0.28, 0.0, edge - 0.02])
    yield from hand.grip(1.0, 1)
    yield from hand.go(before + np.array([0, 0, 0.1]), turn, near=0.06, level=0.4)
    yield from hand.go(before, turn, near=0.03, level=0.3)
    while True:
        yield hand.towards(np.array([hand.place[0] - 0.03, 0.0, edge - 0.03]), turn)


def _open_first(hand: Hand) -> Script:
    """The apple's first instruction: done once the hand is out of the way again."""
    yield from _pull(hand, 0)
    yield from hand.go(hand.lift(0.16), _sideways(hand, HOOKED), near=0.03, steps=12)
    hand.declares = True
    yield from hand.grip(-1.0, 1)
    yield from _place(hand)


def _place(hand: Hand) -> Script:
    """Take the apple, and drop it into the open drawer."""
    turn = yield from _take(hand, 0, CABINET)
    yield from hand.go(hand.lift(LIFT), turn, near=0.02, steps=10)
    inside = np.array([hand.state["drawers"][0] - 0.09, hand.place[1], hand.place[2]])
    yield from hand.go(inside, turn, near=0.02)
    yield from hand.go(inside - [0, 0, 0.08], turn, near=0.02, steps=12)
    yield from hand.grip(-1.0, 3)
    yield from hand.wait(40)


def _take(hand: Hand, thing: int, support: float) -> Generator[Floats, None, Floats]:
    """Close the fingers around a thing; how the hand is turned then."""
    half = hand.thing(thing)[2] - support
    grasp = np.array([0.0, 0.0, max(half - 0.045, 0.028 - half)])
    turn = nearest(_across(hand, thing, half), hand.turn)
    above = np.array([0, 0, HOVER])
    yield from hand.grip(-1.0, 1)
    yield from hand.go(lambda: hand.thing(thing) + grasp + above, turn, near=0.04, level=0.2)
    yield from hand.go(lambda: hand.thing(thing) + grasp, turn, near=0.007, level=0.05)
    yield from hand.grip(1.0, 5)
    return turn


def _across(hand: Hand, thing: int, half: float) -> list[Floats]:
    """Turns in which the fingers close across what lies, or any side of what stands or rolls."""
    pose, extent = (
        hand.state[name].reshape(-1, n)[thing] for name, n in (("things", 7), ("extents", 3))
    )
    axis = rotation.to_matrix(pose[3:], "quat_wxyz")[:, int(np.argmax(extent))]
    rolls = [0.0, QUARTER, -QUARTER]
    if max(extent) > 1.3 * min(extent) and abs(axis[2]) < 0.5:
        rolls = [0.0] if abs(axis[1]) > abs(axis[0]) else [QUARTER, -QUARTER]
    return [pointing(LEAN, roll) for roll in rolls]


def _pull(hand: Hand, drawer: int) -> Script:
    """Over the edge and down behind it, then towards the robot until the drawer is open."""
    edge, before, behind = EDGES[drawer], _sideways(hand, IN_FRONT), _sideways(hand, HOOKED)
    yield from hand.grip(1.0, 1)
    for _ in range(TRIES):
        panel = PANEL + hand.state["drawers"][drawer]
        yield from hand.go(np.array([panel + 0.22, 0.0, edge + 0.13]), before, 0.05, level=0.3)
        over = np.array([panel - 0.05, 0.0, edge + 0.04])
        yield from hand.go(over + AWAY, before, near=0.03, level=0.2, pace=0.7)
        yield from hand.go(over, before, near=0.015, level=0.15, pace=0.5)
        yield from hand.go(over - DOWN, behind, near=0.02, steps=14, pace=0.4)
        while hand.place[0] < PANEL + hand.state["drawers"][drawer] + 0.03:
            if hand.state["drawers"][drawer] > ENOUGH:
                return
            goal = np.array([hand.place[0] + 0.03, 0.0, edge - 0.025])
            yield hand.towards(goal, behind, pace=0.5)


def _sideways(hand: Hand, lean: float) -> Floats:
    """Turned so that the closed fingers lie side by side along y."""
    return nearest([pointing(lean, roll) for roll in (QUARTER, -QUARTER)], hand.turn)


_SCRIPTS = {
    "pick": _pick, "near": _near, "open": _open, "close": _close, "place": _open_first,
}  # fmt: skip
