"""The policy server: batches whatever waits, up to `max_batch`, without barriers.

One thread, one selector. Each pass takes in what every connection has sent; then, if anything
waits, one batch is formed from the longest waiting requests, the policy acts, the answers go out.
While the policy acts, further requests pile up in the sockets and form the next batch.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
import selectors
import shutil
import socket
import tempfile
import time
import traceback
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vlm4vla.core.policy import ActionChunk, Policy, Session
from vlm4vla.core.simulator import Observation
from vlm4vla.rollout import messages
from vlm4vla.rollout.arena import SHARED
from vlm4vla.rollout.policy_client import Address
from vlm4vla.rollout.wire import PROMPT_S, Closed, Message, Reader, send


@dataclass
class QueryCounts:
    """What the server did so far."""

    queries: int = 0
    batches: int = 0
    largest: int = 0


@dataclass(eq=False)
class _Connection:
    """One simulator host."""

    sock: socket.socket
    reader: Reader
    trusted: bool
    session: Session | None = None
    waiting: Observation | None = None

    def answer(self, message: Message) -> None:
        with contextlib.suppress(Closed):  # noticed and cleaned up at the next read
            send(self.sock, message)

    def complain(self, text: str) -> None:
        self.answer(messages.error(text))


@dataclass
class PolicyServer:
    """Serves one loaded policy. `run` blocks until `stop`."""

    policy: Policy
    action_size: int
    max_batch: int = 64
    node: str = ""
    tcp: bool = False
    statistics: QueryCounts = field(default_factory=QueryCounts)

    def __post_init__(self) -> None:
        """Open the listening sockets; connections wait in their backlog until `run`."""
        self._folder = Path(tempfile.mkdtemp(prefix="v4v-"))  # short: Unix paths end at 107 bytes
        self._selector = selectors.DefaultSelector()
        self._queue: deque[_Connection] = deque()
        self._connections = 0
        self._prompt = False  # the last request did not keep us waiting
        self._wake, self._woken = os.pipe()[::-1]
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        token = secrets.token_hex(16)
        path = self._folder / "s"
        unix = socket.socket(socket.AF_UNIX)
        unix.bind(str(path))
        self._listen(unix, trusted=True)  # the folder is private to this user
        host, port = "", 0
        if self.tcp:
            listener = socket.create_server(("", 0))
            host, port = _own_ip(), listener.getsockname()[1]
            self._listen(listener, trusted=False)
        self._arenas = _private_memory()
        self.address = Address(self.node, str(path), host, port, token, self._arenas)

    def run(self) -> None:
        """Serve until `stop`; then close every connection."""
        try:
            while self._gather():
                self._answer()
        finally:
            self._selector.close()
            self.policy.close()
            shutil.rmtree(self._folder, ignore_errors=True)
            shutil.rmtree(self._arenas, ignore_errors=True)

    def stop(self) -> None:
        """End `run`, from another thread."""
        os.write(self._wake, b"x")

    def _gather(self) -> bool:
        """Take in all that is there, once something is; False at the signal to stop."""
        events = self._selector.select(0) if self._queue else self._await()
        while events:
            moved = False
            for key, _ in events:
                if key.data is None:
                    return False
                moved |= self._take_in(key.data)
            if not moved or len(self._queue) == self._connections:
                break  # nobody has more to say
            # Whoever was accepted just now may have sent a request already. This ends: a
            # connection has at most one request under way.
            events = self._selector.select(0)
        return True

    def _await(self) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait until something is there: at first awake, as `Reader.wait` does."""
        began = time.perf_counter()
        while self._prompt and time.perf_counter() - began < PROMPT_S:
            if events := self._selector.select(0):
                return events
            os.sched_yield()
        events = self._selector.select()
        self._prompt = time.perf_counter() - began < PROMPT_S
        return events

    def _listen(self, listener: socket.socket, trusted: bool) -> None:
        listener.listen(512)
        self._selector.register(listener, selectors.EVENT_READ, (listener, trusted))

    def _take_in(self, source: _Connection | tuple[socket.socket, bool]) -> bool:
        """Accept a connection or read one; whether anything came of it."""
        if isinstance(source, tuple):
            listener, trusted = source
            sock, _ = listener.accept()
            connection = _Connection(sock, Reader(sock), trusted)
            self._selector.register(sock, selectors.EVENT_READ, connection)
            self._connections += 1
            return True
        if source.waiting is not None:
            return False  # it has hung up, which is noticed once it has its answer
        try:
            while source.waiting is None and (message := source.reader.poll()) is not None:
                self._handle(source, message)
        except Closed:
            self._drop(source)
        return True

    def _handle(self, connection: _Connection, message: Message) -> None:
        if message.kind == "hello":
            token, ours = messages.read_hello(message)
            if not connection.trusted and not hmac.compare_digest(token, self.address.token):
                raise Closed("wrong token")
            if not ours:
                connection.complain(f"The server speaks protocol {messages.PROTOCOL}.")
            connection.trusted = True
        elif not connection.trusted:
            raise Closed("no hello")
        elif message.kind == "reset":
            key, fresh = messages.read_reset(message)
            if connection.session is None or connection.session.episode != key or fresh:
                connection.session = Session(key)
            try:
                self.policy.reset([connection.session])
            except Exception:
                # Any code of a user's policy may raise anything; it is reported at the next query.
                connection.session = None
                connection.complain(traceback.format_exc())
        elif message.kind == "arena":
            try:
                connection.reader.arena = messages.attach(message, self._arenas)
            except (OSError, ValueError) as error:
                raise Closed(f"The shared memory cannot be used: {error}") from error
        elif message.kind == "act" and connection.session is not None:
            # Without a session its reset failed, and it has been told so.
            connection.waiting = messages.read_act(message)
            self._queue.append(connection)

    def _answer(self) -> None:
        count = min(self.max_batch, len(self._queue))
        batch = [self._queue.popleft() for _ in range(count)]
        batch = [c for c in batch if c.waiting is not None]  # the others have gone
        if not batch:
            return
        self.statistics.queries += len(batch)
        self.statistics.batches += 1
        self.statistics.largest = max(self.statistics.largest, len(batch))
        try:
            chunks = self._act(batch)
        except Exception:
            # One episode's observation may be what breaks the policy: the others must not suffer.
            for connection in batch:
                self._answer_alone(connection)
            return
        for connection, chunk in zip(batch, chunks, strict=True):
            self._reply(connection, chunk)

    def _answer_alone(self, connection: _Connection) -> None:
        try:
            self._reply(connection, self._act([connection])[0])
        except Exception:
            connection.waiting = None
            connection.complain(traceback.format_exc())

    def _act(self, batch: list[_Connection]) -> list[ActionChunk]:
        observations = [c.waiting for c in batch if c.waiting is not None]
        chunks = self.policy.act(observations, [c.session for c in batch if c.session is not None])
        if len(chunks) != len(batch):
            raise ValueError(f"act returned {len(chunks)} chunks for {len(batch)} observations")
        return chunks

    def _reply(self, connection: _Connection, chunk: ActionChunk) -> None:
        connection.waiting = None
        actions = np.asarray(chunk.actions, np.float64)
        if actions.ndim != 2 or actions.shape[1] != self.action_size or not len(actions):
            wanted = f"(H, {self.action_size})"
            connection.complain(f"A chunk must be {wanted}; the policy sent {actions.shape}.")
        elif not np.isfinite(actions).all():
            connection.complain("The action chunk contains NaN or infinity.")
        else:
            connection.answer(messages.chunk(actions, chunk.terminate_after))

    def _drop(self, connection: _Connection) -> None:
        self._connections -= 1
        self._selector.unregister(connection.sock)
        connection.sock.close()
        connection.waiting = connection.session = None


def _private_memory() -> str:
    """A folder of this user's for shared memory; empty where the system has no place for it."""
    try:
        return tempfile.mkdtemp(prefix="v4v-", dir=SHARED)
    except OSError:
        return ""


def _own_ip() -> str:
    """The address other nodes reach this one by; no packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("10.255.255.255", 1))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"
