"""A connection on which every wait for the server has an end.

The server's own time-outs do not reach a client that is cut off: behind a half-open connection, a frozen
server or a proxy that lost its other side, libpq waits as long as the kernel does: minutes, hours, forever.
"""

from collections.abc import Callable
from typing import TypeVar

import psycopg
import structlog
from psycopg.abc import PQGen
from psycopg.errors import _WaitTimeout
from psycopg.generators import execute

log = structlog.get_logger()

T = TypeVar("T")

# An answer that takes longer may never come: from then on nobody else is given an old connection.
SLOW_S = 1.5
_INTERVAL_S = 0.1  # between two looks for an interrupt, as psycopg has it


class ServerSilent(psycopg.OperationalError):
    """The server gave no answer for as long as the role's work may take: the connection is given up."""


class BoundedConnection(psycopg.Connection):
    """A psycopg connection whose waits end after `bound_s` seconds.

    `when_slow` is called once in a wait that lasts longer than SLOW_S.
    """

    bound_s: float = 60.0
    made_at: float = 0.0  # by the monotonic clock
    when_slow: Callable[[], None] | None = None

    def wait(self, gen: PQGen[T], interval: float = _INTERVAL_S, timeout: float | None = None) -> T:
        """Run a generator of psycopg to its end. Raises ServerSilent."""
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, min(SLOW_S, self.bound_s))
        except _WaitTimeout:
            if self.when_slow is not None:
                self.when_slow()
        try:
            return super().wait(gen, interval, max(0.0, self.bound_s - SLOW_S))
        except _WaitTimeout:
            self.pgconn.finish()
            log.error("database_silent", seconds=self.bound_s)
            raise ServerSilent(f"the database gave no answer for {self.bound_s:g} s") from None

    def ask(self, statements: bytes) -> list[psycopg.pq.abc.PGresult]:
        """Return the results of several statements that are sent as one message, in the simple protocol."""
        with self.lock:
            self.pgconn.send_query(statements)
            return self.wait(execute(self.pgconn))
