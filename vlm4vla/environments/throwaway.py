"""Questions that may crash, hang or litter, put to a process of their own.

`python -m vlm4vla.environments.throwaway SIMULATOR` answers for a simulator and its renderer.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from vlm4vla.core.errors import BenchError

_MARK = "answer:"


@dataclass(frozen=True)
class Answer:
    """What came back from the process."""

    facts: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    fix: str = ""


def ask(arguments: Sequence[str], timeout_s: float) -> Answer:
    """Run Python with these arguments; silence, death and delay become a sentence.

    The process leads a group of its own, which is killed as a whole if it does not answer.
    """
    child = subprocess.Popen(
        [sys.executable, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        out, err = child.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        return Answer(problem=f"no answer within {timeout_s:g} s")
    for line in reversed(out.splitlines()):
        if line.startswith(_MARK):
            return Answer(**json.loads(line.removeprefix(_MARK)))
    last = (err.strip().splitlines() or ["it said nothing"])[-1]
    if child.returncode < 0:
        name = signal.Signals(-child.returncode).name
        return Answer(problem=f"the process was killed by {name}: {last}")
    return Answer(problem=f"the process ended with code {child.returncode}: {last}")


def tell(facts: Mapping[str, str], problem: str = "", fix: str = "") -> None:
    """Answer from inside the process."""
    print("\n" + _MARK + json.dumps({"facts": dict(facts), "problem": problem, "fix": fix}))


def _simulator(name: str, renderer: bool) -> None:
    from vlm4vla.simulators.registry import plugin

    try:
        if renderer:
            tell({"device": plugin(name).open_renderer()})
        else:
            tell(plugin(name).preflight({}, rendering=False))
    except BenchError as error:
        tell({}, error.message, error.fix)


if __name__ == "__main__":
    _simulator(sys.argv[1], renderer="--renderer" in sys.argv)
