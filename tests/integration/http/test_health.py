"""Ready means that requests can be answered, and it is said within two seconds whatever hangs."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from activity.settings import settings
from api.http import health
from api.http.app import create_app
from cli.dev.embedded import EmbeddedPostgres
from db import access
from db.engine import EVERY_TENANT, begin, close_connections, is_standby
from tests.proxy import Proxy
from tests.standby import Standby


async def ask(path: str, **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(create_app())
    async with httpx.AsyncClient(transport=transport, base_url="http://api.example") as client:
        return await client.get(path, headers=headers)


@pytest.mark.usefixtures("environment")
def test_it_is_ready_where_it_can_read_and_write() -> None:
    answer = asyncio.run(ask("/readyz"))
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ok",
        "checks": {"postgresql": True, "writable": True, "redis": True},
    }


def test_it_says_so_in_time_that_a_frozen_database_does_not_answer_and_asks_it_once(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_PATIENCE_S", 0.2)

    async def looks() -> list[httpx.Response]:
        assert (await ask("/readyz")).status_code == 200
        proxy.freeze()
        frozen = [await ask("/readyz") for _ in range(5)]
        probe = health._PROBES["postgresql"]
        asked = probe._asked
        assert asked is not None
        assert not asked.done()  # the first question is still open: five looks made no second one
        proxy.thaw()
        await asked
        return frozen

    frozen = asyncio.run(looks())
    assert [answer.status_code for answer in frozen] == [503] * 5
    assert frozen[0].json()["checks"]["postgresql"] is False
    assert health._PATIENCE_S < 2


def test_reads_go_to_the_standby_and_a_server_that_takes_no_writes_is_not_ready(
    postgres: EmbeddedPostgres,
    environment: dict[str, str],
    admin: psycopg.Connection[Any],
    tenant: int,
    monkeypatch: pytest.MonkeyPatch,
    server_folder: Path,
) -> None:
    with begin("producer", EVERY_TENANT) as session:
        access.add_key(session, tenant, key := access.new_key(), "reader", ["read"])
    name = environment["ACTIVITY_DATABASE_URL"].rpartition("/")[2]
    with Standby(postgres, server_folder / "standby") as standby:
        monkeypatch.setenv("ACTIVITY_READER_URL", standby.url(name))
        settings.cache_clear()
        close_connections()
        assert asyncio.run(ask("/readyz")).status_code == 200
        assert asyncio.run(ask("/v1/events", authorization=f"Bearer {key}")).status_code == 200
        with begin("reader") as session, begin("producer") as writing:
            assert (is_standby(session), is_standby(writing)) == (True, False)
        # After a fail-over: the API of the server that is a standby now.
        monkeypatch.delenv("ACTIVITY_READER_URL")
        monkeypatch.setenv("ACTIVITY_DATABASE_URL", standby.url(name))
        settings.cache_clear()
        close_connections()
        assert asyncio.run(ask("/v1/events", authorization=f"Bearer {key}")).status_code == 200
        answer = asyncio.run(ask("/readyz"))
        assert (answer.status_code, answer.json()["checks"]["writable"]) == (503, False)
        standby.promote()
        assert asyncio.run(ask("/readyz")).status_code == 200
        close_connections()
