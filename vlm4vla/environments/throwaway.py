"""Questions that may crash, hang or litter, put to a process of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

MARK = "answer:"
"""Begins the line that is the answer; whatever else the process prints is not."""


@dataclass(frozen=True)
class Reply:
    """What came back from the process."""

    facts: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


def ask(
    arguments: Sequence[str],
    timeout_s: float,
    python: str = sys.executable,
    variables: Mapping[str, str] | None = None,
) -> Reply:
    """Run Python with these arguments; silence, death and delay become a sentence.

    The process leads a group of its own, which is killed as a whole if it does not answer. It has
    these environment variables, or ours.
    """
    try:
        child = subprocess.Popen(
            [python, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=variables,
            start_new_session=True,
        )
    except OSError as error:
        return Reply(problem=f"it does not start: {error.strerror}")
    try:
        out, err = child.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        return Reply(problem=f"no answer within {timeout_s:g} s")
    for line in reversed(out.splitlines()):
        if line.startswith(MARK):
            return Reply(**json.loads(line.removeprefix(MARK)))
    last = (err.strip().splitlines() or ["it said nothing"])[-1]
    if child.returncode < 0:
        name = signal.Signals(-child.returncode).name
        return Reply(problem=f"the process was killed by {name}: {last}")
    return Reply(problem=f"the process ended with code {child.returncode}: {last}")


def tell(facts: Mapping[str, str]) -> None:
    """Answer from inside the process."""
    print("\n" + MARK + json.dumps({"facts": dict(facts)}))
