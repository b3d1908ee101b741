"""The link that `activity dev` prints signs in once, from this machine, and gives the key away to nobody."""

import asyncio
from collections.abc import Callable

import httpx
import pytest
from redis import Redis

from activity.settings import settings
from api.access.link import offer
from api.http.app import create_app
from worker.process import redis as process_redis

Get = Callable[..., httpx.Response]


@pytest.fixture
def get() -> Get:
    """Ask for a path as a browser on some machine, with the cookies that it has."""
    app = create_app()

    def ask(path: str, machine: str = "127.0.0.1", cookies: httpx.Cookies | None = None) -> httpx.Response:
        async def run() -> httpx.Response:
            transport = httpx.ASGITransport(app, client=(machine, 50_000))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as browser:
                browser.cookies.update(cookies)
                return await browser.get(path)

        return asyncio.run(run())

    return ask


@pytest.fixture
def path(key: str) -> str:
    made = offer(key)
    assert made is not None
    assert key not in made
    return made


def test_it_signs_in_once(get: Get, path: str, tenant: int) -> None:
    answer = get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert get("/v1/session", cookies=answer.cookies).json()["tenant"] == tenant
    again = get(path)
    assert (again.status_code, dict(again.cookies)) == (410, {})
    assert "activity env" in again.text


@pytest.mark.parametrize("machine", ["203.0.113.9", "10.0.0.7", "::ffff:203.0.113.9", "testclient"])
def test_another_machine_neither_signs_in_nor_uses_it_up(get: Get, path: str, machine: str) -> None:
    assert get(path, machine).status_code == 410
    assert get(path, "::1").status_code == 303


@pytest.mark.parametrize("token", ["x", "0" * 32, "%00", "a" * 5000])
def test_what_was_never_offered_signs_nobody_in(get: Get, token: str, tenant: int) -> None:
    assert get(f"/sign-in/{token}").status_code == 410


def test_a_key_that_was_revoked_meanwhile_signs_nobody_in(get: Get, tenant: int) -> None:
    made = offer("a-key-that-is-none")
    assert made is not None
    assert get(made).status_code == 410


def test_the_link_ends_after_ten_minutes_and_redis_holds_no_link_that_works(path: str) -> None:
    with Redis.from_url(settings().required("redis_url")) as client:
        (name,) = client.keys("activity:*:sign-in:*")
        assert 0 < client.ttl(name) <= 600
        assert path.rsplit("/", 1)[1].encode() not in name
        client.delete(name)


def test_without_redis_no_link_is_offered(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTIVITY_REDIS_URL", "redis://127.0.0.1:1")
    settings.cache_clear()
    process_redis.forget()
    assert offer(key) is None
    process_redis.forget()
