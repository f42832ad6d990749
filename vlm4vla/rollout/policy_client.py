"""The host's end of the connection to the policy server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from vlm4vla.core.episode import EpisodeKey
from vlm4vla.core.policy import ActionChunk
from vlm4vla.core.simulator import Observation
from vlm4vla.rollout import messages
from vlm4vla.rollout.address import Address
from vlm4vla.rollout.arena import LEAST, Arena
from vlm4vla.rollout.wire import Reader, send

_PATIENCE_S = 1.0  # how often a waiting host tells its supervisor that it waits


class PolicyConnection(Protocol):
    """What the episode loop asks a policy through."""

    def reset(self, key: EpisodeKey, fresh: bool) -> None:
        """A new episode (`fresh`) or a new instruction begins."""

    def act(self, observation: Observation) -> ActionChunk:
        """One chunk for this observation. Raises PolicyFault or HarnessFault."""


class PolicyClient:
    """Talks to a policy server over its socket."""

    def __init__(self, address: Address, node: str, waiting: Callable[[], None]) -> None:
        """Connect; `waiting` is called every second that an answer takes."""
        self._sock = address.connect(node)
        self._reader = Reader(self._sock)
        self._waiting = waiting
        self._arenas = address.arena if address.is_near(node) else ""
        self._arena: Arena | None = None
        send(self._sock, messages.hello(address.token))

    def reset(self, key: EpisodeKey, fresh: bool) -> None:
        """Tell the server; it answers only if the policy's reset fails."""
        send(self._sock, messages.reset(key, fresh))

    def act(self, observation: Observation) -> ActionChunk:
        """Send one observation, wait for one chunk."""
        message = messages.act(observation)
        self._share(sum([array.nbytes for array in message.arrays]))
        send(self._sock, message, self._arena)
        while (answer := self._reader.wait(_PATIENCE_S)) is None:
            self._waiting()
        return messages.read_answer(answer)

    def _share(self, size: int) -> None:
        """See to it that observations of `size` bytes find shared memory, if they can."""
        if size < LEAST or not self._arenas or (self._arena and self._arena.size >= size):
            return
        self._arena = Arena.create(self._arenas, size)
        if self._arena is None:
            self._arenas = ""  # no room: the socket does it
        else:
            send(self._sock, messages.arena(self._arena))

    def close(self) -> None:
        """Hang up."""
        self._sock.close()
