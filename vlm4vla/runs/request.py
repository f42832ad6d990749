"""Everything a user can say about a run. The command line and the Python API both fill this in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vlm4vla.rollout.episode_loop import VideoMode
from vlm4vla.suites.suite import Scalar


@dataclass(frozen=True)
class RunRequest:
    """One policy on one suite."""

    policy: str
    """A registered name, an expert of the suite's simulator, or `module:Class`."""
    suite: str
    """A shipped suite's name or a YAML file."""
    tasks: tuple[str, ...] = ()
    """Only these tasks; all if empty."""
    inits: tuple[int, ...] = ()
    """Only these initial states; all if empty."""
    episodes: int | None = None
    """Only the first so many episodes of each task."""
    seed: int = 0
    """Part of every episode's identity; everything random in it comes from here."""
    protocol: str | None = None
    """A named reading of the suite, e.g. `paper`."""
    options: Mapping[str, Scalar] = field(default_factory=dict)
    """Simulator options that replace the suite's."""
    policy_options: Mapping[str, str] = field(default_factory=dict)
    execute: str | None = None
    """Execution mode; the policy's own default if None."""
    slots: int | None = None
    """Simulators side by side; chosen from cores and memory if None."""
    max_batch: int = 64
    """Most observations that one call of the policy sees."""
    timeout_s: float | None = None
    """Watchdog: longest time a simulator may take for one step; the simulator's own if None."""
    retries: int = 2
    """Fresh attempts for an episode that a simulator's fault ended, before it is quarantined."""
    retry_errors: bool = False
    """Try the quarantined episodes of an earlier command again."""
    video: VideoMode = "none"
    """Film nothing, the frames at queries, or every step."""
    selected_from: int = 1
    """The checkpoint or setting was chosen by its score on these same episodes among so many; its
    numbers are marked as the best of them. May be said of a finished run too."""
    run_id: str | None = None
    new: bool = False
    """Start afresh even where the same run exists."""
    ray_address: str | None = None
    """A running Ray cluster; a local one is started if None."""
    python: str | None = None
    """Interpreter that simulators run in; that of the simulator's environment if None."""
    tcp: bool = False
    """Carry observations over TCP even on one machine."""
