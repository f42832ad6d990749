"""The supervisor's side of a simulator host: start, hand out work, watch, kill, replace."""

from __future__ import annotations

import time
from collections.abc import Mapping

from vlm4vla.core.errors import BadInput, BenchError, ErrorKind
from vlm4vla.core.result import EpisodeResult
from vlm4vla.rollout.hosts.child import Child, send
from vlm4vla.rollout.hosts.host import Assignment, Beat, HostConfig, Inquiry, failed

INQUIRY_LIMIT_S = 300.0
"""A simulator that is imported for the first time may compile its modules."""


class HostProcess:
    """At most one living host; `run` starts one whenever there is none."""

    def __init__(self, config: HostConfig) -> None:
        """Nothing is started yet."""
        self._config, self._limits = config, config.limits
        self._child: Child | None = None
        self._served = 0

    @property
    def pid(self) -> int | None:
        """Process id of the living host."""
        return self._child.pid if self._child else None

    def run(self, assignment: Assignment) -> EpisodeResult:
        """Run one episode; death, silence and gluttony of the host become error results."""
        began = time.monotonic()
        kind, result = ErrorKind.CRASH, None
        try:
            if self._child is None:
                self._child, self._served = Child(self._config.interpreter), 0
                send(self._child.control, self._config)
                if not self._child.control.poll(limit := self._limits.start_timeout_s):
                    text = f"The simulator was not ready after {limit:g} s."
                    raise _Lost(ErrorKind.HANG, text)
                self._child.control.recv()
            send(self._child.control, assignment)
            result = self._watch(self._child)
        except _Lost as lost:
            kind, text = lost.kind, lost.text
        except BenchError as refusal:  # its Python cannot be used
            text = str(refusal)
        except (EOFError, OSError) as error:
            text = repr(error)
            if self._child is not None:
                end = f"{self._child.post_mortem()} after {time.monotonic() - began:.1f} s."
                text = f"{end}\n{self._child.log_tail()}"
        if result is None:
            self.kill()
            result = failed(assignment, kind, text)
        self._served += 1
        worn = self._served >= self._limits.episodes or result.memory_mb > self._limits.memory_mb
        if worn or result.error not in (None, ErrorKind.POLICY):
            self.kill()
        return result

    def kill(self) -> None:
        """End the host at once; it holds nothing worth saving between episodes."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def _watch(self, child: Child) -> EpisodeResult:
        """Receive beats until the result comes. Raises _Lost, EOFError or OSError."""
        limits = self._limits
        waiting_since, moves = time.monotonic(), -1
        while True:
            if not child.control.poll(limits.timeout_s):
                text = f"No step was finished within {limits.timeout_s:g} s; the host was killed."
                raise _Lost(ErrorKind.HANG, f"{text}\n{child.stack()}")
            message = child.control.recv()
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


class _Lost(Exception):
    """The host must be given up."""

    def __init__(self, kind: ErrorKind, text: str) -> None:
        super().__init__(text)
        self.kind, self.text = kind, text


def inquire(inquiry: Inquiry, limit_s: float = INQUIRY_LIMIT_S) -> Mapping[str, str]:
    """Ask a fresh host, whose death, silence or refusal becomes an error. Raises BadInput."""
    child = Child(inquiry.interpreter)
    try:
        send(child.control, inquiry)
        if not child.control.poll(limit_s):
            raise BadInput(f"The simulator did not answer within {limit_s:g} s.", inquiry.mend)
        answer: Mapping[str, str] | BenchError = child.control.recv()
    except (EOFError, OSError) as error:
        last = (child.log_tail().splitlines() or ["it said nothing"])[-1]
        raise BadInput(f"{child.post_mortem()}: {last}", inquiry.mend) from error
    finally:
        child.kill()
    if isinstance(answer, BenchError):
        raise answer
    return answer
