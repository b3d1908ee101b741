"""What the live stream promises, over real sockets."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest

from activity.settings import settings
from api.http.server import Server
from cli.dev.embedded import EmbeddedValkey
from db.engine import begin
from db.records import records
from tests.streams import WITHIN, say, serving, stream


@pytest.fixture
def port(environment: dict[str, str], key: str, free_port: int) -> Iterator[int]:
    """The port of a running API."""
    with serving(free_port):
        yield free_port


def test_the_first_frame_says_where_the_stream_begins_and_events_follow_as_they_are_recorded(
    port: int, key: str, tenant: int
) -> None:
    async def scene() -> None:
        async with stream(port, key) as reading:
            name, hello = await reading.next()
            assert (name, hello["recovered"], hello["position"][-17:]) == (
                "hello",
                False,
                "-0000000000000000",
            )
            await asyncio.to_thread(say, tenant, 3)
            assert await reading.seqs(3) == [1, 2, 3]
            assert reading.last_id == hello["position"][:-1] + "3"

    asyncio.run(scene())


def test_a_resumed_stream_goes_on_without_loss_or_repeat_however_long_it_was_away(
    port: int, key: str, tenant: int
) -> None:
    async def scene() -> None:
        async with stream(port, key) as reading:
            await asyncio.to_thread(say, tenant, 2)
            await reading.seqs(2)
            last_id = reading.last_id
        await asyncio.to_thread(say, tenant, 2500)  # more than a channel keeps
        async with stream(port, key, last_id) as reading:
            assert (await reading.next("hello"))[1]["recovered"] is True
            assert await reading.seqs(2500) == list(range(3, 2503))
            await asyncio.to_thread(say, tenant)
            assert await reading.seqs(1) == [2503]

    asyncio.run(scene())


@pytest.mark.parametrize("filters", [{}, {"type": "note.added"}], ids=["everything", "filtered"])
def test_a_correction_sends_what_it_corrects_again_live_and_resumed(
    port: int, key: str, tenant: int, filters: dict[str, str]
) -> None:
    noted, correction = uuid4(), uuid4()

    def correct(wrong: UUID, id_: UUID, **payload: Any) -> None:
        payload["event_id"] = str(wrong)
        say(tenant, type="event.corrected", event_id=id_, cause_id=wrong, payload=payload)

    async def scene() -> None:
        async with stream(port, key, **filters) as reading:
            await asyncio.to_thread(say, tenant, event_id=noted)
            assert (await reading.next("message"))[1]["corrected"] is None
            last_id = reading.last_id
            await asyncio.to_thread(correct, noted, correction, correct={"text": "right"})
            _, changed = await reading.next("changed")
            assert changed["event_id"] == str(noted)
            assert changed["corrected"]["correct"] == {"text": "right"}
        async with stream(port, key, last_id, **filters) as reading:
            assert (await reading.next("changed"))[1] == changed
            await asyncio.to_thread(correct, correction, uuid4(), retracted=True)
            if not filters:
                assert (await reading.next("changed"))[1]["event_id"] == str(correction)
            _, undone = await reading.next("changed")
            assert (undone["event_id"], undone["corrected"]) == (str(noted), None)

    asyncio.run(scene())


def test_a_stream_goes_on_after_the_server_was_replaced(
    environment: dict[str, str], key: str, tenant: int, free_port: int
) -> None:
    async def read(last_id: str | None, number: int) -> tuple[list[int], str]:
        async with stream(free_port, key, last_id) as reading:
            await reading.next("hello")
            if last_id is None:
                await asyncio.to_thread(say, tenant, number)
            return await reading.seqs(number), reading.last_id

    with serving(free_port):
        seqs, last_id = asyncio.run(read(None, 2))
    say(tenant, 3)
    with serving(free_port):
        more, _ = asyncio.run(read(last_id, 3))
    assert seqs + more == [1, 2, 3, 4, 5]


def test_earliest_replays_everything_and_the_header_wins_over_the_query(
    port: int, key: str, tenant: int
) -> None:
    async def scene() -> None:
        await asyncio.to_thread(say, tenant, 3)
        async with stream(port, key, last_event_id="earliest") as reading:
            assert await reading.seqs(2) == [1, 2]
            last_id = reading.last_id
        async with stream(port, key, last_id, last_event_id="earliest") as reading:
            assert await reading.seqs(1) == [3]

    asyncio.run(scene())


def test_what_cannot_be_continued_is_reset_and_never_a_hole(port: int, key: str, tenant: int) -> None:
    async def scene() -> None:
        await asyncio.to_thread(say, tenant, 2)
        async with stream(port, key) as reading:
            position = (await reading.next("hello"))[1]["position"]
        for last_id, reason in (
            (f"{uuid4().hex}-{1:016d}", "epoch_changed"),
            (f"{position.split('-')[0]}-{99:016d}", "position_unknown"),
            ("nonsense", "position_unknown"),
        ):
            async with stream(port, key, last_id) as reading:
                assert (await reading.next())[1]["recovered"] is False
                assert await reading.next() == ("reset", {"reason": reason, "position": position})
                assert reading.last_id == position

    asyncio.run(scene())


def test_a_log_that_was_replaced_under_open_streams_is_told(
    port: int, key: str, tenant: int, admin: psycopg.Connection[Any]
) -> None:
    async def scene() -> None:
        async with stream(port, key) as reading:
            await reading.next("hello")
            admin.execute(
                "update activity.head set epoch = gen_random_uuid() where tenant_id = %s", (tenant,)
            )
            await asyncio.to_thread(say, tenant)
            assert (await reading.next())[1]["reason"] == "epoch_changed"
            await asyncio.to_thread(say, tenant)
            seen = await reading.seqs(1)
            while seen[-1] < 2:
                seen += await reading.seqs(1)
            assert seen in ([2], [1, 2])  # the new log was noticed after its first event, or before

    asyncio.run(scene())


def test_every_heartbeat_carries_the_position_even_when_a_filter_lets_nothing_pass(
    environment: dict[str, str], key: str, tenant: int, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACTIVITY_STREAM_HEARTBEAT_S", "0.2")
    settings.cache_clear()

    async def scene() -> None:
        async with stream(free_port, key, account="other") as reading:
            assert (await reading.next("hello"))[1]["heartbeat_s"] == 0.2
            await asyncio.to_thread(say, tenant, 2)
            while not (await reading.next("hb"))[1]["position"].endswith("2"):
                pass
            assert reading.last_id.endswith("-0000000000000002")

    with serving(free_port):
        asyncio.run(scene())


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"account": "acme"}, [1, 4]),
        ({"type": "email.*"}, [2]),
        ({"type": "shop.*"}, [3]),
        ({"tab": "notes"}, [1, 4]),
        ({"actor": "ana@example.com"}, [4]),
        ({"record": "thread:t_1"}, [2]),
        ({"beneath": "holding"}, [1, 4]),
        ({"account": "acme", "locale": "de"}, [1, 4]),
    ],
)
def test_a_filtered_stream_holds_exactly_what_passes(
    port: int, key: str, tenant: int, parameters: dict[str, str], expected: list[int]
) -> None:
    with begin("producer", tenant) as session:
        records.upsert(
            session, tenant, [records.Account(id="holding"), records.Account(id="acme", parent_id="holding")]
        )

    def say_all() -> None:
        say(tenant)
        say(
            tenant,
            type="email.sent",
            payload={"subject": "x"},
            account_id="other",
            record_type="thread",
            record_id="t_1",
        )
        say(tenant, type="shop.ordered", payload={}, account_id="other")
        say(tenant, actor="ana@example.com")
        say(tenant, type="deal.won", payload={"name": "x"}, account_id="last")

    async def scene() -> None:
        async with stream(port, key, **parameters) as live, stream(port, key) as everything:
            await asyncio.to_thread(say_all)
            assert await everything.seqs(5) == [1, 2, 3, 4, 5]
            assert await live.seqs(len(expected)) == expected
        async with stream(port, key, last_event_id="earliest", **parameters) as replayed:
            assert await replayed.seqs(len(expected)) == expected

    asyncio.run(scene())


def test_nobody_hears_another_workspace(
    port: int, key: str, tenant: int, make_tenant: Callable[[], int]
) -> None:
    async def scene() -> None:
        async with stream(port, key) as reading:
            await asyncio.to_thread(say, make_tenant(), 5)
            await asyncio.to_thread(say, tenant, 1, payload={"text": "ours"})
            assert (await reading.next("message"))[1]["payload"] == {"text": "ours"}

    asyncio.run(scene())


def test_streams_end_with_a_word_within_seconds_when_the_server_stops(
    environment: dict[str, str], key: str, tenant: int, free_port: int
) -> None:
    async def scene(server: Server) -> None:
        async with stream(free_port, key) as one, stream(free_port, key) as two:
            for reading in (one, two):
                await reading.next("hello")
            started = time.monotonic()
            server.should_exit = True
            for reading in (one, two):
                assert (await reading.next())[1]["reason"] == "shutdown"
                with pytest.raises(StopAsyncIteration):
                    await reading.next()
            assert time.monotonic() - started < 3

    with serving(free_port) as server:
        asyncio.run(scene(server))


def test_one_stream_too_many_is_refused_and_a_closed_one_makes_room(
    environment: dict[str, str], key: str, tenant: int, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACTIVITY_STREAMS_PER_USER", "1")
    settings.cache_clear()

    async def scene() -> None:
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{free_port}", headers=headers) as client:
            async with stream(free_port, key) as reading:
                await reading.next("hello")
                refused = await client.get("/v1/stream")
                assert (refused.status_code, refused.json()["type"]) == (429, "/problems/too-many-streams")
                assert "retry-after" in refused.headers
            async with asyncio.timeout(WITHIN):
                while True:
                    async with client.stream("GET", "/v1/stream") as again:
                        if again.status_code == 200:
                            return

    with serving(free_port):
        asyncio.run(scene())


def test_events_arrive_while_redis_is_away_and_after_it_came_back(
    environment: dict[str, str], key: str, tenant: int, free_port: int, valkey: EmbeddedValkey
) -> None:
    async def scene() -> None:
        async with stream(free_port, key) as reading:
            await asyncio.to_thread(say, tenant)
            assert await reading.seqs(1) == [1]
            await asyncio.to_thread(valkey.stop, True)
            try:
                await asyncio.to_thread(say, tenant, 2)
                assert await reading.seqs(2) == [2, 3]
            finally:
                await asyncio.to_thread(valkey.start)
            await asyncio.to_thread(say, tenant, 2)
            assert await reading.seqs(2) == [4, 5]

    with serving(free_port):
        asyncio.run(scene())
