"""A simulator in a host, moved call by call from here: for trying it where it cannot be imported.

Rollouts do without it: there whole episodes run in the host.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from multiprocessing.connection import Connection
from typing import Any

from vlm4vla.core.episode import Episode
from vlm4vla.core.errors import BenchError, SimulatorFault
from vlm4vla.core.simulator import Floats, Observation, Options, Progress, Simulator
from vlm4vla.core.specs import ObservationRequest
from vlm4vla.rollout.hosts.child import Child, Interpreter, send


@dataclass(frozen=True)
class HostedConfig:
    """What such a host is started with: the first message it receives, as in all hosts."""

    simulator: str
    """`module:Class`, or a name that its own Python knows."""
    options: Options
    _: KW_ONLY
    path_entries: Sequence[str] = ()
    """Folders of the user's own modules."""
    interpreter: Interpreter | None = None
    """The Python to run in; the harness's own if None."""


class HostedSimulator:
    """A `Simulator` whose work is done in a process of its own."""

    def __init__(self, config: HostedConfig) -> None:
        """Start it. Raises what the simulator raises when it is made."""
        self._child = Child(config.interpreter)
        send(self._child.control, config)
        self._answer()

    def reset(self, episode: Episode) -> None:
        """As `Simulator`."""
        self._call("reset", episode)

    def advance(self, action: Floats) -> Progress:
        """As `Simulator`."""
        progress: Progress = self._call("advance", action)
        return progress

    def observe(self, request: ObservationRequest) -> Observation:
        """As `Simulator`."""
        observation: Observation = self._call("observe", request)
        return observation

    def close(self) -> None:
        """As `Simulator`; the process ends."""
        if self._child.control.closed:
            return
        try:
            self._call("close")
        finally:
            self._child.kill()

    def _call(self, name: str, *arguments: object) -> Any:
        send(self._child.control, (name, arguments))
        return self._answer()

    def _answer(self) -> Any:
        """What the call gave, or what it raised."""
        try:
            answer = self._child.control.recv()
        except (EOFError, OSError) as error:
            text = f"{self._child.post_mortem()}: {self._child.log_tail()}"
            raise SimulatorFault(text) from error
        if isinstance(answer, BenchError):
            raise answer
        return answer


def serve_calls(
    connection: Connection, simulator: Simulator, known: Callable[[BenchError], BenchError]
) -> None:
    """In the host: do what is called for, until the line is closed."""
    send(connection, None)
    while True:
        name, arguments = connection.recv()
        try:
            answer: object = getattr(simulator, name)(*arguments)
        except BenchError as error:
            answer = known(error)
        except Exception as error:  # other people's code
            answer = SimulatorFault(f"{type(error).__name__}: {error}")
        send(connection, answer)
