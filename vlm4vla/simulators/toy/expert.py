"""The toy's scripted solution."""

from __future__ import annotations

import numpy as np

from vlm4vla.core.policy import ActionChunk, Session
from vlm4vla.core.simulator import Observation
from vlm4vla.simulators.scripted import ScriptedPolicy


class ToyExpert(ScriptedPolicy):
    """Go above the puck, down, close, up, above the pad, open. One action a query."""

    def next_part(self, observation: Observation, session: Session) -> ActionChunk:
        """The next step of the script, from the state alone."""
        state = observation.privileged
        tcp, held = state["tcp"], bool(state["held"][0])
        goal = state["pad"] if held else state["puck"]
        beside = float(np.linalg.norm(goal[:2] - tcp[:2])) > 0.02
        if held:
            height, grip = 0.15, -1.0 if beside else 1.0
        else:
            height = 0.15 if beside else 0.0
            grip = -1.0 if not beside and tcp[2] < 0.02 else 1.0
        motion = np.clip((np.array([*goal[:2], height]) - tcp) / 0.05, -1.0, 1.0)
        return ActionChunk(np.array([[*motion, 0.0, 0.0, 0.0, grip]]))
