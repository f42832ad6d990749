"""Where a policy server listens: a Unix socket on its node, TCP with a token across nodes."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from vlm4vla.core.errors import HarnessFault


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
