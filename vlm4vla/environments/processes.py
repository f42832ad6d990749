"""Other programs: questions that may crash, hang or litter, and what installs something."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from vlm4vla.core.errors import MissingDependency

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


def install(
    command: Sequence[str], failure: str, limit_s: float, variables: Mapping[str, str] | None = None
) -> None:
    """Run pip, venv or apt-get to its end, without questions.

    Raises:
        MissingDependency: `failure`, with its last words or that it took longer than `limit_s`; the
            command is the mend.
    """
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=limit_s, check=False,
            stdin=subprocess.DEVNULL, env=variables,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        last = f"it was not done after {limit_s:g} s"
        raise MissingDependency(f"{failure}: {last}", shlex.join(command)) from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise MissingDependency(f"{failure}: {last}", shlex.join(command))
