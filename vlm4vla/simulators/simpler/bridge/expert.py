"""Scripted pick and place from simulator state: what the Bridge tasks allow at best.

The hand points straight down and closes across the thing's long side. Heights and holds were tried
out; in the recorded traces of upstream much the same was done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from vlm4vla.core import rotation
from vlm4vla.core.policy import ActionChunk, Session
from vlm4vla.core.simulator import Floats, Observation
from vlm4vla.core.specs import PolicySpec, SimulatorSpec
from vlm4vla.simulators.scripted import ScriptedPolicy

STRIDE, TURN = 0.025, 0.25
"""Greatest step of the commanded hand, metres and radians."""
ARRIVED, ALIGNED = 0.006, 0.06
"""How near to its aim the hand is there, metres and radians."""
CLEAR = 0.08
"""Metres above the higher of the two things at which the hand travels."""
CLOSING, OPENING = 4, 3
"""Steps given to the fingers."""
PATIENCE = 12
"""Steps after which the hand closes although something keeps it from where it would."""
SLANTS = (0.0, 0.5, -0.5)
"""How the hand is turned from straight across the thing, radians, one try after the other."""
BACK_OFF = 0.06
"""Metres to rise after letting go."""
LOST = 0.03
"""Metres that a held thing may be from where it was gripped before it counts as lost."""
DOWN = np.array([[0.0, 0.0, -1.0], [0.0, -1.0, 0.0], [-1.0, 0.0, 0.0]])
"""A hand that points down and closes along y, in the world."""

Privileged = Mapping[str, Floats]


@dataclass(frozen=True)
class Grasp:
    """Where a thing is best held, and how high it is let go."""

    along: float = 0.0
    """From its origin along its long side, metres."""
    above: float = 0.003
    """The hand's height over its origin, metres."""
    release: float = 0.0
    """Height of its origin over the target's when it is let go, metres."""


GRASPS = {
    "put the spoon on the towel": Grasp(along=0.0395, above=0.0095, release=0.021),
    "put carrot on plate": Grasp(release=0.033),
    "stack the green block on the yellow block": Grasp(above=0.002, release=0.036),
    "put eggplant into yellow basket": Grasp(above=0.0015, release=0.0525),
}
"""By the instruction: a policy is told nothing else of its task."""


@dataclass
class Carrying:
    """What the expert remembers of an episode."""

    phase: int = 0
    waited: int = 0
    lost: int = 0
    held: Floats | None = None
    """(3,) the hand from the thing's origin when it was gripped."""
    released: Floats | None = None
    """(3,) where the hand let go."""


@dataclass(frozen=True)
class Aim:
    """Where the hand shall be: (3,) metres, (3, 3) its turn, fingers closed or open."""

    position: Floats
    turn: Floats
    closed: bool


class BridgeExpert(ScriptedPolicy):
    """Carries the source to the target, and tries again where it slips."""

    @classmethod
    def describe(cls, simulator: SimulatorSpec, **options: str) -> PolicySpec:
        """Asked at every step."""
        return replace(super().describe(simulator, **options), execution="first")

    def next_part(self, observation: Observation, session: Session) -> ActionChunk:
        """One action."""
        if not isinstance(session.memory, Carrying):
            session.memory = Carrying()
        state = observation.privileged
        aim = _next(session.memory, state, GRASPS[observation.instruction])
        return ActionChunk(_towards(aim, state)[None])


def _towards(aim: Aim, state: Privileged) -> Floats:
    """The action (7,) that brings the commanded hand nearer to the aim."""
    command, hand = state["command"], state["tcp"][:3]
    base = rotation.to_matrix(state["base"][3:], "quat_wxyz")
    turned = rotation.to_matrix(command[3:], "quat_wxyz")
    turn = rotation.from_matrix(aim.turn @ turned.T, "rotvec")
    turn *= min(1.0, TURN / max(float(np.linalg.norm(turn)), 1e-9))
    # The commanded position is turned about the measured one.
    swung = rotation.to_matrix(turn, "rotvec") @ (command[:3] - hand) + hand
    step = aim.position - swung
    step = step * min(1.0, STRIDE / max(float(np.linalg.norm(step)), 1e-9))
    return np.concatenate([base.T @ step, base.T @ turn, [-1.0 if aim.closed else 1.0]])


