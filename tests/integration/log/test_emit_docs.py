"""Every example of docs/emit.md does what the page says, run as it is written there."""

import asyncio
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from activity.settings import settings
from api.http.app import create_app
from api.http.server import Server
from worker.append import append_batch
from worker.foreign import accept

PAGE = Path(__file__).parents[3] / "docs" / "emit.md"
EXAMPLES = dict(re.findall(r"<!-- test: (\w+) -->\n```\w+\n(.*?)```", PAGE.read_text(), re.DOTALL))


@pytest.fixture
def api(environment: dict[str, str], key: str, free_port: int) -> Iterator[str]:
    """The address of a running API."""
    server = Server(create_app(), "127.0.0.1", free_port)
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.005)
    yield f"http://127.0.0.1:{free_port}"
    server.should_exit = True
    thread.join(10)


def run(name: str, **given: Any) -> dict[str, Any]:
    """Run an example with the names it takes as given."""
    names: dict[str, Any] = dict(given)
    exec(compile(EXAMPLES[name], f"docs/emit.md:{name}", "exec"), names)  # noqa: S102  # an example of ours
    return names


def log(admin: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    while append_batch(100):
        pass
    return admin.execute(
        "select type, actor, account_id, payload from activity.event order by seq"
    ).fetchall()


def test_every_example_of_the_page_is_tested() -> None:
    assert sorted(EXAMPLES) == ["celery", "django", "fastapi", "python", "shell", "sql"]
    assert PAGE.read_text().count("```python") + PAGE.read_text().count("```sh") + PAGE.read_text().count(
        "```sql"
    ) == len(EXAMPLES)


def test_celery_by_name(
    tenant: int, key: str, monkeypatch: pytest.MonkeyPatch, admin: psycopg.Connection[Any]
) -> None:
    """The message is taken from the broker and given to the task's body, as a worker would."""
    from celery import Celery

    broker = settings().broker
    monkeypatch.setenv("ACTIVITY_TRUST_BROKER", "false")
    settings.cache_clear()
    run("celery", BROKER_URL=broker, KEY=key)
    with Celery(broker=broker).connection_for_read() as connection, connection.SimpleQueue("append") as queue:
        message = queue.get(timeout=5)
        assert message.headers["task"] == "activity.append"
        args, kwargs, _ = message.payload
        message.ack()
    assert accept(args, kwargs, "message-1") == "1 emitted, 0 refused; "
    renewal = {"name": "Acme renewal", "from_stage": "Proposal", "to_stage": "Negotiation"}
    assert log(admin) == [("deal.stage_changed", "ana@example.com", "a_9", renewal)]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_plain_http(api: str, key: str, admin: psycopg.Connection[Any]) -> None:
    for _ in range(2):
        answer = subprocess.run(
            ["sh", "-ec", EXAMPLES["shell"]],
            env=os.environ | {"API": api, "KEY": key},
            capture_output=True,
            check=True,
        )
        assert b'"status":"' in answer.stdout
    assert log(admin) == [
        ("call.completed", "ana@example.com", "a_9", {"duration_s": 312, "outcome": "connected"})
    ]


def test_python_in_one_transaction(tenant: int, admin: psycopg.Connection[Any]) -> None:
    run("python", TENANT=tenant)
    assert [row[0] for row in log(admin)] == ["deal.won"]


def test_django_says_it_after_the_commit_and_not_after_a_rollback(
    api: str, key: str, admin: psycopg.Connection[Any], tmp_path: Path
) -> None:
    django = pytest.importorskip("django")
    from django.conf import settings as django_settings  # type: ignore[import-untyped]  # django has none

    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "crm.sqlite")}
    django_settings.configure(DATABASES={"default": database}, USE_TZ=True, INSTALLED_APPS=[])
    django.setup()
    from django.db import connections, transaction  # type: ignore[import-untyped]  # as above

    class Deal:
        pk, name, stage, account_id = 77, "Acme renewal", "Proposal", "a_9"

        def save(self, update_fields: list[str]) -> None:
            assert update_fields == ["stage"]

    move_deal = run("django", API=api, KEY=key)["move_deal"]
    move_deal(Deal(), "Negotiation", "ana@example.com")

    def fail() -> None:
        with transaction.atomic():
            move_deal(Deal(), "Won", "ana@example.com")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    connections.close_all()
    assert [row[3]["to_stage"] for row in log(admin)] == ["Negotiation"]


@pytest.mark.usefixtures("appending")
def test_fastapi(api: str, key: str) -> None:
    async def scene() -> dict[str, Any]:
        names = run("fastapi", API=api, KEY=key)
        async with (
            names["activity"],
            httpx.AsyncClient(transport=httpx.ASGITransport(names["crm"]), base_url="http://crm") as crm,
        ):
            answer = await crm.post("/accounts/a_9/calls", params={"call_id": "c1", "seconds": 60})
            assert answer.status_code == 201
            told: dict[str, Any] = answer.json()
            return told

    assert asyncio.run(scene())["status"] == "appended"


def test_sql_in_ones_own_transaction(
    environment: dict[str, str], tenant: int, admin: psycopg.Connection[Any]
) -> None:
    statements = EXAMPLES["sql"].replace(":tenant", str(tenant))
    with psycopg.connect(environment["ACTIVITY_DATABASE_URL"], autocommit=True) as connection:
        connection.execute("set role activity_producer")
        connection.execute(statements)
    assert log(admin) == [
        (
            "deal.won",
            "ana@example.com",
            "a_9",
            {"amount": "125000.00", "currency": "EUR", "name": "Acme renewal"},
        )
    ]
