"""What one episode left behind, and what is counted of many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

import numpy as np

from vlm4vla.core.episode import EpisodeKey
from vlm4vla.core.errors import ErrorKind
from vlm4vla.core.simulator import Floats


class Outcome(StrEnum):
    """An error is neither success nor failure: it stays outside every denominator."""

    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"


@dataclass(frozen=True)
class Timing:
    """Where the episode's wall time went, seconds."""

    reset: float = 0.0
    simulate: float = 0.0
    render: float = 0.0
    policy: float = 0.0
    """Waiting for the policy server: queueing, transport and inference together."""


@dataclass(frozen=True)
class EpisodeResult:
    """One attempt at one episode."""

    key: EpisodeKey
    outcome: Outcome
    digest: str = ""
    """Of the episode, `Episode.digest`."""
    instruction: str = ""
    success_any: bool = False
    """Success held after at least one step."""
    success_last: bool = False
    """Success held after the last step."""
    stages: Mapping[str, bool] = field(default_factory=dict)
    measures: Mapping[str, float | None] = field(default_factory=dict)
    steps: int = 0
    query_steps: tuple[int, ...] = ()
    """Steps taken when the policy was asked, ascending from 0."""
    renders: int = 0
    timing: Timing = field(default_factory=Timing)
    error: ErrorKind | None = None
    error_text: str = ""
    attempt: int = 1
    actions: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    """(steps, A) as the simulator received them: what `bench replay` needs."""
    drawn: Floats = field(default_factory=lambda: np.zeros(0))
    """(S,) the state at which it began, where the simulator drew it (`DrawsStates`)."""
    video: str = ""
    memory_mb: float = 0.0
    """Peak resident memory of the simulator host so far."""

    @property
    def queries(self) -> int:
        """How often the policy was asked."""
        return len(self.query_steps)


@dataclass(frozen=True)
class Metric:
    """One column of the leaderboard, computed from episode rows. Stores keep it field by field."""

    name: str
    kind: Literal["rate", "mean"]
    """`rate`: share of episodes where `of` is true; `mean`: average of `of`."""
    of: str
    """`success`, `success_any`, `success_last`, a stage, or a measure."""
    given: str | None = None
    """Only episodes where this is true count (recognition, given execution)."""
    chance: float | None = None
    """What a policy that knows nothing scores."""
    headline: bool = False
    table: str = ""
    """The further table it belongs to (a suite file's `tables`); empty: of the leaderboard."""
