"""Every check of `bench doctor`: what is there, what is wrong, and the line that mends it."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from vlm4vla import simulators
from vlm4vla.core.environment import environment_names, installed, load_environment
from vlm4vla.core.errors import BadInput
from vlm4vla.environments import python_packages, state
from vlm4vla.environments.interpreter import choose
from vlm4vla.environments.processes import ask
from vlm4vla.rollout.hosts.child import Interpreter
from vlm4vla.rollout.hosts.host import DEVICE, Inquiry
from vlm4vla.rollout.hosts.host_process import inquire
from vlm4vla.simulators.registry import target

Level = Literal["ok", "note", "wrong"]

RAY_LIMIT_S = 120.0
SIMULATOR_LIMIT_S = 180.0
LEAST_MEMORY_GB = 2.0

_RAY = """
import ray
from vlm4vla.environments.processes import tell
from vlm4vla.rollout.cluster import cluster
with cluster():
    ray.get(ray.remote(lambda: 41 + 1).remote(), timeout=60)
    tell({"found": f"{ray.__version__} starts and runs a task"})
"""
_TORCH = """
import torch
from vlm4vla.environments.processes import tell
devices = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
tell({"found": f"{torch.__version__}, {', '.join(devices) or 'CPU only'}"})
"""


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report."""

    what: str
    level: Level
    """`note`: something optional is absent, or limits what can be done."""
    detail: str
    fix: str = ""


def checkup(store: Callable[[], str]) -> Iterator[Finding]:
    """Check the machine, one finding at a time, cheap ones first.

    `store` tries to write where results are kept and says how much room there is.
    """
    yield _python()
    yield from _packages()
    yield _machine()
    yield _store(store)
    yield _gpu()
    yield _torch()
    yield _ray()
    incomplete = set()
    for name in environment_names():
        for finding in environment_findings(name):
            yield finding
            if finding.level == "wrong" or (
                finding.level == "note" and load_environment(name).optional
            ):
                incomplete.add(name)
    for name in simulators.names():
        yield from simulator_findings(name, name in incomplete)


def _python() -> Finding:
    version = platform.python_version()
    if sys.version_info[:2] == (3, 11):
        return Finding("python", "ok", f"{version} ({sys.executable})")
    return Finding("python", "wrong", f"{version} is not 3.11", "make setup")


def _packages() -> Iterator[Finding]:
    problems = python_packages.unmet()
    if problems:
        fix = shlex.join(python_packages.pip_command(""))
        yield Finding("packages", "wrong", ", ".join(problems), fix)
    pins = python_packages.pins()
    other = [
        f"{name} {found}, pinned {pin}"
        for name, pin in pins.items()
        if (found := installed(name)) and found.split("+")[0] != pin.split("+")[0]
    ]
    if other:
        detail = f"{len(other)} differ from constraints.txt: " + "; ".join(other[:5])
        yield Finding("pins", "note", detail, "make setup")
    elif not problems:
        pinned = "all at the versions of constraints.txt" if pins else "no constraints.txt here"
        yield Finding("packages", "ok", pinned)


def _machine() -> Finding:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    detail = f"{cores} cores, {memory:.1f} GB of memory, {platform.platform()}"
    if memory < LEAST_MEMORY_GB:
        fix = f"Use a machine with {LEAST_MEMORY_GB:g} GB or more."
        return Finding("machine", "wrong", detail, fix)
    return Finding("machine", "ok", detail)


def _store(store: Callable[[], str]) -> Finding:
    try:
        return Finding("store", "ok", store())
    except BadInput as error:
        return Finding("store", "wrong", error.message, error.fix)


def _gpu() -> Finding:
    command = shutil.which("nvidia-smi")
    if command is None:
        return Finding("gpu", "note", "no NVIDIA driver: everything runs on the CPU")
    try:
        run = subprocess.run([command, "-L"], capture_output=True, text=True, timeout=30)
    except subprocess.TimeoutExpired:
        return Finding("gpu", "wrong", "nvidia-smi did not answer in 30 s", "sudo nvidia-smi -r")
    if run.returncode or not run.stdout.strip():
        last = (run.stdout + run.stderr).strip() or "no device"
        return Finding("gpu", "wrong", f"nvidia-smi: {last}", "Reinstall the NVIDIA driver.")
    return Finding("gpu", "ok", run.stdout.strip().replace("\n", "; "))


def _torch() -> Finding:
    if installed("torch") is None:
        return Finding("torch", "note", "not installed: needed by SAPIEN and by networks")
    return _tried("torch", _TORCH, SIMULATOR_LIMIT_S, "", "bench env install grinningface")


def _ray() -> Finding:
    fix = "ray stop --force; then try again with nothing else running"
    return _tried("ray", _RAY, RAY_LIMIT_S, "Ray does not start: ", fix)


def _tried(what: str, code: str, limit_s: float, failure: str, fix: str) -> Finding:
    """What the code found, where it may take the process down."""
    answer = ask(["-c", code], limit_s)
    if answer.problem:
        return Finding(what, "wrong", failure + answer.problem, fix)
    return Finding(what, "ok", answer.facts["found"])


def environment_findings(name: str) -> Iterator[Finding]:
    """What of an environment is there."""
    environment = load_environment(name)
    for part in state.inspect(environment):
        only_for = part.only_for or (name if environment.optional else "")
        level: Level = "ok" if part.ready else "note" if only_for else "wrong"
        needed = f" (needed only for {only_for})" if level == "note" else ""
        yield Finding(f"{name}: {part.kind} {part.name}", level, part.detail + needed, part.fix)


def simulator_findings(name: str, incomplete: bool) -> Iterator[Finding]:
    """Its own check with its default options, and its renderer, in the Python it runs in.

    Of what is `incomplete` the check would only say again what lacks.
    """
    try:
        interpreter, _ = choose(name, None)
    except BadInput as error:
        if not incomplete:
            yield Finding(f"{name}: python", "wrong", error.message, error.fix)
        return
    if not incomplete:
        yield _asked(name, "facts", interpreter)
    yield _asked(name, "renderer", interpreter)


def _asked(
    name: str, subject: Literal["facts", "renderer"], interpreter: Interpreter | None
) -> Finding:
    """Asked where it may take the process down."""
    what = f"{name}: {'simulator' if subject == 'facts' else subject}"
    try:
        inquiry = Inquiry(target(name), {}, subject, interpreter=interpreter)
        facts = inquire(inquiry, SIMULATOR_LIMIT_S)
    except BadInput as error:
        return Finding(what, "wrong", error.message, error.fix or f"bench env install {name}")
    if subject == "renderer":
        return Finding(what, "ok", facts[DEVICE] or "needs none")
    return Finding(what, "ok", ", ".join(f"{key} {value}" for key, value in facts.items()))
