"""What a set of running processes does in a window of time: steps, and CPU of the whole tree.

The window opens when every simulator has been stepping for a while and closes before any ends, so
start-up and tear-down are in neither figure. CPU is user plus system time of the processes given,
all their descendants (Ray's gcs and raylet, its workers, simulator hosts, model servers) and all
that these have reaped, as the kernel counts it.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

_START_S = 180.0
_SETTLE_S = 1.0
_MARK_S = 0.25


@dataclass(frozen=True)
class Window:
    """What was seen."""

    steps: float
    seconds: float
    cpu_s: float
    """Of the processes measured."""
    others_cores: float
    """Cores that everything else on the machine kept busy meanwhile."""
    startup_s: float
    """From launch to the first step."""
    start: float
    end: float

    @property
    def rate(self) -> float:
        """Steps a second, all slots together."""
        return self.steps / self.seconds

    @property
    def cpu_ms(self) -> float:
        """CPU milliseconds per step."""
        return 1000 * self.cpu_s / self.steps


def watch(
    roots: Sequence[subprocess.Popen[bytes]],
    steps: Path,
    slots: int,
    launched: float,
    seconds: float,
) -> Window:
    """Wait until `slots` simulators step, then look on for `seconds`."""

    def died() -> bool:
        return any(root.poll() is not None for root in roots)

    deadline = time.monotonic() + _START_S
    while sum(len(marks) >= 3 for marks in _read(steps)) < slots:
        if died() or time.monotonic() > deadline:
            raise RuntimeError("a process ended or was not ready in time")
        time.sleep(0.1)
    time.sleep(_SETTLE_S)
    start, cpu, busy = time.monotonic(), _tree_cpu(roots), _machine_cpu()
    time.sleep(seconds)
    end, cpu, busy = time.monotonic(), _tree_cpu(roots) - cpu, _machine_cpu() - busy
    # The slowest wire takes an eighth of a second a step: wait until each has noted one more.
    while sum(marks[-1][0] >= end for marks in _read(steps)) < slots:
        if died() or time.monotonic() > end + 30:
            raise RuntimeError("a process stopped stepping inside the window")
        time.sleep(_MARK_S)
    first = min(marks[0][0] for marks in _read(steps))
    done = count(steps, start, end)
    others = max(0.0, busy - cpu) / (end - start)
    return Window(done, end - start, cpu, others, first - launched, start, end)


def count(folder: Path, start: float, end: float) -> float:
    """How much the processes noted in `folder` did between two moments."""
    total = 0.0
    for marks in _read(folder):
        times, counts = np.array(marks).T
        before, after = np.interp([start, end], times, counts, left=0.0)
        total += float(after - before)
    return total


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Until `condition` holds."""
    deadline = time.monotonic() + _START_S
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what} was not ready within {_START_S:g} s")
        time.sleep(0.05)


def _read(folder: Path) -> list[list[tuple[float, float]]]:
    found = []
    for file in folder.iterdir():
        lines = [line.split() for line in file.read_text().splitlines(keepends=True)
                 if line.endswith("\n")]  # fmt: skip
        if lines:
            found.append([(float(moment), float(number)) for moment, number in lines])
    return found


def _tree_cpu(roots: Sequence[subprocess.Popen[bytes]]) -> float:
    total = 0.0
    for root in roots:
        process = psutil.Process(root.pid)
        for one in [process, *process.children(recursive=True)]:
            try:
                total += sum(one.cpu_times()[:4])  # own user, system; those of reaped children
            except psutil.NoSuchProcess:
                continue  # ended this moment: its parent has its time now
    return total


def _machine_cpu() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq)
