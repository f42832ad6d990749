"""CALVIN's scripted policy: every subtask from simulator state, in relative actions.

The upper bound that proves the harness. Scene D only: its recipes are measured there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from vlm4vla.core.errors import SpecMismatch
from vlm4vla.core.policy import ActionChunk, Session
from vlm4vla.core.simulator import Floats, Observation
from vlm4vla.core.specs import PolicySpec, SimulatorSpec
from vlm4vla.simulators.calvin.expert import blocks, fixtures
from vlm4vla.simulators.calvin.expert.motion import Skill, still
from vlm4vla.simulators.calvin.expert.reach import SeenTable
from vlm4vla.simulators.calvin.oracle import TASKS
from vlm4vla.simulators.scripted import ScriptedPolicy

SKILLS: Mapping[str, Callable[[SeenTable], Skill]] = {**fixtures.SKILLS, **blocks.SKILLS}
"""Subtask -> its script. A subtask without one ends the chain at once."""


@dataclass
class Script:
    """A skill under way."""

    skill: Skill
    chunk: Floats
    """(n, 7) what it wants done before it looks again."""
    begun: int
    """The step at which the chunk began."""


class CalvinExpert(ScriptedPolicy):
    """Solves one subtask after the other; gives the chain up where it knows no way."""

    @classmethod
    def describe(cls, simulator: SimulatorSpec, **options: str) -> PolicySpec:
        """Raises SpecMismatch for absolute control."""
        if simulator.action.control != "delta":
            raise SpecMismatch(
                "CALVIN's expert sends relative actions.", "Drop --set control=absolute."
            )
        return super().describe(simulator, **options)

    def next_part(self, observation: Observation, session: Session) -> ActionChunk:
        """The next motion of its script, as long as it is."""
        state = SeenTable.read(observation.privileged)
        script = session.memory
        try:
            if not isinstance(script, Script):
                task = TASKS[int(observation.privileged["task"][0])]
                skill = SKILLS[task](state) if task in SKILLS else _nothing()
                script = Script(skill, next(skill), observation.step)
                session.memory = script
            else:
                # Where not all of a chunk is executed, the rest of it comes first.
                rest = script.chunk[observation.step - script.begun :]
                script.chunk = rest if len(rest) else script.skill.send(state)
                script.begun = observation.step
        except StopIteration:
            return ActionChunk(still(state.gripper, 1), terminate_after=1)
        return ActionChunk(script.chunk)


def _nothing() -> Skill:
    """No way is known."""
    yield from ()
