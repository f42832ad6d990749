"""The simulator host: a child process that runs whole episodes, one at a time.

Started by `child` as `main()` with two arguments, a file descriptor and its parent's process id. It
needs the standard library, numpy, the simulator, and this package's core, simulators and rollout:
never Ray, and torch only where the simulator does. Its supervisor speaks to it through the file
descriptor; observations and actions travel on the policy server's socket.
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal

from vlm4vla.core import errors
from vlm4vla.core.episode import Episode
from vlm4vla.core.errors import BenchError, ErrorKind, HarnessFault, MissingDependency
from vlm4vla.core.reference import reason
from vlm4vla.core.result import EpisodeResult, Outcome
from vlm4vla.core.simulator import Simulator
from vlm4vla.core.source import own_hash
from vlm4vla.rollout.episode_loop import LoopConfig, run_episode
from vlm4vla.rollout.hosts.child import Interpreter, send
from vlm4vla.rollout.hosts.hosted import HostedConfig, serve_calls
from vlm4vla.rollout.policy_client import Address, PolicyClient, PolicyConnection
from vlm4vla.rollout.recording import Player, Recording
from vlm4vla.simulators import plugin

_BEAT_S = 0.2
_PAGE = os.sysconf("SC_PAGE_SIZE")
_PR_SET_PDEATHSIG = 1

DEVICE = "device"
"""What the answer about a renderer is called."""
Subject = Literal["facts", "facts with pictures", "renderer"]
Phase = Literal["start", "simulate", "policy"]


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


@dataclass(frozen=True)
class HostConfig(HostedConfig):
    """What a host that runs episodes is started with."""

    loop: LoopConfig
    limits: Limits
    """When its supervisor gives it up or renews it."""
    node: str = ""
    """The node it runs on."""


@dataclass(frozen=True)
class Inquiry(HostedConfig):
    """What is asked of a host in place of episodes: what only its own Python can answer."""

    subject: Subject

    @property
    def mend(self) -> str:
        """What to type where its Python cannot be used."""
        return self.interpreter.mend if self.interpreter else ""


@dataclass(frozen=True)
class Assignment:
    """One episode to run."""

    episode: Episode
    attempt: int = 1
    address: Address | None = None
    """The policy server; None where a recording plays instead."""
    recording: Recording | None = None
    video: str = ""


@dataclass(frozen=True)
class Beat:
    """A sign of life."""

    phase: Phase
    moves: int
    """Steps begun so far: a beat that says `policy` twice with other moves is not one wait."""
    memory_mb: float


def failed(assignment: Assignment, kind: ErrorKind, text: str) -> EpisodeResult:
    """The result of an attempt that never got as far as having one."""
    episode, attempt = assignment.episode, assignment.attempt
    result = EpisodeResult(episode.key, Outcome.ERROR, episode.instruction, attempt=attempt)
    return replace(result, error=kind, error_text=text)


def resident_mb() -> float:
    """Resident memory of this process, MiB."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * _PAGE / 2**20


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its supervisor dies, however that happens."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the call above
        os._exit(1)


class _Host:
    def __init__(self, connection: Connection) -> None:
        self._control = connection
        self._beaten, self._moves = 0.0, 0
        self._client: PolicyClient | None = None
        self._connected: Address | None = None

    def serve(self) -> None:
        config: HostedConfig = self._control.recv()
        sys.path[:0] = config.path_entries
        if isinstance(config, Inquiry):
            send(self._control, _answer(config))
            return
        _check_source(config.interpreter)
        simulator = plugin(config.simulator).create(config.options)
        if not isinstance(config, HostConfig):
            serve_calls(self._control, simulator, _known)
            return
        self._beat("start")
        while True:
            assignment: Assignment = self._control.recv()
            try:
                result = self._run(simulator, config, assignment)
            except HarnessFault as fault:
                result = failed(assignment, fault.kind, str(fault))
            if result.error is not None:
                self._hang_up()  # an answer under way must not meet the next episode
            result = replace(result, attempt=assignment.attempt, memory_mb=resident_mb())
            send(self._control, result)

    def _run(self, simulator: Simulator, config: HostConfig, given: Assignment) -> EpisodeResult:
        video = Path(given.video) if given.video else None
        policy: PolicyConnection
        if given.recording is not None:
            policy = Player(given.recording)
        else:
            assert given.address is not None
            policy = self._connect(given.address, config.node)
        return run_episode(simulator, given.episode, policy, config.loop, self._beat, video)

    def _connect(self, address: Address, node: str) -> PolicyClient:
        """The connection to this policy server, kept from episode to episode."""
        if self._client is None or self._connected != address:
            self._hang_up()
            self._client = PolicyClient(address, node, lambda: self._beat("policy"))
            self._connected = address
        return self._client

    def _hang_up(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client = None

    def _beat(self, phase: Phase) -> None:
        """Give a sign of life, but not more than five a second."""
        self._moves += phase == "simulate"
        now = time.monotonic()
        if now - self._beaten > _BEAT_S:
            self._beaten = now
            send(self._control, Beat(phase, self._moves, resident_mb()))


def _answer(inquiry: Inquiry) -> Mapping[str, str] | BenchError:
    """What is asked for, or why it cannot be said."""
    mend = inquiry.mend
    try:
        _check_source(inquiry.interpreter)
        simulator = plugin(inquiry.simulator)
        if inquiry.subject == "renderer":
            return {DEVICE: simulator.open_renderer()}
        return dict(simulator.preflight(inquiry.options, inquiry.subject != "facts"))
    except ImportError as error:
        return MissingDependency(
            f"{sys.executable} lacks a package: {reason(error)}.", inquiry.mend
        )
    except BenchError as error:
        if mend and isinstance(error.__cause__, ImportError):
            return MissingDependency(f"{sys.executable}: {error.message}", mend)
        return _known(error)
    except Exception as error:  # other people's code
        return errors.BadInput(f"The simulator cannot be checked: {reason(error)}.", mend)


def _check_source(interpreter: Interpreter | None) -> None:
    """Raise StaleSource unless this process runs from the source that it was started for."""
    if interpreter is not None and own_hash() != interpreter.source:
        found = f"{sys.executable} imports vlm4vla of the source {own_hash()}"
        raise errors.StaleSource(f"{found}, not {interpreter.source}.", interpreter.mend)


def _known(error: BenchError) -> BenchError:
    """The same as an error of core: who asks may not be able to import the class."""
    kind = next(kind for kind in type(error).__mro__ if kind.__module__ == errors.__name__)
    assert issubclass(kind, BenchError)
    return errors.rebuilt(kind, error.message, error.fix)


def main() -> None:
    """Serve the supervisor until it dies or kills us."""
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's business
    die_with_parent(int(sys.argv[2]))
    try:
        _Host(Connection(int(sys.argv[1]))).serve()
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the supervisor is gone
