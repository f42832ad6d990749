"""A program that installs something: pip, venv or apt-get."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping, Sequence

from vlm4vla.core.errors import MissingDependency


def call(
    command: Sequence[str], failure: str, limit_s: float, variables: Mapping[str, str] | None = None
) -> None:
    """Run it to its end, without questions.

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
