"""The road behind a pooler, and with brokers other than one Redis: each a real server, each killed."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from activity.event import Event
from activity.settings import settings
from bench.servers import wait_until
from db.engine import begin, close_connections
from db.log.reading import by_seq
from db.log.reading.filter import Filter
from feed.follow import Follower
from tests.middlemen import Sentinels, pgbouncer, rabbitmq
from worker.celery import app
from worker.emit import emit
from worker.process import redis

ROOT = Path(__file__).parents[3]


def note(tenant: int) -> None:
    with begin("producer", tenant) as session:
        emit(
            session,
            Event(tenant_id=tenant, type="note.added", source="test", account_id="a", payload={"text": "x"}),
        )


def appended(admin: psycopg.Connection[Any], tenant: int) -> int:
    row = admin.execute("select seq from activity.head where tenant_id = %s", (tenant,)).fetchone()
    assert row is not None
    return int(row[0])


@contextmanager
def worker(log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """An append worker with this process's settings."""
    argv = (Path(sys.executable).with_name("activity"), "worker", "append")
    with log.open("wb") as out, subprocess.Popen(argv, cwd=ROOT, stdout=out, stderr=out) as process:
        yield process
        process.terminate()
        assert process.wait(20) == 0


@pytest.fixture
def use(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A function that sets variables, here and in processes begun from now on."""

    def setting(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(f"ACTIVITY_{name}", value)
        settings.cache_clear()
        close_connections()
        redis.forget()
        app.conf.broker_url = settings().broker
        if settings().sentinel_master:
            app.conf.broker_transport_options["master_name"] = settings().sentinel_master

    yield setting
    app.conf.broker_transport_options.pop("master_name", None)
    app.close()


def test_behind_pgbouncer_nobody_runs_a_statement_of_somebody_else(
    environment: dict[str, str],
    admin: psycopg.Connection[Any],
    tenant: int,
    use: Any,
    server_folder: Path,
) -> None:
    server_folder.chmod(0o777)  # pgbouncer writes as another account
    with pgbouncer(server_folder, environment["ACTIVITY_DATABASE_URL"]) as url:
        use(DATABASE_URL=url, DATABASE_PREPARE="false")
        done = threading.Event()

        def read() -> int:
            pages = 0
            while not done.is_set():
                with begin("reader", tenant) as session:
                    by_seq.after(session, tenant, 0, 10, Filter(account="a"))
                    by_seq.after(session, tenant, 0, 10, Filter(types=("note.added",)))
                pages += 1
            return pages

        with worker(server_folder / "worker.log"), ThreadPoolExecutor(8) as threads:
            reading = [threads.submit(read) for _ in range(4)]
            list(threads.map(note, [tenant] * 300))
            wait_until(lambda: appended(admin, tenant) == 300, 60)
            done.set()
            assert all(pages.result() for pages in reading)
    assert "prepared statement" not in (server_folder / "worker.log").read_text()


def test_with_sentinels_the_road_goes_on_when_the_master_dies(
    admin: psycopg.Connection[Any], tenant: int, use: Any, server_folder: Path
) -> None:
    with Sentinels(server_folder).running() as sentinels:
        use(REDIS_URL=sentinels.url, SENTINEL_MASTER="main")
        with worker(server_folder / "worker.log") as process, Follower(tenant, 0) as follower:
            seen: list[int] = []

            def follows_to(seq: int) -> None:
                def there() -> bool:
                    seen.extend(event.seq for event in follower.read(0.2))
                    return seen[-1:] == [seq]

                wait_until(there, 60)

            note(tenant)
            follows_to(1)
            sentinels.fail_over()
            for _ in range(5):
                note(tenant)
            follows_to(6)
            wait_until(lambda: bool(redis.try_redis("test", lambda client: client.ping())), 30)
            note(tenant)
            follows_to(7)
            assert seen == list(range(1, 8))
            assert process.poll() is None


def test_with_rabbitmq_killed_and_started_again_nothing_waits_for_it(
    admin: psycopg.Connection[Any], tenant: int, use: Any, server_folder: Path
) -> None:
    with rabbitmq(server_folder) as (url, broker):
        use(BROKER_URL=url)
        with worker(server_folder / "worker.log") as process:
            note(tenant)
            wait_until(lambda: appended(admin, tenant) == 1, 60)
            os.killpg(broker.pid, signal.SIGKILL)
            for _ in range(3):
                note(tenant)
            wait_until(lambda: appended(admin, tenant) == 4, 60)
            assert process.poll() is None
