"""How much of an action chunk is executed before the policy is asked again.

Lives in the worker, next to the simulator, together with everything that depends on executed steps.
Written `MODE[+votesN][+stickyN][+changeN][+deadX]`:

- `chunk`: all of it; `half`: the first half (rounded up); `first`: one action; a number: so many.
- `ensemble`: query every step and average every chunk's opinion of this step with the weights
  exp(-0.01 i), i = 0 for the oldest (ACT, Zhao et al. 2023); the gripper is a weighted vote.
- `votesN`: the gripper opens only after N consecutive open commands (VLM4VLA on WidowX: 2).
- `stickyN`: once the gripper command changes it is held for N steps (SimplerEnv, Google robot).

For a simulator whose gripper takes a change, not an opening (SimplerEnv's Google robot):

- `changeN`: the change of the opening from step to step; one of more than half the way is repeated
  for N steps (SimplerEnv's Octo: 15).
- `deadX`: a gripper command nearer than X to none is none (SimplerEnv's RT-1: 0.01).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vlm4vla.core.errors import BadInput
from vlm4vla.core.policy import ActionChunk
from vlm4vla.core.simulator import Floats
from vlm4vla.core.specs import ActionSpec, Gripper

_PATTERN = re.compile(
    r"(chunk|half|first|ensemble|[1-9]\d*)"
    r"(?:\+votes(\d+))?(?:\+sticky(\d+))?(?:\+change([1-9]\d*))?(?:\+dead(\d*\.?\d+))?"
)
_ENSEMBLE_DECAY = 0.01


@dataclass(frozen=True)
class Execution:
    """A parsed execution mode."""

    mode: Literal["chunk", "half", "steps", "ensemble"]
    steps: int = 0
    votes: int = 0
    sticky: int = 0
    change: int = 0
    dead: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Execution:
        """Read the notation above. Raises BadInput."""
        match = _PATTERN.fullmatch(text)
        if match is None:
            raise BadInput(
                f"'{text}' is not an execution mode.",
                "Use --execute chunk, half, first, ensemble or a number of actions, "
                "with +votesN, +stickyN, +changeN or +deadX behind it if the gripper needs it.",
            )
        mode, rules = match[1], (*(int(n or 0) for n in match.groups()[1:4]), float(match[5] or 0))
        if mode in ("chunk", "half", "ensemble"):
            return cls(mode, 0, *rules)  # type: ignore[arg-type]
        return cls("steps", 1 if mode == "first" else int(mode), *rules)  # type: ignore[arg-type]

    def horizon(self, chunk_length: int) -> int:
        """How many actions of a chunk of that length are executed."""
        half = (chunk_length + 1) // 2
        wanted = {"chunk": chunk_length, "half": half, "steps": self.steps, "ensemble": 1}
        return min(wanted[self.mode], chunk_length)


class Executor:
    """Turns chunks into one action a step. One per episode; `reset` at a new instruction."""

    def __init__(self, execution: Execution, spec: ActionSpec) -> None:
        """`spec` is the convention of the actions handed in and out (the simulator's)."""
        self._execution = execution
        self._moves_gripper, self._gripper = spec.gripper is not None, spec.gripper or Gripper()
        self.reset()

    def reset(self) -> None:
        """Drop the chunk, the ensemble's memory and the gripper's."""
        self._queue: list[Floats] = []
        self._ends_after: int | None = None
        self._past: list[Floats] = []
        self._open_votes = 0
        self._held: float | None = None
        self._hold = 0
        self._opening: float | None = None
        self._repeated = 0.0

    @property
    def remaining(self) -> int:
        """Actions left before the policy must be asked."""
        return len(self._queue)

    @property
    def finished(self) -> bool:
        """The policy declared the episode over after the actions taken so far."""
        return self._ends_after == 0

    def load(self, chunk: ActionChunk) -> None:
        """Take a fresh chunk (H, A)."""
        self._ends_after = chunk.terminate_after
        if self._execution.mode == "ensemble":
            self._queue = [self._averaged(chunk.actions)]
        else:
            self._queue = list(chunk.actions[: self._execution.horizon(len(chunk.actions))])

    def next(self) -> Floats:
        """The action (A,) to execute now."""
        action = self._queue.pop(0)
        if self._ends_after is not None:
            self._ends_after -= 1
        rules = (
            (self._execution.votes, self._voted),
            (self._execution.sticky, self._stuck),
            (self._execution.change, self._changed),
            (self._execution.dead, self._alive),
        )
        for asked, rule in rules:
            if asked and self._moves_gripper:
                action = np.array([*action[:-1], rule(action[-1])])
        return action

    def _averaged(self, chunk: Floats) -> Floats:
        """Weighted mean of every remembered chunk's action for this step."""
        self._past = [past[1:] for past in self._past if len(past) > 1] + [chunk]
        opinions = np.stack([past[0] for past in self._past])
        weights = np.exp(-_ENSEMBLE_DECAY * np.arange(len(opinions)))
        weights /= weights.sum()
        action: Floats = weights @ opinions
        if self._moves_gripper:
            opens = np.array([self._is_open(value) for value in opinions[:, -1]])
            action[-1] = self._command(float(weights @ opens) > 0.5)
        return action

    def _command(self, opens: bool) -> float:
        return self._gripper.open if opens else self._gripper.closed

    def _is_open(self, value: float) -> bool:
        return abs(value - self._gripper.open) < abs(value - self._gripper.closed)

    def _voted(self, value: float) -> float:
        self._open_votes = self._open_votes + 1 if self._is_open(value) else 0
        return self._command(self._open_votes >= self._execution.votes)

    def _stuck(self, value: float) -> float:
        wanted = self._command(self._is_open(value))
        if self._hold:
            self._hold -= 1
        elif wanted != self._held:
            changed = self._held is not None
            self._held = wanted
            self._hold = self._execution.sticky - 1 if changed else 0
        assert self._held is not None
        return self._held

    def _changed(self, value: float) -> float:
        spec, middle = self._gripper, self._middle
        before, opening = self._opening, (value - spec.closed) / (spec.open - spec.closed)
        self._opening = opening
        closing = 0.0 if before is None else before - opening
        if not self._hold and abs(closing) > 0.5:
            self._hold, self._repeated = self._execution.change, closing
        if self._hold:
            self._hold -= 1
            closing = self._repeated
        return middle + closing * (spec.closed - middle)

    def _alive(self, value: float) -> float:
        return value if abs(value - self._middle) >= self._execution.dead else self._middle

    @property
    def _middle(self) -> float:
        return (self._gripper.open + self._gripper.closed) / 2
