"""Scripted solutions from simulator state: pick up, carry, let go, and push."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from vlm4vla.core import rotation
from vlm4vla.core.policy import ActionChunk, Session
from vlm4vla.core.simulator import Floats, Observation
from vlm4vla.simulators.libero.words import PUSH
from vlm4vla.simulators.scripted import ScriptedPolicy

HOVER = 0.15
"""Height above the grasp at which the hand arrives, metres: over things that stand beside it."""
GAIN = 4.0
"""How much of the way that is left is asked for at once: with less, friction holds the arm up."""
ARRIVED, THERE = 0.012, 0.004
CLOSE_STEPS, OPEN_STEPS = 10, 6
LOST = 0.07
"""How far a thing may slip in the hand, metres; beyond, it is not held any more."""
RUN_UP = 0.05
"""From how far a thing is pushed, metres."""
PUSH_STEPS = 80
LOW = 0.012
"""Height above its place at which a thing is let go."""
BEFORE = 0.25
"""How far before a place that is open at the front a thing is turned, metres."""
LEVEL = 1.5
"""Radians by which the hand leans to reach in at the front."""
STALLED = 8
"""Steps without getting lower, after which the thing must stand on something."""

_UPRIGHT = np.zeros(3)
_ABOVE = np.array([0.0, 0.0, HOVER])


@dataclass
class Errand:
    """What the expert remembers of an episode."""

    aim: int = -1
    phase: str = "choose"
    waited: int = 0
    angle: float = 0.0
    height: float = 0.0
    grip: Floats = field(default_factory=lambda: np.zeros(3))
    held: Floats = field(default_factory=lambda: np.zeros(3))
    lowest: float = field(default=np.inf)


class LiberoExpert(ScriptedPolicy):
    """Brings about one condition of the goal after the other."""

    def next_part(self, observation: Observation, session: Session) -> ActionChunk:
        """One action: it looks before every step."""
        if not isinstance(session.memory, Errand):
            session.memory = Errand()
        seen = observation.privileged
        return ActionChunk(_action(session.memory, seen["tcp"], seen["aims"])[None])


def _action(errand: Errand, tcp: Floats, aims: Floats) -> Floats:
    """Seven numbers of OSC_POSE."""
    hand, turned = tcp[:3], tcp[3:].reshape(3, 3)
    if errand.phase == "choose":
        left = np.flatnonzero(aims[:, 1] == 0)
        if not len(left):
            return np.array([0, 0, 0, 0, 0, 0, -1.0])
        errand.aim = int(left[0])
        _enter(errand, "above" if aims[errand.aim][0] == PUSH else "hover", hand)
        errand.angle = _nearest(float(aims[errand.aim][5]), turned)
    aim = aims[errand.aim]
    lean = _UPRIGHT
    if aim[0] == PUSH:
        goal, closed = _push(errand, hand, aim)
        errand.angle = _nearest(float(np.arctan2(aim[6], aim[5])) + np.pi / 2, turned)
        lean = aim[8] * aim[5:8]
    else:
        goal, closed = _carry(errand, hand, turned, aim)
        if errand.phase in ("turn", "enter", "let go", "leave"):
            lean = LEVEL * np.array([*aim[10:12], 0.0])
    step = GAIN * (goal - hand) / 0.05
    step = step / max(1.0, float(np.abs(step).max()))
    turn = rotation.from_matrix(_downwards(errand.angle, lean) @ turned.T, "rotvec")
    return np.array([*step, *np.clip(turn / 0.5, -1, 1), 1.0 if closed else -1.0])


def _push(errand: Errand, hand: Floats, aim: Floats) -> tuple[Floats, bool]:
    """The same with closed fingers: to the side of it, down beside it, and on."""
    place, way = aim[2:5], aim[5:8]
    beside = place - RUN_UP * way
    errand.waited += 1
    if errand.phase == "above" and np.linalg.norm(hand - beside - _ABOVE) < 2 * ARRIVED:
        _enter(errand, "beside", hand)
    elif errand.phase == "beside" and (
        np.linalg.norm(hand - beside) < ARRIVED or _stalled(errand, hand)
    ):
        _enter(errand, "push", hand)
    elif errand.phase == "push" and (errand.waited > PUSH_STEPS or (aim[1] and errand.waited > 3)):
        _enter(errand, "up", hand)
    elif errand.phase == "up" and hand[2] > errand.height + HOVER:
        errand.phase = "choose"
    goal = {
        "above": beside + _ABOVE,
        "beside": beside,
        "push": place + 0.04 * way,
    }.get(errand.phase, np.array([*hand[:2], errand.height + HOVER + 0.05]))
    return goal, True


def _carry(errand: Errand, hand: Floats, turned: Floats, aim: Floats) -> tuple[Floats, bool]:
    """Where the hand should be, and whether the fingers close; advances the errand."""
    grip, miss, drop, rise = aim[2:5], aim[6:8], float(aim[8]), float(aim[9])
    errand.waited += 1
    off = hand - grip
    held = np.array([*(hand[:2] + miss), hand[2] - drop])  # moves only where the thing slips
    level = float(np.linalg.norm(off[:2])) < ARRIVED
    if errand.phase in ("lift", "carry", "lower") and np.linalg.norm(held - errand.held) > LOST:
        _enter(errand, "hover", hand)
        errand.angle = _nearest(float(aim[5]), turned)
    if errand.phase == "hover" and level and off[2] < HOVER + 0.03 and _aligned(errand, turned):
        _enter(errand, "down", hand)
        errand.grip = grip.copy()
    elif errand.phase == "down" and (
        np.linalg.norm(hand - errand.grip) < THERE or _stalled(errand, hand)
    ):
        _enter(errand, "close", hand)
    elif errand.phase == "close" and errand.waited > CLOSE_STEPS:
        _enter(errand, "lift", hand)
        errand.held = held
    elif errand.phase == "lift" and aim[10:12].any() and drop > HOVER:
        _enter(errand, "turn", hand)
    elif errand.phase == "turn" and (
        np.linalg.norm(miss - BEFORE * aim[10:12]) < 2 * ARRIVED and turned[2, 2] > -0.25
    ):
        _enter(errand, "enter", hand)
    elif errand.phase == "enter" and np.linalg.norm(miss) < 2.5 * ARRIVED:
        _enter(errand, "let go", hand)
    elif errand.phase == "let go" and errand.waited > OPEN_STEPS:
        _enter(errand, "leave", hand)
        errand.held = hand.copy()
    elif errand.phase == "leave" and np.linalg.norm((hand - errand.held)[:2]) > 0.15:
        _enter(errand, "up", hand)
    elif errand.phase == "lift" and rise <= 0:
        _enter(errand, "carry", hand)
        errand.angle += aim[12]
    elif errand.phase == "carry" and np.linalg.norm(miss) < ARRIVED and abs(aim[12]) < 0.15:
        _enter(errand, "lower", hand)
    elif errand.phase == "lower" and (drop < LOW or _stalled(errand, hand)):
        _enter(errand, "open", hand)
    elif errand.phase == "open" and errand.waited > OPEN_STEPS:
        _enter(errand, "up", hand)
    elif errand.phase == "up" and hand[2] > errand.height + HOVER:
        errand.phase = "choose"
    there = hand[:2] + miss
    way = aim[10:12]
    goal = {
        "turn": np.array([*(there - BEFORE * way), hand[2] - drop + 2 * LOW]),
        "enter": np.array([*there, hand[2] - drop + LOW]),
        "leave": np.array([*(hand[:2] - way), hand[2]]),
        "hover": grip + _ABOVE,
        "down": errand.grip,
        "close": errand.grip,
        "lift": np.array([*hand[:2], hand[2] + max(rise, 0.0) + 0.03]),
        "carry": np.array([*there, hand[2] + rise + 0.01]),
        "lower": np.array([*there, hand[2] - 0.03]),
        "up": np.array([*hand[:2], errand.height + HOVER + 0.05]),
    }.get(errand.phase, hand)
    return goal, errand.phase in ("close", "lift", "carry", "lower", "turn", "enter")


def _enter(errand: Errand, phase: str, hand: Floats) -> None:
    errand.phase, errand.waited, errand.height, errand.lowest = phase, 0, float(hand[2]), np.inf


def _stalled(errand: Errand, hand: Floats) -> bool:
    """Whether the hand has not come lower for some steps."""
    if hand[2] < errand.lowest - 5e-4:
        errand.lowest, errand.waited = float(hand[2]), 0
    return errand.waited > STALLED


def _downwards(angle: float, lean: Floats = _UPRIGHT) -> Floats:
    """The hand pointing down, its fingers closing on a line at this angle to the x axis.

    It leans by so many radians as `lean` is long, towards where that points.
    """
    closing = np.array([np.cos(angle), np.sin(angle), 0.0])
    down = np.array([0.0, 0.0, -1.0])
    upright = np.stack([closing, np.cross(down, closing), down], -1)
    return np.asarray(rotation.to_matrix(np.cross(down, lean), "rotvec") @ upright)


def _nearest(angle: float, turned: Floats) -> float:
    """The same line from the side that needs less turning."""
    now = float(np.arctan2(turned[1, 0], turned[0, 0]))
    return now + (angle - now + np.pi / 2) % np.pi - np.pi / 2


def _aligned(errand: Errand, turned: Floats) -> bool:
    closing = _downwards(errand.angle)[:, 0]
    return float(closing @ turned[:, 0]) > 0.995
