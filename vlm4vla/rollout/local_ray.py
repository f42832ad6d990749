"""A Ray of this machine's own, without the parts that nobody here asks for.

Beside its scheduler Ray starts an autoscaler, a dashboard's server, a reader of logs and two
agents, for metrics and for environments of tasks. Each is a Python that imports Ray: together they
cost more than everything else that a short run does. Ray has no option to leave them out. Where its
version is another than the one this is tested with, it starts as it always does.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ray
from ray._private import services
from ray._private.node import Node

_TESTED = "2.60."
_PARTS = ("start_monitor", "start_api_server", "start_log_monitor")
_AGENTS = ("dashboard_agent", "runtime_env_agent")
_PYTHON = "_build_python_executable_command_memory_profileable"
"""What says how a Python of Ray's is started: (part, ...) -> the command's first words."""


@contextlib.contextmanager
def scheduler_alone() -> Iterator[None]:
    """What `ray.init` starts in this context is the scheduler and the workers."""
    if not ray.__version__.startswith(_TESTED):
        yield
        return
    kept = [(Node, name, getattr(Node, name)) for name in _PARTS]
    kept.append((services, _PYTHON, command := getattr(services, _PYTHON)))
    for name in _PARTS:
        setattr(Node, name, lambda *_, **__: None)
    setattr(services, _PYTHON, _without_agents(command))
    try:
        yield
    finally:
        for owner, name, value in kept:
            setattr(owner, name, value)


def _without_agents(command: Callable[..., list[str]]) -> Callable[..., list[str]]:
    """The scheduler insists on its agents and waits for their ports: it gets two that sleep."""

    def instead(part: str, *rest: Any, **named: Any) -> list[str]:
        if part not in _AGENTS:
            return command(part, *rest, **named)
        return [sys.executable, "-S", "-E", str(Path(__file__).with_name("idle_agent.py"))]

    return instead
