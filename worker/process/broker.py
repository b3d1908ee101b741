"""What Celery 5.7.0 with kombu 5.7.0 lacks to outlive its broker; a test says when a newer release has it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery import bootsteps
from kombu.transport import redis as transport
from redis.exceptions import ConnectionError as RedisAway
from redis.exceptions import ResponseError

VERSIONS = {"celery": "5.7.0", "kombu": "5.7.0"}


def _closable(base: Any) -> Any:
    """Return a channel class that, once closed, raises what its users expect.

    Celery closes the connection of a lost broker after it dropped the client beneath. The channel then gives
    back the messages that are not acknowledged, asks the absent client for its host, and an AttributeError
    that nobody expects ends the worker: only one that is busy, and only with acks_late.
    """

    class Channel(base):  # type: ignore[misc]  # kombu has no types
        @contextmanager
        def conn_or_acquire(self, client: object = None) -> Iterator[object]:
            """Yield a client, the given one or one of the pool's."""
            if client is None and self._pool is None and getattr(self.connection, "client", None) is None:
                raise RedisAway("the channel is closed")
            with super().conn_or_acquire(client) as given:
                yield given

    return Channel


class OutliveBroker(bootsteps.StartStopStep):  # type: ignore[misc]  # celery has no types
    """Has a consumer connect again where Celery ends the worker.

    A full Redis answers every command with an error, and a message that is no message raises one of Python's.
    """

    def __init__(self, parent: Any, **_: Any) -> None:
        parent.connection_errors = (*parent.connection_errors, ResponseError, TypeError, ValueError)
        super().__init__(parent)


def install(app: Any) -> None:
    """Use the above in an app's workers."""
    transport.Transport.Channel = _closable(transport.Channel)
    transport.SentinelTransport.Channel = _closable(transport.SentinelChannel)
    app.steps["consumer"].add(OutliveBroker)
