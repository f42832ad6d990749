"""Scripted pick and place from simulator state: the task's upper bound, and its blind twin.

Translation only, as in the paper's demonstrations: the gripper points down throughout. Where a card
lies beyond the reach of a gripper pointing down, the cube is set down on its near side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from vlm4vla.core.policy import ActionChunk, Session
from vlm4vla.core.simulator import Floats, Observation
from vlm4vla.core.specs import PolicySpec, SimulatorSpec
from vlm4vla.simulators.scripted import ScriptedPolicy

HOVER = 0.08
"""Height of the tool centre above the table for travelling, metres."""
GRASP = 0.022
"""Height of the tool centre for grasping."""
DROP = 0.029
"""Height of the tool centre for letting go: the cube a few millimetres above the card."""
STRIDE = 0.03
"""Greatest step of the commanded tool centre, metres."""
CLOSE_STEPS = 6
"""Steps given to the fingers to close."""
OPEN_STEPS = 4
"""Steps given to the fingers to open; if one still touches the cube then, the arm backs off."""
ARRIVED = 0.006
"""Distance at which a waypoint counts as reached, metres."""

Privileged = Mapping[str, Floats]


@dataclass
class Plan:
    """What the expert remembers of an episode."""

    card: int
    phase: int = 0
    waited: int = 0


@dataclass(frozen=True)
class Phase:
    """One part of the motion."""

    goal: Floats
    """(3,) where the tool centre should be commanded to."""
    closed: bool
    over: bool


class Expert(ScriptedPolicy):
    """Picks the cube and puts it on the card that the instruction names."""

    @classmethod
    def describe(cls, simulator: SimulatorSpec, **options: str) -> PolicySpec:
        """Asked at every step."""
        return replace(super().describe(simulator, **options), execution="first")

    def choose(self, state: Privileged, session: Session) -> int:
        """The card to go to."""
        return int(state["target"][0])

    def next_part(self, observation: Observation, session: Session) -> ActionChunk:
        """One action."""
        state = observation.privileged
        if not isinstance(session.memory, Plan):
            session.memory = Plan(self.choose(state, session))
        plan = session.memory
        goal, closed = _next(plan, state)
        gripper = self.simulator.action.gripper
        assert gripper is not None
        action = np.zeros(self.simulator.action.size)
        step = goal - state["command"]
        step = step * min(1.0, STRIDE / max(float(np.linalg.norm(step)), 1e-9))
        action[:3] = step / np.asarray(self.simulator.action.translation_scale)
        action[-1] = gripper.closed if closed else gripper.open
        return ActionChunk(action[None])


class BlindExpert(Expert):
    """The same motions towards a card drawn at random: what recognition is worth by chance."""

    def choose(self, state: Privileged, session: Session) -> int:
        """Any of the cards, from the episode's own randomness."""
        return int(session.rng.integers(len(state["cards"])))


def _next(plan: Plan, state: Privileged) -> tuple[Floats, bool]:
    """Where the tool should be commanded to, and whether the fingers close; advances the plan."""
    plan.waited += 1
    while True:
        phase = _phases(plan, state)[plan.phase]
        if phase.over:
            missed = plan.phase == 2 and not state["grasped"][0]
            plan.phase, plan.waited = 0 if missed else plan.phase + 1, 0
        elif plan.phase in (3, 4) and plan.waited > CLOSE_STEPS and not state["touched"][0]:
            plan.phase, plan.waited = 0, 0  # lost on the way: pick it up again
        else:
            return phase.goal, phase.closed


def _phases(plan: Plan, state: Privileged) -> tuple[Phase, ...]:
    tcp, here = state["tcp"][:3], state["command"]
    cube = state["cube"][:3] + state["grip"]
    card, base = state["cards"][plan.card][:2], state["base"]
    place = state["grip"][:2] + _within_reach(card, base, float(state["reach"][0]))
    above, low = _at(cube, HOVER), _at(cube, GRASP)
    return (
        Phase(above, False, _far(tcp, above) < 2 * ARRIVED),  # go above the cube
        Phase(low, False, _far(tcp, low) < ARRIVED),  # down
        Phase(here, True, plan.waited >= CLOSE_STEPS),  # close
        Phase(_at(here, HOVER), True, tcp[2] > HOVER - 2 * ARRIVED),  # lift
        Phase(_at(place, HOVER), True, _far(tcp[:2], place) < ARRIVED),  # carry
        Phase(_at(place, DROP), True, tcp[2] < DROP + ARRIVED),  # down
        Phase(here, False, plan.waited > OPEN_STEPS),  # open
        Phase(_at(place, HOVER), False, False),  # back off
    )


def _at(place: Floats, height: float) -> Floats:
    return np.array([place[0], place[1], height])


def _far(here: Floats, there: Floats) -> float:
    return float(np.linalg.norm(here - there))


def _within_reach(place: Floats, base: Floats, reach: float) -> Floats:
    """`place` (2,), or the nearest point to it that the gripper can reach pointing down."""
    arm = place - base[:2]
    return base[:2] + arm * min(1.0, reach / float(np.linalg.norm(arm)))
