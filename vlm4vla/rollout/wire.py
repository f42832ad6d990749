"""Messages between simulator hosts and policy servers: a small header and raw arrays.

A message is three big-endian integers (length of the header, length of the payload, a number), a
JSON header, and the arrays' bytes one after the other, behind the header or in memory that both
ends share. Nothing is compressed: a 256x256 frame costs two memory copies, where PNG would cost
tens of milliseconds. The number is what changes from step to step: without it one header is like
the last, and is not parsed again.
"""

from __future__ import annotations

import functools
import json
import math
import os
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlm4vla.core.episode import JSON
from vlm4vla.core.errors import HarnessFault
from vlm4vla.rollout.arena import LEAST, Arena

_PREFIX = struct.Struct("!IIq")
_DTYPES: dict[str, np.dtype[Any]] = {
    "u1": np.dtype(np.uint8),
    "f8": np.dtype(np.float64),
    "f4": np.dtype(np.float32),
}
_CODES = {dtype: code for code, dtype in _DTYPES.items()}
_ROOM = 1 << 16  # what is read at once
_LIMIT = 1 << 30  # a length beyond this is not ours: someone else is talking to the port

PROMPT_S = 1e-4
"""Waiting for an answer that comes sooner than this is done awake: falling asleep and being woken
costs about as much as a scripted policy or a simulator of no cost takes."""

Array = NDArray[Any]


class Closed(HarnessFault):
    """The other end went away."""


@dataclass(frozen=True)
class Message:
    """One message: `kind`, small JSON fields, arrays in the order they were sent, a number."""

    kind: str
    fields: Mapping[str, JSON] = field(default_factory=dict)
    arrays: Sequence[Array] = ()
    number: int = 0


def send(sock: socket.socket, message: Message, arena: Arena | None = None) -> None:
    """Write the whole message; blocks until the kernel took it. Raises Closed.

    Large arrays go through `arena` where there is one and they fit.
    """
    arrays = [np.ascontiguousarray(a) for a in message.arrays]
    layout = [[_CODES[a.dtype], a.shape] for a in arrays]
    size = sum([a.nbytes for a in arrays])
    shared = arena is not None and LEAST <= size <= arena.size
    header = json.dumps([message.kind, message.fields, layout, shared]).encode()
    parts: list[bytes | memoryview] = [
        _PREFIX.pack(len(header), 0 if shared else size, message.number),
        header,
    ]
    if arena is not None and shared:
        arena.put(arrays)
    elif size < LEAST:
        parts += [a.tobytes() for a in arrays]
    else:
        parts += [memoryview(a.data).cast("B") for a in arrays if a.nbytes]
    try:
        if shared or size < LEAST:
            sock.sendall(b"".join(parts))
        else:
            _send_all(sock, parts)
    except OSError as error:
        raise Closed(f"The connection broke while sending: {error}.") from error


def _send_all(sock: socket.socket, parts: Sequence[bytes | memoryview]) -> None:
    """Gather the parts into as few calls as the kernel allows, without joining them."""
    left = [memoryview(part) for part in parts]
    while left:
        sent = sock.sendmsg(left)
        while left and sent >= len(left[0]):
            sent -= len(left.pop(0))
        if left:
            left[0] = left[0][sent:]


@dataclass(frozen=True)
class _Header:
    """A parsed header, shared by all messages that have the same."""

    kind: str
    fields: Mapping[str, JSON]
    layout: Sequence[tuple[np.dtype[Any], Sequence[int], int]]
    """Type, shape and bytes of each array."""
    shared: bool


@functools.lru_cache(64)
def _header(text: bytes) -> _Header:
    kind, fields, layout, shared = json.loads(text)
    types = [(_DTYPES[code], tuple(shape)) for code, shape in layout]
    sizes = [(dtype, shape, math.prod(shape) * dtype.itemsize) for dtype, shape in types]
    return _Header(kind, MappingProxyType(fields), sizes, shared)


