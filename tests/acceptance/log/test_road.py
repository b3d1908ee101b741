"""The road never stops while the database is well, whatever Redis, the broker, the network or others do.

Each fault is planted under a real append worker; events are then put into the outbox one after the other,
without a nudge. `ACTIVITY_WRITE_FAULTS=1` writes what was measured into docs/faults.md.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from sqlalchemy import make_url

from activity.event import Event
from activity.validation import encode
from bench.servers import wait_until
from tests.proxy import Proxy

ROOT = Path(__file__).parents[3]
EVENTS = 6
PAGE = ROOT / "docs" / "faults.md"
measured: dict[str, float] = {}


class Road:
    """An append worker between two proxies, and what an operator sees of it."""

    def __init__(
        self, stack: ExitStack, admin: psycopg.Connection[Any], variables: dict[str, str], log: Path
    ) -> None:
        database, server = (make_url(variables[f"ACTIVITY_{name}_URL"]) for name in ("DATABASE", "REDIS"))
        assert database.port is not None
        assert server.port is not None
        self.admin, self.log = admin, log
        self.postgres = stack.enter_context(Proxy(database.port).running())
        self.redis = stack.enter_context(Proxy(server.port).running())
        self.valkey = stack.enter_context(redis.Redis.from_url(variables["ACTIVITY_REDIS_URL"]))
        self._variables = {
            **os.environ,
            **variables,
            "ACTIVITY_DATABASE_URL": self._through(database, self.postgres),
            "ACTIVITY_REDIS_URL": self._through(server, self.redis),
        }
        self._process = stack.enter_context(self._worker())
        stack.callback(self._process.terminate)

    @staticmethod
    def _through(url: Any, proxy: Proxy) -> str:
        return str(url.set(port=proxy.port).render_as_string(hide_password=False))

    def _worker(self) -> subprocess.Popen[bytes]:
        argv = (Path(sys.executable).with_name("activity"), "worker", "append")
        with self.log.open("wb") as log:
            return subprocess.Popen(argv, cwd=ROOT, env=self._variables, stdout=log, stderr=log)

    def put(self, tenant: int) -> None:
        """Put an event into the outbox, as a program does that dies before it can nudge."""
        event = Event(
            tenant_id=tenant,
            type="signal.detected",
            source="test",
            account_id="acme",
            payload={"signal": "demo"},
        )
        self.admin.execute(
            "insert into activity.outbox (tenant_id, doc) values (%s, %s)", (tenant, encode(event))
        )

    def appended(self, tenant: int) -> int:
        row = self.admin.execute("select seq from activity.head where tenant_id = %s", (tenant,)).fetchone()
        assert row is not None
        return int(row[0])

    def longest_silence(self, tenant: int) -> float:
        """Put events one after the other; return the longest that one of them took to be in the log."""
        longest = 0.0
        for _ in range(EVENTS):
            wanted, started = self.appended(tenant) + 1, time.monotonic()
            self.put(tenant)
            wait_until(lambda wanted=wanted: self.appended(tenant) >= wanted, 60)  # type: ignore[misc]  # mypy wants no default here
            longest = max(longest, time.monotonic() - started)
        return longest

    def end(self) -> int:
        """Tell the worker to end; return its exit code."""
        self._process.terminate()
        return self._process.wait(30)


@pytest.fixture
def road(
    environment: dict[str, str], admin: psycopg.Connection[Any], tenant: int, tmp_path: Path
) -> Iterator[Road]:
    with ExitStack() as stack:
        road = Road(stack, admin, environment, tmp_path / "log")
        road.put(tenant)
        wait_until(lambda: road.appended(tenant) == 1, 60)
        yield road


def _full(road: Road) -> None:
    road.valkey.config_set("maxmemory", 1)


def _not_full(road: Road) -> None:
    road.valkey.config_set("maxmemory", 0)


def _nothing(_: Road) -> None:
    pass


FAULTS: dict[str, tuple[Callable[[Road], object], Callable[[Road], object]]] = {
    "none": (_nothing, _nothing),
    "Redis and broker frozen": (lambda road: road.redis.freeze(), lambda road: road.redis.thaw()),
    "Redis and broker half-open": (lambda road: road.redis.half_open(), _nothing),
    "Redis and broker cut and away": (lambda road: road.redis.refuse(), lambda road: road.redis.accept()),
    "Redis full": (_full, _not_full),
    "Redis emptied": (lambda road: road.valkey.flushall(), _nothing),
    "PostgreSQL's connections cut": (lambda road: road.postgres.cut(), _nothing),
    "PostgreSQL's connections half-open": (lambda road: road.postgres.half_open(), _nothing),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_events_reach_the_log_and_the_worker_ends_when_told(road: Road, tenant: int, fault: str) -> None:
    plant, mend = FAULTS[fault]
    plant(road)
    try:
        measured[fault] = road.longest_silence(tenant)
        assert road.end() == 0
    finally:
        mend(road)
    assert road.appended(tenant) == 1 + EVENTS
    assert "Traceback" not in road.log.read_text()


def test_a_locked_head_stops_its_own_workspace_alone(
    road: Road, tenant: int, make_tenant: Callable[[], int], environment: dict[str, str]
) -> None:
    other = make_tenant()
    with psycopg.connect(environment["ACTIVITY_DATABASE_URL"]) as holder:
        holder.execute("select from activity.head where tenant_id = %s for update", (tenant,))
        road.put(tenant)
        measured["another workspace's head locked"] = road.longest_silence(other)
        assert road.appended(tenant) == 1
    wait_until(lambda: road.appended(tenant) == 2, 60)


@pytest.fixture(scope="module", autouse=True)
def _page() -> Iterator[None]:
    yield
    if os.environ.get("ACTIVITY_WRITE_FAULTS"):
        rows = "".join(f"| {fault} | {seconds:.1f} |\n" for fault, seconds in measured.items())
        head, rule, _ = PAGE.read_text().partition("| --- | ---: |\n")
        PAGE.write_text(head + rule + rows)
