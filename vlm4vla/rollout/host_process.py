"""The supervisor's side of a simulator host: start, hand out work, watch, kill, replace."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection

from vlm4vla.core.errors import ErrorKind
from vlm4vla.core.result import EpisodeResult
from vlm4vla.rollout.host import Assignment, Beat, HostConfig, failed

_TAIL = 4000  # characters of the host's stderr that go into an error text


@dataclass(frozen=True)
class Limits:
    """When a host is given up or renewed."""

    timeout_s: float
    """Longest time without a sign of life while the simulator works."""
    start_timeout_s: float = 300.0
    """Longest time from launch to the simulator being imported and built."""
    policy_timeout_s: float = 600.0
    """Longest wait for one answer of the policy."""
    memory_mb: float = 8000.0
    """Renewed after an episode beyond this; killed during one beyond twice this."""
    episodes: int = 1000


class HostProcess:
    """At most one living host; `run` starts one whenever there is none."""

    def __init__(self, config: HostConfig, limits: Limits, python: str = sys.executable) -> None:
        """Nothing is started yet."""
        self._config, self._limits, self._python = config, limits, python
        self._process: subprocess.Popen[bytes] | None = None
        self._served = 0

    @property
    def pid(self) -> int | None:
        """Process id of the living host."""
        return self._process.pid if self._process else None

    def run(self, assignment: Assignment) -> EpisodeResult:
        """Run one episode; death, silence and gluttony of the host become error results."""
        began = time.monotonic()
        try:
            if self._process is None:
                self._start()
                self._await_start()
            self._control.send(assignment)
            result = self._watch()
        except _Lost as lost:
            self.kill()
            result = failed(assignment.episode, lost.kind, lost.text)
            result = replace(result, attempt=assignment.attempt)
        except (EOFError, OSError):
            text = f"{self._post_mortem()} after {time.monotonic() - began:.1f} s."
            self.kill()
            result = failed(assignment.episode, ErrorKind.CRASH, f"{text}\n{self._log_tail()}")
            result = replace(result, attempt=assignment.attempt)
        self._served += 1
        worn = self._served >= self._limits.episodes or result.memory_mb > self._limits.memory_mb
        if worn or result.error not in (None, ErrorKind.POLICY):
            self.kill()
        return result

    def kill(self) -> None:
        """End the host at once; it holds nothing worth saving between episodes."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._control.close()
        self._process = None

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        self._log = tempfile.TemporaryFile()
        start = "from vlm4vla.rollout.host import main; main()"  # not -m: classes must keep a name
        command = [self._python, "-c", start, str(theirs.fileno()), str(os.getpid())]
        threads = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
        self._process = subprocess.Popen(
            command,
            pass_fds=[theirs.fileno()],
            env={**os.environ, **threads},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,  # a Ctrl-C in the terminal reaches the driver alone
        )
        theirs.close()
        self._control = Connection(ours.detach())
        self._served = 0

    def _await_start(self) -> None:
        self._control.send(self._config)
        if not self._control.poll(self._limits.start_timeout_s):
            limit = self._limits.start_timeout_s
            raise _Lost(ErrorKind.HANG, f"The simulator was not ready after {limit:g} s.")
        self._control.recv()

    def _watch(self) -> EpisodeResult:
        """Receive beats until the result comes. Raises _Lost, EOFError or OSError."""
        limits = self._limits
        waiting_since, moves = time.monotonic(), -1
        while True:
            if not self._control.poll(limits.timeout_s):
                stack = self._stack()
                text = f"No step was finished within {limits.timeout_s:g} s; the host was killed."
                raise _Lost(ErrorKind.HANG, f"{text}\n{stack}")
            message = self._control.recv()
            if isinstance(message, EpisodeResult):
                return message
            assert isinstance(message, Beat)
            if message.memory_mb > 2 * limits.memory_mb:
                text = f"The host grew to {message.memory_mb:.0f} MiB and was killed."
                raise _Lost(ErrorKind.MEMORY, text)
            now = time.monotonic()
            if message.phase != "policy" or message.moves != moves:
                waiting_since, moves = now, message.moves
            if now - waiting_since > limits.policy_timeout_s:
                text = f"The policy has not answered for {limits.policy_timeout_s:g} s."
                raise _Lost(ErrorKind.POLICY, text)

    def _stack(self) -> str:
        """Where a silent host is stuck."""
        assert self._process is not None
        self._process.send_signal(signal.SIGUSR1)  # faulthandler answers on stderr
        time.sleep(0.2)
        return self._log_tail()

    def _post_mortem(self) -> str:
        assert self._process is not None
        code = self._process.wait(5)
        if code < 0:
            return f"The simulator's process was killed by {signal.Signals(-code).name}"
        return f"The simulator's process ended with exit code {code}"

    def _log_tail(self) -> str:
        self._log.flush()
        size = os.fstat(self._log.fileno()).st_size
        start = max(0, size - _TAIL)
        return os.pread(self._log.fileno(), _TAIL, start).decode(errors="replace").strip()


class _Lost(Exception):
    """The host must be given up."""

    def __init__(self, kind: ErrorKind, text: str) -> None:
        super().__init__(text)
        self.kind, self.text = kind, text
