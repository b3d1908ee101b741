"""Nudges: what is committed wakes the task that goes on with it, and holds nobody up."""

import socket
from collections.abc import Callable
from contextlib import suppress
from threading import Thread

import pytest
from kombu.exceptions import OperationalError

from activity.event import Event
from db.engine import begin
from worker.append import append_batch
from worker.celery import app
from worker.emit import emit
from worker.process.redis import redis_client


def say(tenant: int) -> None:
    with begin("producer") as session:
        emit(
            session,
            Event(
                tenant_id=tenant,
                type="signal.detected",
                source="test",
                account_id="acme",
                payload={"signal": "demo"},
            ),
        )


def test_playbooks_are_woken_by_what_is_appended_once_until_they_begin(
    make_tenant: Callable[[], int],
) -> None:
    for _ in range(2):
        say(make_tenant())
        append_batch(10)
    assert redis_client().llen("playbooks") == 1
    assert not append_batch(10)


@pytest.mark.usefixtures("environment")
def test_a_broker_that_is_away_is_tried_once_by_who_commits() -> None:
    tries: list[socket.socket] = []

    def refuse(listening: socket.socket) -> None:
        with suppress(OSError):  # until it is shut
            while True:
                tries.append(listening.accept()[0])
                tries[-1].close()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        Thread(target=refuse, args=[listening], daemon=True).start()
        away = app.connection_for_write(f"redis://127.0.0.1:{listening.getsockname()[1]}")
        with away, pytest.raises(OperationalError):
            app.send_task("activity.append", connection=away)
        listening.shutdown(socket.SHUT_RDWR)
    assert len(tries) == 1
