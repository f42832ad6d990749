"""A bystander that outlives a killed driver just long enough to clean up after it.

Ray's own processes die with the driver, except two agents that notice only after half a minute. The
guard is told their process ids through a pipe; when the pipe closes, for whatever reason, it kills
what is still alive and ends.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Guard every present descendant of this process against surviving it."""
    start = "from vlm4vla.rollout.guard import main; main()"
    guard = subprocess.Popen(
        [sys.executable, "-c", start], stdin=subprocess.PIPE, start_new_session=True
    )
    assert guard.stdin is not None
    living = [(pid, _born(pid)) for pid in _descendants(os.getpid()) if pid != guard.pid]
    guard.stdin.write("".join(f"{pid} {born}\n" for pid, born in living).encode())
    guard.stdin.flush()
    try:
        yield
    finally:
        guard.stdin.close()
        guard.wait()


def main() -> None:
    """Read `pid birth` lines until the pipe closes; kill those that are still the same process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin.read().splitlines():
        pid, born = line.split()
        if _born(int(pid)) == born:  # not another process that got the number since
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)


def _descendants(root: int) -> list[int]:
    """Children, their children, and so on."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, waiting = [], [root]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def _born(pid: int) -> str:
    """Start time of a process, in clock ticks since boot; empty if there is none."""
    fields = _stat(pid)
    return fields[19] if fields else ""


def _stat(pid: int) -> list[str]:
    """`/proc/PID/stat` after the command's name: state, parent, ..."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
