"""Free TCP ports on 127.0.0.1."""

import random
import socket
from collections.abc import Iterable

from cli.errors import Unreachable


class PortInUse(Unreachable):
    """A port that another program holds."""


def is_free(port: int) -> bool:
    """Say whether a server could listen on this port now."""
    with socket.socket() as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # else a port just closed counts as taken for a minute
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def require_free(port: int, what: str) -> None:
    """Raise PortInUse if another program listens on `port`."""
    if not is_free(port):
        raise PortInUse(
            f"port {port} on 127.0.0.1 is taken: stop the program that holds it, or give {what} another port"
        )


def first_free(candidates: Iterable[int]) -> int:
    """Return the first free port among `candidates`."""
    for port in candidates:
        if is_free(port):
            return port
    raise PortInUse("no free port among those tried on 127.0.0.1: name one with --port")


def free_port() -> int:
    """Return a free port that a restarted server finds free again.

    It is below the range that the kernel gives to outgoing connections.
    """
    return first_free(random.sample(range(20_000, 32_000), 100))
