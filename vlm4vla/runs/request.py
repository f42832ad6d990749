"""Everything a user can say about a run: `bench run`, `bench demos`, and Python fill this in.

The first paragraph below each field is what `--help` says of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vlm4vla.rollout.episode_loop import VideoMode
from vlm4vla.suites.suite import Scalar


@dataclass(frozen=True)
class RunRequest:
    """One policy on one suite."""

    policy: str
    """Policy: a name, or module:Class."""
    suite: str
    """Suite: a name, or a YAML file."""
    tasks: tuple[str, ...] = ()
    """Only this task (repeatable).

    All if empty.
    """
    inits: tuple[int, ...] = ()
    """Only these inits: 3 or 0,4,10-19.

    All if empty.
    """
    episodes: int | None = None
    """Only the first N of each task.

    More of them continue the same run.
    """
    seed: int = 0
    """Seed of everything random in an episode.

    Part of every episode's identity.
    """
    protocol: str | None = None
    """A named reading of the suite, e.g. paper."""
    options: Mapping[str, Scalar] = field(default_factory=dict)
    """Simulator option, e.g. robot=panda.

    They replace the suite's.
    """
    policy_options: Mapping[str, str] = field(default_factory=dict)
    """Option of the policy."""
    execute: str | None = None
    """chunk, half, first, N or ensemble [the suite's or policy's own]."""
    slots: int | None = None
    """Simulators side by side [chosen].

    From cores and memory.
    """
    max_batch: int = 64
    """Most observations in one policy call."""
    timeout_s: float | None = None
    """Seconds one simulator step may take [the simulator's].

    The watchdog's.
    """
    retries: int = 2
    """Fresh attempts after a simulator's fault.

    Then the episode is quarantined.
    """
    give_up_after: int = 20
    """Stop if the first N episodes all end in the same policy error; 0: never."""
    retry_errors: bool = False
    """Try quarantined episodes again."""
    video: VideoMode = "none"
    """Film nothing, queries, all steps."""
    selected_from: int = 1
    """This is the best of K tried on these episodes: marks the numbers.

    The checkpoint or setting was chosen by its score on them. May be said of a finished run too.
    """
    run_id: str | None = None
    """Name of the run [derived]."""
    new: bool = False
    """Do not continue an existing run."""
    ray_address: str | None = None
    """A running Ray cluster.

    A local one is started if None.
    """
    python: str | None = None
    """Python 3.11 that simulators run in [their environment's]."""
    tcp: bool = False
    """Carry observations over TCP even on one machine."""
