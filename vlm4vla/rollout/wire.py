"""Messages between simulator hosts and policy servers: a small header and raw arrays.

A message is two big-endian uint32 lengths (header, payload), a JSON header, and the arrays' bytes
one after the other, behind the header or in memory that both ends share. Nothing is compressed: a
256x256 frame costs two memory copies, where PNG would cost tens of milliseconds.
"""

from __future__ import annotations

import json
import math
import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlm4vla.core.episode import JSON
from vlm4vla.core.errors import HarnessFault
from vlm4vla.rollout.arena import LEAST, Arena

_PREFIX = struct.Struct("!II")
_DTYPES: dict[str, np.dtype[Any]] = {
    "u1": np.dtype(np.uint8),
    "f8": np.dtype(np.float64),
    "f4": np.dtype(np.float32),
}
_CODES = {dtype: code for code, dtype in _DTYPES.items()}
_LIMIT = 1 << 30  # a length beyond this is not ours: someone else is talking to the port

Array = NDArray[Any]


class Closed(HarnessFault):
    """The other end went away."""


@dataclass(frozen=True)
class Message:
    """One message: `kind`, small JSON fields, and arrays in the order they were sent."""

    kind: str
    fields: Mapping[str, JSON] = field(default_factory=dict)
    arrays: Sequence[Array] = ()


def send(sock: socket.socket, message: Message, arena: Arena | None = None) -> None:
    """Write the whole message; blocks until the kernel took it. Raises Closed.

    Large arrays go through `arena` where there is one and they fit.
    """
    arrays = [np.ascontiguousarray(a) for a in message.arrays]
    layout = [[_CODES[a.dtype], a.shape] for a in arrays]
    size = sum(a.nbytes for a in arrays)
    shared = arena is not None and LEAST <= size <= arena.size
    header = json.dumps([message.kind, message.fields, layout, shared]).encode()
    parts = [memoryview(_PREFIX.pack(len(header), 0 if shared else size) + header)]
    if arena is not None and shared:
        arena.put(arrays)
    else:
        parts += [memoryview(a.data).cast("B") for a in arrays if a.nbytes]
    try:
        while parts:
            sent = sock.sendmsg(parts)
            while parts and sent >= len(parts[0]):
                sent -= len(parts.pop(0))
            if parts:
                parts[0] = parts[0][sent:]
    except OSError as error:
        raise Closed(f"The connection broke while sending: {error}.") from error


class Reader:
    """Assembles messages from a socket, as much as is there at a time."""

    def __init__(self, sock: socket.socket) -> None:
        """Read from `sock`; the caller keeps owning it."""
        self._sock = sock
        self._prefix = bytearray(_PREFIX.size)
        self._begin(self._prefix)
        self._header_length = 0
        self._body: bytearray | None = None
        self.arena: Arena | None = None
        """Where the other end puts large arrays, once it has said so."""

    def poll(self) -> Message | None:
        """Take what has arrived; the message if it is complete. Never blocks. Raises Closed."""
        return self._read(socket.MSG_DONTWAIT)

    def wait(self, timeout_s: float) -> Message | None:
        """Block until a message is complete or nothing arrived for `timeout_s`. Raises Closed."""
        self._sock.settimeout(timeout_s)
        try:
            return self._read(0)
        finally:
            self._sock.settimeout(None)

    def _begin(self, buffer: bytearray) -> None:
        self._view = memoryview(buffer)
        self._filled = 0

    def _read(self, flags: int) -> Message | None:
        while True:
            while self._filled < len(self._view):
                try:
                    count = self._sock.recv_into(self._view[self._filled :], 0, flags)
                except (BlockingIOError, TimeoutError):
                    return None
                except OSError as error:
                    raise Closed(f"The connection broke: {error}.") from error
                if count == 0:
                    raise Closed("The other end closed the connection.")
                self._filled += count
            if self._body is not None:
                return self._finish(self._body)
            self._header_length, payload = _PREFIX.unpack(self._prefix)
            if self._header_length + payload > _LIMIT:
                raise Closed("The other end does not speak this protocol.")
            self._body = bytearray(self._header_length + payload)
            self._begin(self._body)

    def _finish(self, body: bytearray) -> Message:
        kind, fields, layout, shared = json.loads(bytes(body[: self._header_length]))
        arrays, offset = [], 0
        for code, shape in layout:
            dtype = _DTYPES[code]
            end = offset + math.prod(shape) * dtype.itemsize
            if shared:
                if self.arena is None or end > self.arena.size:
                    raise Closed("The other end refers to memory that is not shared.")
                taken = self.arena.take(offset, end - offset)
            else:
                start = self._header_length
                taken = np.frombuffer(body, np.uint8, end - offset, start + offset)
            arrays.append(taken.view(dtype).reshape(shape))
            offset = end
        self._body = None
        self._begin(self._prefix)
        return Message(kind, fields, arrays)
