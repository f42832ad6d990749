"""The commands that repeat what a store holds."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from vlm4vla.store import RunRecord


def repeat(run: RunRecord) -> str:
    """The command that makes the run again: as it was typed, or put together from the record.

    What was typed in a notebook or script is not a command; then the record says the same.
    """
    typed = str(run.provenance.get("command", ""))
    return typed if typed.startswith("bench run ") else _from_record(run)


def environment(run: RunRecord) -> str:
    """Version and commit it was made with, as a comment line; empty if unknown."""
    version, commit = run.provenance.get("harness"), str(run.provenance.get("commit") or "")
    if not version:
        return ""
    changed = " with changes of its own" if commit.endswith("+") else ""
    at = f" at commit {commit.rstrip('+')}{changed}" if commit else ""
    return f"# vlm4vla {version}{at}"


def _from_record(run: RunRecord) -> str:
    words = ["bench", "run", "--policy", run.policy]
    words += ["--suite", str(run.provenance.get("suite_file") or run.suite)]
    if run.protocol != "default":
        words += ["--protocol", run.protocol]
    tasks = list(dict.fromkeys(key.task for key in run.plan))
    inits = sorted({key.init for key in run.plan})
    for task in tasks:
        words += ["--task", task]
    words += ["--init", _ranges(inits)]
    if run.seed:
        words += ["--seed", str(run.seed)]
    if run.brought_python:
        words += ["--python", run.brought_python]
    for name, value in run.options.items():
        words += ["--set", f"{name}={value}"]
    for name, value in run.policy_options.items():
        words += ["--policy-option", f"{name}={value}"]
    return shlex.join([*words, "--execute", run.execution])


def _ranges(numbers: Sequence[int]) -> str:
    """0, 1, 2, 5 -> `0-2,5`."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in found)
