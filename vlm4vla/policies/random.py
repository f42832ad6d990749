"""The floor: actions drawn uniformly from the simulator's range."""

from __future__ import annotations

from collections.abc import Sequence

from vlm4vla.core.policy import ActionChunk, Policy, Session
from vlm4vla.core.simulator import Observation
from vlm4vla.core.specs import PolicySpec, SimulatorSpec

_CHUNK = 8


class RandomPolicy(Policy):
    """Blind and uniform; seeded by the episode, so it draws the same actions in every run."""

    @classmethod
    def describe(cls, simulator: SimulatorSpec, **options: str) -> PolicySpec:
        """Needs to see nothing: no image is rendered for it."""
        return PolicySpec(simulator.action)

    def act(
        self, observations: Sequence[Observation], sessions: Sequence[Session]
    ) -> list[ActionChunk]:
        """Eight uniform actions each."""
        spec = self.simulator.action
        return [
            ActionChunk(session.rng.uniform(spec.low, spec.high, (_CHUNK, spec.size)))
            for session in sessions
        ]
