"""The toy's scripted solution."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vlm4vla.core.policy import ActionChunk, Policy, Session
from vlm4vla.core.simulator import Floats, Observation
from vlm4vla.core.specs import ObservationRequest, PolicySpec, SimulatorSpec


class ToyExpert(Policy):
    """Go above the puck, down, close, up, above the pad, open. One action a query."""

    @classmethod
    def describe(cls, simulator: SimulatorSpec, **options: str) -> PolicySpec:
        """Sees the state, never an image."""
        return PolicySpec(simulator.action, ObservationRequest(privileged=True), privileged=True)

    def act(
        self, observations: Sequence[Observation], sessions: Sequence[Session]
    ) -> list[ActionChunk]:
        """The next step of the script, from the state alone."""
        return [ActionChunk(_next(observation)[None]) for observation in observations]


def _next(observation: Observation) -> Floats:
    state = observation.privileged
    tcp, puck, pad = state["tcp"], state["puck"], state["pad"]
    held = bool(state["held"][0])
    goal = pad if held else puck
    beside = float(np.linalg.norm(goal[:2] - tcp[:2])) > 0.02
    if held:
        target = np.array([*goal[:2], 0.15])
        grip = -1.0 if beside else 1.0
    else:
        target = np.array([*goal[:2], 0.15 if beside else 0.0])
        grip = -1.0 if not beside and tcp[2] < 0.02 else 1.0
    motion = np.clip((target - tcp) / 0.05, -1.0, 1.0)
    return np.array([*motion, 0.0, 0.0, 0.0, grip])
