"""A chain of subtasks: where it begins, what is asked for, and how far it has got."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np

from vlm4vla.core.episode import JSON, Episode
from vlm4vla.core.errors import InvalidFile, UnknownName
from vlm4vla.core.simulator import Floats
from vlm4vla.simulators.calvin.oracle import PREDICATES, TASKS, Snapshot
from vlm4vla.simulators.calvin.words import SOLVED, STAGES

_STATES = {"robot_obs": 15, "scene_obs": 24}


@dataclass(frozen=True)
class ChainSetup:
    """What an episode's setup says."""

    scene: str
    robot_obs: Floats
    """(15,)."""
    scene_obs: Floats
    """(24,)."""
    subtasks: tuple[str, ...]
    instructions: tuple[str, ...]
    steps_per_subtask: int

    @classmethod
    def parse(cls, episode: Episode) -> ChainSetup:
        """Read a suite's setup; UnknownName or InvalidFile for one that cannot be run."""
        setup = episode.setup
        subtasks = tuple(str(task) for task in cast(list[JSON], setup["subtasks"]))
        for task in subtasks:
            if task not in TASKS:
                raise UnknownName(f"CALVIN subtask (in {episode.key})", task, TASKS)
        instructions = tuple(str(line) for line in cast(list[JSON], setup["instructions"]))
        states = {name: np.array(setup[name], np.float64) for name in _STATES}
        for name, size in _STATES.items():
            if states[name].shape != (size,) or not np.isfinite(states[name]).all():
                raise InvalidFile(f"{episode.key}: {name} is not {size} finite numbers.")
        if not subtasks or len(subtasks) > len(STAGES) or len(instructions) != len(subtasks):
            raise InvalidFile(f"{episode.key}: 1 to 5 subtasks, each with its instruction.")
        steps = int(cast(int, setup["steps_per_subtask"]))
        return cls(str(setup["scene"]), **states, subtasks=subtasks, instructions=instructions,
                   steps_per_subtask=steps)  # fmt: skip


class Attempt:
    """One attempt at a chain. A subtask is judged against the moment at which it began."""

    def __init__(self, chain: ChainSetup, start: Snapshot) -> None:
        """Begin with the first subtask."""
        self._chain = chain
        self._start = start
        self._steps = 0
        self.solved = 0
        """Subtasks solved so far."""
        self.failed = False
        """The present subtask ran out of steps."""

    @property
    def complete(self) -> bool:
        """Every subtask has been solved."""
        return self.solved == len(self._chain.subtasks)

    @property
    def subtask(self) -> str:
        """What is to be done now; the last one after the end."""
        return self._chain.subtasks[min(self.solved, len(self._chain.subtasks) - 1)]

    @property
    def instruction(self) -> str:
        """The sentence that says so."""
        return self._chain.instructions[min(self.solved, len(self._chain.subtasks) - 1)]

    def watch(self, now: Snapshot) -> bool:
        """Take in one environment step; True if it solved the present subtask."""
        self._steps += 1
        if PREDICATES[self.subtask](self._start, now):
            self.solved += 1
            self._steps = 0
            self._start = now
            return True
        self.failed = self._steps >= self._chain.steps_per_subtask
        return False

    @property
    def stages(self) -> Mapping[str, bool]:
        """`solved_k`: at least k subtasks were solved."""
        return {name: self.solved > index for index, name in enumerate(STAGES)}

    @property
    def measures(self) -> Mapping[str, float | None]:
        """Subtasks solved; and each subtask: 1 solved, 0 attempted, None not attempted."""
        found: dict[str, float | None] = {SOLVED: float(self.solved), **dict.fromkeys(TASKS)}
        for index, task in enumerate(self._chain.subtasks[: self.solved + 1]):
            found[task] = float(index < self.solved)
        return found
