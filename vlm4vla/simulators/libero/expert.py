"""Scripted solutions from simulator state: pick up, carry, let go, and push."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from vlm4vla.core import rotation
from vlm4vla.core.policy import ActionChunk, Policy, Session
from vlm4vla.core.simulator import Floats, Observation
from vlm4vla.core.specs import ObservationRequest, PolicySpec, SimulatorSpec
from vlm4vla.simulators.libero.words import PUSH

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
STALLED = 8
"""Steps without getting lower, after which the thing must stand on something."""

_UPRIGHT = np.zeros(3)
_ABOVE = np.array([0.0, 0.0, HOVER])


@dataclass
class Plan:
    """What the expert remembers of an episode."""

    aim: int = -1
    phase: str = "choose"
    waited: int = 0
    angle: float = 0.0
    height: float = 0.0
    grip: Floats = field(default_factory=lambda: np.zeros(3))
    held: Floats = field(default_factory=lambda: np.zeros(3))
    lowest: float = field(default=np.inf)


class LiberoExpert(Policy):
    """Brings about one condition of the goal after the other."""

    @classmethod
    def describe(cls, simulator: SimulatorSpec, **options: str) -> PolicySpec:
        """Reads simulator state, sees no image."""
        request = ObservationRequest(privileged=True)
        return PolicySpec(simulator.action, request, execution="first", privileged=True)

    def act(
        self, observations: Sequence[Observation], sessions: Sequence[Session]
    ) -> list[ActionChunk]:
        """One action for each observation."""
        chunks = []
        for observation, session in zip(observations, sessions, strict=True):
            if not isinstance(session.memory, Plan):
                session.memory = Plan()
            seen = observation.privileged
            chunks.append(ActionChunk(_action(session.memory, seen["tcp"], seen["aims"])[None]))
        return chunks


def _action(plan: Plan, tcp: Floats, aims: Floats) -> Floats:
    """Seven numbers of OSC_POSE."""
    hand, turned = tcp[:3], tcp[3:].reshape(3, 3)
    if plan.phase == "choose":
        left = np.flatnonzero(aims[:, 1] == 0)
        if not len(left):
            return np.array([0, 0, 0, 0, 0, 0, -1.0])
        plan.aim = int(left[0])
        _enter(plan, "above" if aims[plan.aim][0] == PUSH else "hover", hand)
        plan.angle = _nearest(float(aims[plan.aim][5]), turned)
    aim = aims[plan.aim]
    lean = _UPRIGHT
    if aim[0] == PUSH:
        goal, closed = _push(plan, hand, aim)
        plan.angle = _nearest(float(np.arctan2(aim[6], aim[5])) + np.pi / 2, turned)
        lean = np.tan(aim[8]) * aim[5:8]
    else:
        goal, closed = _carry(plan, hand, turned, aim)
    step = GAIN * (goal - hand) / 0.05
    step = step / max(1.0, float(np.abs(step).max()))
    turn = rotation.from_matrix(_downwards(plan.angle, lean) @ turned.T, "rotvec")
    return np.array([*step, *np.clip(turn / 0.5, -1, 1), 1.0 if closed else -1.0])


def _push(plan: Plan, hand: Floats, aim: Floats) -> tuple[Floats, bool]:
    """The same with closed fingers: to the side of it, down beside it, and on."""
    place, way = aim[2:5], aim[5:8]
    beside = place - RUN_UP * way
    plan.waited += 1
    if plan.phase == "above" and np.linalg.norm(hand - beside - _ABOVE) < 2 * ARRIVED:
        _enter(plan, "beside", hand)
    elif plan.phase == "beside" and (
        np.linalg.norm(hand - beside) < ARRIVED or _stalled(plan, hand)
    ):
        _enter(plan, "push", hand)
    elif plan.phase == "push" and (plan.waited > PUSH_STEPS or (aim[1] and plan.waited > 3)):
        _enter(plan, "up", hand)
    elif plan.phase == "up" and hand[2] > plan.height + HOVER:
        plan.phase = "choose"
    goal = {
        "above": beside + _ABOVE,
        "beside": beside,
        "push": place + 0.04 * way,
    }.get(plan.phase, np.array([*hand[:2], plan.height + HOVER + 0.05]))
    return goal, True


def _carry(plan: Plan, hand: Floats, turned: Floats, aim: Floats) -> tuple[Floats, bool]:
    """Where the hand should be, and whether the fingers close; advances the plan."""
    grip, miss, drop, rise = aim[2:5], aim[6:8], float(aim[8]), float(aim[9])
    plan.waited += 1
    off = hand - grip
    held = np.array([*(hand[:2] + miss), hand[2] - drop])  # moves only where the thing slips
    level = float(np.linalg.norm(off[:2])) < ARRIVED
    if plan.phase in ("lift", "carry", "lower") and np.linalg.norm(held - plan.held) > LOST:
        _enter(plan, "hover", hand)
        plan.angle = _nearest(float(aim[5]), turned)
    if plan.phase == "hover" and level and off[2] < HOVER + 0.03 and _aligned(plan, turned):
        _enter(plan, "down", hand)
        plan.grip = grip.copy()
    elif plan.phase == "down" and (
        np.linalg.norm(hand - plan.grip) < THERE or _stalled(plan, hand)
    ):
        _enter(plan, "close", hand)
    elif plan.phase == "close" and plan.waited > CLOSE_STEPS:
        _enter(plan, "lift", hand)
        plan.held = held
    elif plan.phase == "lift" and rise <= 0:
        _enter(plan, "carry", hand)
    elif plan.phase == "carry" and np.linalg.norm(miss) < ARRIVED:
        _enter(plan, "lower", hand)
    elif plan.phase == "lower" and (drop < LOW or _stalled(plan, hand)):
        _enter(plan, "open", hand)
    elif plan.phase == "open" and plan.waited > OPEN_STEPS:
        _enter(plan, "up", hand)
    elif plan.phase == "up" and hand[2] > plan.height + HOVER:
        plan.phase = "choose"
    there = hand[:2] + miss
    goal = {
        "hover": grip + _ABOVE,
        "down": plan.grip,
        "close": plan.grip,
        "lift": np.array([*hand[:2], hand[2] + max(rise, 0.0) + 0.03]),
        "carry": np.array([*there, hand[2] + rise + 0.01]),
        "lower": np.array([*there, hand[2] - 0.03]),
        "up": np.array([*hand[:2], plan.height + HOVER + 0.05]),
    }.get(plan.phase, hand)
    return goal, plan.phase in ("close", "lift", "carry", "lower")


def _enter(plan: Plan, phase: str, hand: Floats) -> None:
    plan.phase, plan.waited, plan.height, plan.lowest = phase, 0, float(hand[2]), np.inf


def _stalled(plan: Plan, hand: Floats) -> bool:
    """Whether the hand has not come lower for some steps."""
    if hand[2] < plan.lowest - 5e-4:
        plan.lowest, plan.waited = float(hand[2]), 0
    return plan.waited > STALLED


def _downwards(angle: float, lean: Floats = _UPRIGHT) -> Floats:
    """The hand pointing down, its fingers closing on a line at this angle to the x axis."""
    closing = np.array([np.cos(angle), np.sin(angle), 0.0])
    down = lean - [0.0, 0.0, 1.0]
    down = down / np.linalg.norm(down)
    return np.stack([closing, np.cross(down, closing), down], -1)


def _nearest(angle: float, turned: Floats) -> float:
    """The same line from the side that needs less turning."""
    now = float(np.arctan2(turned[1, 0], turned[0, 0]))
    return now + (angle - now + np.pi / 2) % np.pi - np.pi / 2


def _aligned(plan: Plan, turned: Floats) -> bool:
    closing = _downwards(plan.angle)[:, 0]
    return float(closing @ turned[:, 0]) > 0.995