class Reader:
    """Assembles messages from a socket, as much as is there at a time."""

    def __init__(self, sock: socket.socket) -> None:
        """Read from `sock`; the caller keeps owning it."""
        self._sock = sock
        self._room = memoryview(bytearray(_ROOM))
        self._start = self._end = 0  # what of `_room` was received and not yet used
        self._large: NDArray[np.uint8] | None = None
        self._filled = 0
        self._patience_s = 0.0
        self._prompt = False  # the last message did not keep us waiting
        self.arena: Arena | None = None
        """Where the other end puts large arrays, once it has said so."""

    def poll(self) -> Message | None:
        """Take what has arrived; the message if it is complete. Never blocks. Raises Closed."""
        return self._read(socket.MSG_DONTWAIT)

    def wait(self, timeout_s: float) -> Message | None:
        """Block until a message is complete or nothing arrived for `timeout_s`. Raises Closed."""
        began = time.perf_counter()
        while self._prompt and time.perf_counter() - began < PROMPT_S:
            if (message := self._read(socket.MSG_DONTWAIT)) is not None:
                return message
            os.sched_yield()  # where cores are short, whoever is to answer needs this one
        if timeout_s != self._patience_s:  # the kernel's clock: Python's costs two calls more
            spell = struct.pack("ll", int(timeout_s), int(timeout_s % 1 * 1e6))
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, spell)
            self._patience_s = timeout_s
        message = self._read(0)
        self._prompt = time.perf_counter() - began < PROMPT_S
        return message

    def _read(self, flags: int) -> Message | None:
        while (message := self._parse()) is None:
            if self._large is not None:
                place = self._large.data[self._filled :]
            else:
                place = self._room[self._end :]
            try:
                count = self._sock.recv_into(place, 0, flags)
            except (BlockingIOError, TimeoutError):
                return None
            except OSError as error:
                raise Closed(f"The connection broke: {error}.") from error
            if count == 0:
                raise Closed("The other end closed the connection.")
            if self._large is not None:
                self._filled += count
            else:
                self._end += count
        return message

    def _parse(self) -> Message | None:
        """The next message, if all of it is here; else there is room for what is missing."""
        if self._large is not None:
            if self._filled < len(self._large):
                return None
            body, self._large = self._large, None
            return self._message(body.data)
        held = self._end - self._start
        if held >= _PREFIX.size:
            header, payload, _ = _PREFIX.unpack_from(self._room, self._start)
            size = _PREFIX.size + header + payload
            if size > _LIMIT:
                raise Closed("The other end does not speak this protocol.")
            if held >= size:
                self._start += size
                return self._message(self._room[self._start - size : self._start])
            if size > _ROOM:
                self._large = np.empty(size, np.uint8)
                self._large[:held] = self._room[self._start : self._end]
                self._filled, self._start, self._end = held, 0, 0
                return None
        if self._start:
            self._room[:held] = bytes(self._room[self._start : self._end])
            self._start, self._end = 0, held
        return None

    def _message(self, data: memoryview) -> Message:
        length, _, number = _PREFIX.unpack_from(data)
        offset = _PREFIX.size + length
        header = _header(bytes(data[_PREFIX.size : offset]))
        arrays: list[Array] = []
        if header.shared:
            offset = 0
        elif header.layout and len(data) <= _ROOM:
            data, offset = memoryview(bytes(data[offset:])), 0  # the room is used again
        for dtype, shape, size in header.layout:
            if header.shared:
                if self.arena is None or offset + size > self.arena.size:
                    raise Closed("The other end refers to memory that is not shared.")
                taken = self.arena.take(offset, size)
            else:
                taken = np.frombuffer(data, np.uint8, size, offset)
            arrays.append(taken.view(dtype).reshape(shape))
            offset += size
        return Message(header.kind, header.fields, arrays, number)
