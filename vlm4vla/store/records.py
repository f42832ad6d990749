"""What goes into the store and comes out of it: frozen, comparable, free of SQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal, cast

from vlm4vla.core.episode import JSON, EpisodeKey
from vlm4vla.core.errors import ErrorKind
from vlm4vla.core.result import Metric, Outcome, Timing
from vlm4vla.core.simulator import Floats


def now() -> str:
    """The time, UTC, ISO 8601 to the microsecond: sorts as text."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


class RunStatus(StrEnum):
    """What the driver last said of its run. Reports count rows instead of believing it."""

    RUNNING = "running"  # or killed before it could say otherwise
    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    DECIDED = "decided"  # a sequential comparison needed no more of its episodes


@dataclass(frozen=True)
class RunRecord:
    """One run: its configuration, and where and when it was made."""

    id: str
    policy: str
    suite: str
    simulator: str
    plan: tuple[EpisodeKey, ...]
    """Every episode the run is to hold; a run that lacks one is incomplete."""
    metrics: tuple[Metric, ...]
    success_rule: Literal["last", "any"] = "last"
    policy_options: Mapping[str, JSON] = field(default_factory=dict)
    checkpoint: str = ""
    training_split: str = "none"
    privileged: bool = False
    protocol: str = "default"
    options: Mapping[str, JSON] = field(default_factory=dict)
    """The simulator's resolved options."""
    execution: str = "chunk"
    seed: int = 0
    comparability: Mapping[str, JSON] = field(default_factory=dict)
    """Facts that change scores: runs that differ in one are not compared unless asked for."""
    provenance: Mapping[str, JSON] = field(default_factory=dict)
    """Commit, host, versions, command: shown, never gating."""
    continued: tuple[Mapping[str, JSON], ...] = ()
    """Provenance of later commands that continued the run elsewhere or otherwise."""
    created: str = field(default_factory=now)
    status: RunStatus = RunStatus.RUNNING

    @property
    def decision(self) -> Mapping[str, JSON] | None:
        """What a sequential comparison last found and by which rule, if one stopped the run."""
        found = [facts["decided"] for facts in self.continued if "decided" in facts]
        return cast(Mapping[str, JSON], found[-1]) if found else None

    @property
    def brought_python(self) -> str | None:
        """The interpreter that was named for its simulator, if one was."""
        foreign = self.provenance.get("simulator_python")
        brought = isinstance(foreign, Mapping) and foreign.get("brought")
        return str(foreign["command"]) if isinstance(foreign, Mapping) and brought else None


@dataclass(frozen=True)
class EpisodeRow:
    """The final word on one episode of one run; its actions are read apart."""

    run: str
    key: EpisodeKey
    outcome: Outcome
    ended: str
    instruction: str = ""
    success_any: bool = False
    success_last: bool = False
    stages: Mapping[str, bool] = field(default_factory=dict)
    measures: Mapping[str, float | None] = field(default_factory=dict)
    steps: int = 0
    queries: int = 0
    renders: int = 0
    timing: Timing = field(default_factory=Timing)
    error: ErrorKind | None = None
    error_text: str = ""
    attempt: int = 1
    video: str = ""
    memory_mb: float = 0.0
    digest: str = ""
    """Of the episode; empty where a store before version 5 took the row."""


@dataclass(frozen=True)
class Trace:
    """What was done in an episode, and when the policy was asked."""

    actions: Floats
    """(steps, A) as the simulator received them."""
    query_steps: tuple[int, ...]
    drawn: Floats
    """(S,) the state at which it began, where the simulator drew it; otherwise empty."""


@dataclass(frozen=True)
class Fault:
    """An attempt that failed and was tried again."""

    run: str
    key: EpisodeKey
    attempt: int
    kind: ErrorKind
    text: str
    ended: str
