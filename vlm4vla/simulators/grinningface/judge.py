"""When is the cube picked, placed, and placed on the right card? Pure arithmetic on states.

Two rules stand side by side. The paper's text counts a placement on any card as execution and one
on the target as success; its code only tests the target, and fires while the cube is still between
the opening fingers. Ours (`executed`, `recognised`) asks for the cube to be picked up, let go and
at rest within reach of the NEAREST card: neighbouring cards' reaches overlap (centres may be 0.16 m
apart, each reach is 0.099 m), so "on a card" alone does not say which.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vlm4vla.core.simulator import Floats
from vlm4vla.simulators.grinningface.words import STAGES

CUBE = 0.015
CARD = (0.07, 0.07, 0.001)
"""Half sizes, metres (env_widowx_v8.py). At 1000 kg/m3 the cube weighs 27 g."""
REACH = CARD[0] * math.sqrt(2)
"""Greatest distance of the cube's centre from a card's, metres, in space (evaluate, upstream)."""
ARM_AT_REST = 0.2
"""Greatest joint speed of a static robot, rad/s (upstream)."""
CUBE_AT_REST = 0.02
"""Greatest speed of a cube at rest, m/s. Ours: upstream does not look."""
LIFT = 0.03
"""Height above its resting place at which a grasped cube counts as lifted, metres. Ours."""
NEAR = 0.03
"""Distance of the tool centre from the cube at which it is reached, metres. Ours."""


@dataclass(frozen=True)
class State:
    """What the rules and the experts look at, after a control step. World frame, SI units."""

    cube: Floats
    """(7,) position and quaternion wxyz."""
    cube_speed: float
    cards: Floats
    """(3, 7) poses, like `cube`."""
    tcp: Floats
    """(7,) pose of the tool centre."""
    command: Floats
    """(3,) commanded tool centre."""
    finger_distance: float
    """Between the finger links' origins."""
    arm_speed: float
    """Largest joint speed without the fingers, rad/s."""
    grasped: bool
    """ManiSkill3's test: both fingers press, 0.5 N or more, within 85 degrees of closing."""
    touched: bool
    """Any part of the robot exerts force on the cube."""
    supported: bool
    """Something that is not the robot exerts force on the cube."""


class Judge:
    """Watches one episode and remembers what has been reached."""

    def __init__(self, target: int) -> None:
        """`target` is the index of the card that the instruction names."""
        self._target = target
        self._reached = dict.fromkeys(STAGES, False)
        self._paper = False
        self._placed_on: int | None = None

    def watch(self, state: State) -> None:
        """Take in the state after a control step."""
        distances = np.linalg.norm(state.cards[:, :3] - state.cube[:3], axis=1)
        nearest = int(np.argmin(distances))
        lifted = state.grasped and bool(state.cube[2] > CUBE + LIFT)
        offset = state.cards[:, :2] - state.cube[:2]
        above = bool((np.abs(offset) <= CARD[0]).all(axis=1).any())
        near = bool(np.linalg.norm(state.tcp[:3] - state.cube[:3]) <= NEAR)
        for stage, now in zip(STAGES, (near, state.grasped, lifted, lifted and above), strict=True):
            self._reached[stage] |= now
        static = state.arm_speed <= ARM_AT_REST
        self._paper |= bool(distances[self._target] <= REACH) and static and not state.grasped
        at_rest = state.supported and state.cube_speed <= CUBE_AT_REST
        released = not state.touched and at_rest and static
        placed = self._reached["lifted"] and released and bool(distances[nearest] <= REACH)
        self._placed_on = nearest if placed else None

    @property
    def executed(self) -> bool:
        """Picked up, and now let go and at rest on some card."""
        return self._placed_on is not None

    @property
    def success(self) -> bool:
        """Executed, on the card that was meant."""
        return self._placed_on == self._target

    @property
    def stages(self) -> Mapping[str, bool]:
        """Milestones reached so far."""
        return dict(self._reached)

    @property
    def measures(self) -> Mapping[str, float | None]:
        """1 or 0 each; `recognised` is None where nothing is executed."""
        return {
            "picked": float(self._reached["lifted"]),
            "executed": float(self.executed),
            "recognised": float(self.success) if self.executed else None,
            "success_paper": float(self._paper),
        }
