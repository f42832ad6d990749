"""Scripted pick and place from simulator state: the task's upper bound, and its blind twin.

Translation only, as in the paper's demonstrations: the gripper points down throughout. Where a card
lies beyond the reach of a gripper pointing down, the cube is set down on its near side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vlm4vla.core.policy import ActionChunk, Policy, Session
from vlm4vla.core.simulator import Floats, Observation
from vlm4vla.core.specs import ObservationRequest, PolicySpec, SimulatorSpec

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


class Expert(Policy):
    """Picks the cube and puts it on the card that the instruction names."""

    @classmethod
    def describe(cls, simulator: SimulatorSpec, **options: str) -> PolicySpec:
        """Reads simulator state, sees no image."""
        return PolicySpec(
            simulator.action,
            ObservationRequest(privileged=True),
            execution="first",
            privileged=True,
        )

    def act(
        self, observations: Sequence[Observation], sessions: Sequence[Session]
    ) -> list[ActionChunk]:
        """One action for each observation."""
        return [
            ActionChunk(self._action(observation.privileged, session)[None])
            for observation, session in zip(observations, sessions, strict=True)
        ]

    def choose(self, state: Privileged, session: Session) -> int:
        """The card to go to."""
        return int(state["target"][0])

    def _action(self, state: Privileged, session: Session) -> Floats:
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
        return action


class BlindExpert(Expert):
    """The same motions towards a card drawn at random: what recognition is worth by chance."""

    def choose(self, state: Privileged, session: Session) -> int:
        """Any of the cards, from the episode's own randomness."""
        return int(session.rng.integers(len(state["cards"])))


def _next(plan: Plan, state: Privileged) -> tuple[Floats, bool]:
    """Where the tool should be commanded to, and whether the fingers close; advances the plan."""
    grip, tcp = state["cube"][:3] + state["grip"], state["tcp"][:3]
    place = state["grip"][:2] + _within_reach(
        state["cards"][plan.card][:2], state["base"], float(state["reach"][0])
    )
    plan.waited += 1
    while True:
        above, low, drop = _at(grip, HOVER), _at(grip, GRASP), _at(place, DROP)
        if plan.phase == 0 and _far(tcp, above) < 2 * ARRIVED:
            _enter(plan, 1)
        elif plan.phase == 1 and _far(tcp, low) < ARRIVED:
            _enter(plan, 2)
        elif plan.phase == 2 and plan.waited >= CLOSE_STEPS:
            _enter(plan, 3 if state["grasped"][0] else 0)
        elif plan.phase == 3 and tcp[2] > HOVER - 2 * ARRIVED:
            _enter(plan, 4)
        elif plan.phase == 4 and float(np.linalg.norm(tcp[:2] - place)) < ARRIVED:
            _enter(plan, 5)
        elif plan.phase == 5 and tcp[2] < DROP + ARRIVED:
            _enter(plan, 6)
        elif plan.phase == 6 and plan.waited > OPEN_STEPS:
            _enter(plan, 7)
        elif plan.phase in (3, 4) and plan.waited > CLOSE_STEPS and not state["touched"][0]:
            _enter(plan, 0)  # lost on the way: pick it up again
        else:
            break
    # 0 go above the cube, 1 down, 2 close, 3 lift, 4 carry, 5 down, 6 open, 7 back off.
    goal = {
        0: above,
        1: low,
        2: state["command"],
        3: _at(state["command"], HOVER),
        4: _at(place, HOVER),
        5: drop,
        6: state["command"],
        7: _at(place, HOVER),
    }[plan.phase]
    return goal, plan.phase in (2, 3, 4, 5)


def _enter(plan: Plan, phase: int) -> None:
    plan.phase, plan.waited = phase, 0


def _at(place: Floats, height: float) -> Floats:
    return np.array([place[0], place[1], height])


def _far(here: Floats, there: Floats) -> float:
    return float(np.linalg.norm(here - there))


def _within_reach(place: Floats, base: Floats, reach: float) -> Floats:
    """`place` (2,), or the nearest point to it that the gripper can reach pointing down."""
    arm = place - base[:2]
    return base[:2] + arm * min(1.0, reach / float(np.linalg.norm(arm)))
