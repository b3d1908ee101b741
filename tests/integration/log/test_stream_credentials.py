"""What streams promise of those who open them: a stream ends with its credential."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import jwt
import pytest

from activity.settings import settings
from db import access
from db.engine import begin
from tests.streams import WITHIN, Reading, say, serving, stream


@pytest.fixture
def impatient(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials are asked about every three seconds, and heartbeats come as seldom."""
    monkeypatch.setenv("ACTIVITY_STREAM_HEARTBEAT_S", "3")
    monkeypatch.setattr("api.access.callers._CACHED_S", 0.1)
    monkeypatch.setenv("ACTIVITY_JWT_SECRET", "s" * 32)
    settings.cache_clear()


def revoke(tenant: int) -> None:
    with begin("producer", tenant) as session:
        access.revoke_key(session, tenant, access.list_keys(session, tenant)[0].id)


@contextmanager
def busy(tenant: int) -> Iterator[None]:
    """The workspace is never silent for long."""
    done = threading.Event()

    def talk() -> None:
        while not done.wait(0.02):
            say(tenant)

    talking = threading.Thread(target=talk)
    talking.start()
    try:
        yield
    finally:
        done.set()
        talking.join(WITHIN)


@pytest.mark.usefixtures("impatient")
def test_a_revoked_key_ends_its_streams(key: str, tenant: int, free_port: int) -> None:
    async def scene() -> None:
        async with stream(free_port, key) as reading:
            await reading.next("hb")
            revoke(tenant)
            assert (await reading.next("bye"))[1]["reason"] == "auth_expired"

    with serving(free_port):
        asyncio.run(scene())


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("credential", ["key", "token", "session"])
def test_however_much_there_is_to_send_a_stream_ends_with_its_credential(
    key: str, tenant: int, free_port: int, credential: str
) -> None:
    async def scene() -> None:
        claims = {"email": "ana@example.com", "tenant": tenant, "roles": ["viewer"], "exp": time.time() - 8}
        shown = jwt.encode(claims, "s" * 32) if credential == "token" else key
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{free_port}") as page:
            if credential == "session":
                csrf = (await page.post("/v1/session", json={"key": key})).json()["csrf"]
                cookie = {"Cookie": f"activity_session={page.cookies['activity_session']}"}
            else:
                cookie = {"Authorization": f"Bearer {shown}"}
            async with page.stream("GET", "/v1/stream", headers=cookie) as response:
                reading = Reading(response)
                await reading.next("message")
                if credential == "key":
                    await asyncio.to_thread(revoke, tenant)
                elif credential == "session":
                    await page.delete("/v1/session", headers={"X-CSRF-Token": csrf})
                async with asyncio.timeout(WITHIN):
                    assert (await reading.next("bye"))[1]["reason"] == "auth_expired"

    with serving(free_port), busy(tenant):
        asyncio.run(scene())


def test_of_streams_that_are_opened_at_once_no_more_are_let_in_than_one_may_have(
    environment: dict[str, str], key: str, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACTIVITY_STREAMS_PER_USER", "3")
    settings.cache_clear()

    async def scene() -> None:
        headers = {"Authorization": f"Bearer {key}"}
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{free_port}", headers=headers, limits=limits
        ) as client:
            asked = [client.build_request("GET", "/v1/stream?account=acme") for _ in range(20)]
            answers = await asyncio.gather(*(client.send(one, stream=True) for one in asked))
            assert sorted(answer.status_code for answer in answers) == [200] * 3 + [429] * 17
            for answer in answers:
                await answer.aclose()

    with serving(free_port):
        asyncio.run(scene())
