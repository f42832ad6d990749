"""The host's end of the connection to the policy server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from vlm4vla.core.episode import JSON, EpisodeKey
from vlm4vla.core.errors import PolicyFault
from vlm4vla.core.policy import ActionChunk
from vlm4vla.core.simulator import Observation
from vlm4vla.rollout.address import PROTOCOL, Address
from vlm4vla.rollout.arena import LEAST, Arena
from vlm4vla.rollout.wire import ENDLESS, Array, Message, Reader, send

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
        send(self._sock, Message("hello", {"token": address.token, "protocol": PROTOCOL}))

    def reset(self, key: EpisodeKey, fresh: bool) -> None:
        """Tell the server; it answers only if the policy's reset fails."""
        fields: dict[str, JSON] = {"key": [key.suite, key.task, key.init, key.seed], "fresh": fresh}
        send(self._sock, Message("reset", fields))

    def act(self, observation: Observation) -> ActionChunk:
        """Send one observation, wait for one chunk."""
        arrays: list[Array] = [*observation.images.values()]
        if observation.proprio is not None:
            arrays.append(observation.proprio)
        arrays += observation.privileged.values()
        fields: dict[str, JSON] = {
            "instruction": observation.instruction,
            "cameras": list(observation.images),
            "proprio": observation.proprio is not None,
            "privileged": list(observation.privileged),
        }
        self._share(sum([array.nbytes for array in arrays]))
        send(self._sock, Message("act", fields, arrays, observation.step), self._arena)
        while (reply := self._reader.wait(_PATIENCE_S)) is None:
            self._waiting()
        if reply.kind == "error":
            raise PolicyFault(str(reply.fields["text"]))
        actions = np.asarray(reply.arrays[0], np.float64)
        return ActionChunk(actions, None if reply.number == ENDLESS else reply.number)

    def _share(self, size: int) -> None:
        """See to it that observations of `size` bytes find shared memory, if they can."""
        if size < LEAST or not self._arenas or (self._arena and self._arena.size >= size):
            return
        self._arena = Arena.create(self._arenas, size)
        if self._arena is None:
            self._arenas = ""  # no room: the socket does it
        else:
            fields: dict[str, JSON] = {"name": self._arena.name, "size": size}
            send(self._sock, Message("arena", fields))

    def close(self) -> None:
        """Hang up."""
        self._sock.close()
