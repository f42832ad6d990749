"""The host's end of the connection to the policy server: where that listens, and talking to it.

A Unix socket on the server's own node, TCP with a token across nodes.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from vlm4vla.core.episode import EpisodeKey
from vlm4vla.core.errors import HarnessFault
from vlm4vla.core.policy import ActionChunk
from vlm4vla.core.simulator import Observation
from vlm4vla.rollout import messages
from vlm4vla.rollout.arena import LEAST, Arena
from vlm4vla.rollout.wire import Reader, send

_PATIENCE_S = 1.0  # how often a waiting host tells its supervisor that it waits


@dataclass(frozen=True)
class Address:
    """How a host reaches the policy server."""

    node: str
    """The node the server runs on; only there `path` means anything."""
    path: str
    host: str = ""
    port: int = 0
    token: str = ""
    """Secret of this run: a stranger who finds the TCP port is turned away."""
    arena: str = ""
    """Folder on the server's node for memory shared with hosts; empty if there is none."""

    def is_near(self, node: str) -> bool:
        """Whether a host on `node` reaches the server's sockets and memory directly."""
        return node == self.node and bool(self.path)

    def connect(self, node: str, timeout_s: float = 30.0) -> socket.socket:
        """A connected socket, Unix where possible. Raises HarnessFault."""
        try:
            if self.is_near(node):
                sock = socket.socket(socket.AF_UNIX)
                sock.settimeout(timeout_s)
                sock.connect(self.path)
            else:
                sock = socket.create_connection((self.host, self.port), timeout_s)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            raise HarnessFault(f"The policy server cannot be reached: {error}.") from error
        sock.settimeout(None)
        return sock


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
