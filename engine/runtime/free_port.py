"""`randomPort()`: a port for a server that a flow is about to start."""

from __future__ import annotations

import socket


def random_port() -> int:
    """A TCP port of this machine that nobody listens on now. Nothing keeps it free: use it soon."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
