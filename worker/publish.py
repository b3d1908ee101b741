"""Publish: tell live followers what was appended. It may fail: they find what they missed in PostgreSQL."""

from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

import redis

from activity.message import channel, signed
from db.log import deployment
from worker.process.redis import try_redis

# Keeps a message near 100 kB, so that a bulk import does not overrun a slow subscriber's buffer.
_EVENTS_A_MESSAGE = 200


class Appended(NamedTuple):
    """One event that the log took: its place, and its document with seq and recorded_at added."""

    tenant_id: int
    seq: int
    wire: str


def publish(appended: Iterable[Appended], epochs: dict[int, UUID]) -> None:
    """Publish events, in order, as messages of one tenant each: {"epoch", "first", "last", "events"}."""
    runs: dict[int, list[Appended]] = {}
    for event in appended:
        runs.setdefault(event.tenant_id, []).append(event)
    _send(
        (tenant_id, _message(epochs[tenant_id], run[start : start + _EVENTS_A_MESSAGE]))
        for tenant_id, run in runs.items()
        for start in range(0, len(run), _EVENTS_A_MESSAGE)
    )


def announce(heads: Iterable[tuple[int, UUID, int]]) -> None:
    """Publish where logs stand, as {"epoch", "head"}: who is behind reads what it missed."""
    _send((tenant_id, f'{{"epoch":"{epoch}","head":{seq}}}') for tenant_id, epoch, seq in heads)


def _message(epoch: UUID, run: list[Appended]) -> str:
    events = ",".join(event.wire for event in run)
    return f'{{"epoch":"{epoch}","first":{run[0].seq},"last":{run[-1].seq},"events":[{events}]}}'


def _send(messages: Iterable[tuple[int, str]]) -> None:
    def send(client: "redis.Redis") -> None:
        name, key = deployment.name("writer"), deployment.message_keys("writer").all()[0]
        with client.pipeline(transaction=False) as pipeline:
            for tenant_id, message in messages:
                to = channel(name, tenant_id)
                pipeline.publish(to, signed(key, to, message))
            pipeline.execute()

    try_redis("publish", send)