def _next(carrying: Carrying, state: Privileged, grasp: Grasp) -> Aim:
    """What to do now; goes on to the next phase where one is over."""
    carrying.waited += 1
    while True:
        aim, over = _phase(carrying, state, grasp)
        if carrying.phase in (4, 5) and _slipped(carrying, state):
            carrying.phase, carrying.waited, carrying.lost = 0, 0, carrying.lost + 1
        elif not over:
            return aim
        else:
            carrying.phase, carrying.waited = carrying.phase + 1, 0
            if carrying.phase == 3:
                carrying.held = state["tcp"][:3] - state["source"][:3]
            if carrying.phase == 6:
                carrying.released = state["command"][:3].copy()


def _phase(carrying: Carrying, state: Privileged, grasp: Grasp) -> tuple[Aim, bool]:
    """What the present phase aims at, and whether it is over."""
    hand, source, target = (state[name][:3] for name in ("tcp", "source", "target"))
    turn = rotation.to_matrix(state["command"][3:], "quat_wxyz")
    travel = max(source[2], target[2]) + CLEAR
    if carrying.phase < 2:
        across, hold = _hold(state, grasp, SLANTS[carrying.lost % len(SLANTS)])
        place = hold if carrying.phase else np.array([*hold[:2], max(travel, hold[2] + 0.05)])
        near = _near(hand, place, 2 - carrying.phase) and _aligned(state, across)
        return Aim(place, across, False), near or carrying.waited > PATIENCE
    here = state["command"][:3]
    if carrying.phase == 2:
        return Aim(here, turn, True), carrying.waited >= CLOSING
    if carrying.phase in (3, 4, 5):
        assert carrying.held is not None
        rise = np.array([*here[:2], target[2] + CLEAR])
        if carrying.phase == 3:
            return Aim(rise, turn, True), hand[2] > rise[2] - 2 * ARRIVED
        over = target + carrying.held + np.array([0.0, 0.0, grasp.release])
        if carrying.phase == 4:
            high = np.array([*over[:2], max(rise[2], over[2])])
            return Aim(high, turn, True), _near(hand[:2], high[:2])
        return Aim(over, turn, True), _near(hand, over)
    assert carrying.released is not None
    if carrying.phase == 6:
        return Aim(carrying.released, turn, False), carrying.waited >= OPENING
    away = carrying.released + np.array([0.0, 0.0, BACK_OFF])
    return Aim(away, turn, False), False


def _hold(state: Privileged, grasp: Grasp, slant: float) -> tuple[Floats, Floats]:
    """How the hand is turned across the thing's long side (3, 3), and where it grips (3,)."""
    along = rotation.to_matrix(state["source"][3:], "quat_wxyz")[:, 0]
    yaw = float(np.arctan2(along[1], along[0]))
    yaw = (yaw + np.pi / 2) % np.pi - np.pi / 2  # either way round, the nearer one
    across = rotation.to_matrix(np.array([0.0, 0.0, yaw + slant]), "rotvec") @ DOWN
    flat = np.array([along[0], along[1], 0.0])
    place = state["source"][:3] + grasp.along * flat + np.array([0.0, 0.0, grasp.above])
    return across, place


def _near(here: Floats, there: Floats, slack: float = 1.0) -> bool:
    return bool(np.linalg.norm(here - there) < slack * ARRIVED)


def _aligned(state: Privileged, turn: Floats) -> bool:
    hand = rotation.to_matrix(state["tcp"][3:], "quat_wxyz")
    return float(np.linalg.norm(rotation.from_matrix(turn @ hand.T, "rotvec"))) < ALIGNED


def _slipped(carrying: Carrying, state: Privileged) -> bool:
    assert carrying.held is not None
    moved = state["tcp"][:3] - state["source"][:3] - carrying.held
    return bool(np.linalg.norm(moved) > LOST)
