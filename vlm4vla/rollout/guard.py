"""A bystander that outlives a killed driver just long enough to clean up after it.

Most of Ray's processes die with the driver, but two agents notice only after half a minute, and a
worker that was just being started may take longer. Everything the driver starts inherits a mark in
its environment. The guard holds the end of a pipe; when that closes, for whatever reason, it kills
what still carries the mark, and those it was told of by number (some processes overwrite the memory
that the kernel shows as their environment).
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

_MARK = "VLM4VLA_DRIVER"
_PATIENCE_S = 5.0
_PAUSE_S = 0.2


class Guard:
    """Guards everything started between its making and its `close` against surviving us."""

    def __init__(self) -> None:
        """Start the bystander and begin to mark."""
        mark = secrets.token_hex(8)
        start = "from vlm4vla.rollout.guard import main; main()"
        self._process = subprocess.Popen(
            [sys.executable, "-c", start, mark], stdin=subprocess.PIPE, start_new_session=True
        )
        os.environ[_MARK] = mark  # for children: what /proc shows of this process does not change

    def tell(self) -> None:
        """Name every present descendant of this process."""
        assert self._process.stdin is not None
        living = [pid for pid in _descendants(os.getpid()) if pid != self._process.pid]
        self._process.stdin.write("".join(f"{pid} {_born(pid)}\n" for pid in living).encode())
        self._process.stdin.flush()

    def close(self) -> None:
        """End the watch; whatever is still there is killed."""
        assert self._process.stdin is not None
        os.environ.pop(_MARK, None)
        self._process.stdin.close()
        self._process.wait()


def main() -> None:
    """Wait for the pipe to close, then kill until nothing is left to kill."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    mark = f"{_MARK}={sys.argv[1]}".encode()
    told = [line.split() for line in sys.stdin.read().splitlines()]
    for pid, born in told:
        if _born(int(pid)) == born:  # not another process that got the number since
            _kill(int(pid))
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:  # a dying process may still have started another
        marked = [pid for pid in _processes() if mark in _said(pid, "environ")]
        if not marked:
            return
        for pid in marked:
            _kill(pid)
        time.sleep(_PAUSE_S)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _said(pid: int, file: str) -> bytes:
    """What `/proc` says of a process; empty for one that is gone or another user's."""
    try:
        return Path(f"/proc/{pid}/{file}").read_bytes()
    except OSError:
        return b""


def _stat(pid: int) -> list[str]:
    """`/proc/PID/stat` after the command's name: state, parent, ...; empty if it is gone."""
    return _said(pid, "stat").decode(errors="replace").rpartition(")")[2].split()


def _born(pid: int) -> str:
    """Start time of a process, in clock ticks since boot; empty if there is none."""
    return "".join(_stat(pid)[19:20])


def _descendants(root: int) -> list[int]:
    """Children, their children, and so on."""
    parents = {pid: fields[1] for pid in _processes() if (fields := _stat(pid))}
    found = [root]
    for above in found:  # grows as it is read
        found += [pid for pid, parent in parents.items() if parent == str(above)]
    return found[1:]
