"""What the hub of a process keeps, and what it survives."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.exc import OperationalError

from activity.catalogue.types.corrections import ERASURES
from activity.event import Event
from api.http.supervise import supervise
from api.log.live.hub import Channel, Hub
from db.engine import begin
from feed.position import EpochChanged
from worker.append import append_batch
from worker.emit import emit


def append(tenant: int, text: str, type_: str = "note.added", **payload: Any) -> None:
    content = payload or {"text": text}
    with begin("producer") as session:
        emit(
            session,
            Event(tenant_id=tenant, type=type_, source="test", contact_id="pat", payload=content),
        )
    while append_batch(10):
        pass


@pytest.mark.parametrize("type_", sorted(ERASURES))
def test_what_was_erased_is_forgotten_by_the_stream_as_well(tenant: int, type_: str) -> None:
    async def scene() -> tuple[Any, Any]:
        channel = Channel(tenant)
        await channel.open()
        before = channel.since(0, 10)
        payload = {"events": 1} if type_ == "privacy.bodies_erased" else {"reason": "request"}
        await asyncio.to_thread(append, tenant, "", type_, **payload)
        await channel.catch_up()
        return before, channel.since(0, 10)

    append(tenant, "Pat has a diagnosis")
    before, after = asyncio.run(scene())
    assert [item.event.seq for item in before] == [1]
    assert after is None, "whoever asks for it reads the log, which holds it no more"


def test_a_channel_whose_log_was_replaced_while_the_database_is_away_is_looked_at_again(
    tenant: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> int:
        hub, channel = Hub(), Channel(tenant)
        await channel.open()

        async def ended() -> None:
            raise EpochChanged

        async def away() -> None:
            raise OperationalError("select", None, Exception())

        with monkeypatch.context() as patch:
            patch.setattr(channel, "catch_up", ended)
            patch.setattr(channel, "open", away)
            await hub.recover(channel)
        await asyncio.to_thread(append, tenant, "later")
        await hub.recover(channel)
        return channel.position.seq

    assert asyncio.run(scene()) == 1


def test_a_background_task_that_fails_or_ends_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[str] = []

    class Log:
        @staticmethod
        def error(event: str, **_: Any) -> None:
            logged.append(event)

    async def scene() -> int:
        runs = 0
        enough = asyncio.Event()

        async def work() -> None:
            nonlocal runs
            runs += 1
            if runs == 1:
                raise KeyError(str(uuid4()))
            if runs == 3:
                enough.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(supervise("some work", work, pause_s=0))
        await enough.wait()
        task.cancel()
        return runs

    monkeypatch.setattr("api.http.supervise.log", Log)
    assert asyncio.run(scene()) == 3
    assert logged == ["background_task_failed", "background_task_ended"]
