"""Scripted policies: what simulators bring along to prove themselves."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from vlm4vla.core.policy import ActionChunk, Policy, Session
from vlm4vla.core.simulator import Observation
from vlm4vla.core.specs import ObservationRequest, PolicySpec, SimulatorSpec


class ScriptedPolicy(Policy):
    """Reads simulator state, sees no image, and takes one episode after the other."""

    @classmethod
    def describe(cls, simulator: SimulatorSpec, **options: str) -> PolicySpec:
        """Privileged, in the simulator's own convention."""
        return PolicySpec(simulator.action, ObservationRequest(privileged=True), privileged=True)

    def act(
        self, observations: Sequence[Observation], sessions: Sequence[Session]
    ) -> list[ActionChunk]:
        """The next part of each script."""
        return [self.next_part(*asked) for asked in zip(observations, sessions, strict=True)]

    @abstractmethod
    def next_part(self, observation: Observation, session: Session) -> ActionChunk:
        """The script's next actions in one episode; `session.memory` is the script's own."""
