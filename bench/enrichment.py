"""Enrichment passes against a bare httpx loop, the claim by queue length, and how long "Enrich now" waits.

passes_per_s   passes from claim to event, one process, one call each: recorded, booked, merged, emitted
httpx_per_s    httpx.AsyncClient with the same concurrency and as many open connections, on the same farm,
               in turns with the passes
outbound_per_s the same loop over the product's own client; `ratio_outbound` is what claim, ledger, merge and
               event cost
claim_ms_*     one claim of 50 of so many waiting passes (median)
urgent_ms_*    from the request of "Enrich now" behind a backlog of 100,000 to the end of its pass
"""

import asyncio
import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

import httpx
import psycopg

from activity.settings import settings
from bench import farm
from bench.servers import percentile, servers, wait_until

CONCURRENCY = 50
DELAY_S = 0.02  # how long the farm takes to answer
ROUNDS = 4
BACKLOG = 100_000
URGENT = 20

CONFIGURATION = """
concurrency = {concurrency}
[providers.orbit]
uses = "http_json"
cost = "0.05"
concurrency = {concurrency}
options.url = "http://127.0.0.1:{port}/orbit/lookup?domain={{domain}}"
options.fields = {{ industry = "company.industry", employees = "company.employees" }}
options.confidence = "score"
[fields.account]
industry = {{ providers = ["orbit"] }}
employees = {{ type = "integer", providers = ["orbit"] }}
"""


def run(events: int = 6000, only: str | None = None) -> dict[str, object]:
    """Run the benchmark over so many passes, or only its part throughput, claim or urgent.

    Return the figures by name.
    """
    figures: dict[str, Any] = {}
    with servers(1) as admin, farm.running(DELAY_S) as port, _configured(port):
        if only in (None, "throughput"):
            figures |= _throughput(admin, port, events)
        if only in (None, "urgent"):
            figures |= _urgent(admin)
        if only in (None, "claim"):
            figures |= _claims(admin)
    return {name: round(value, 3) for name, value in figures.items()}


@contextmanager
def _configured(port: int) -> Iterator[None]:
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(CONFIGURATION.format(port=port, concurrency=CONCURRENCY))
        file.flush()
        os.environ |= {"ACTIVITY_ENRICHMENT_CONFIG": file.name, "ACTIVITY_OUTBOUND_ALLOW": "127.0.0.1/32"}
        settings.cache_clear()
        yield


def _throughput(admin: psycopg.Connection, port: int, events: int) -> dict[str, float]:
    from producers.enrichment.run import work_off

    seconds = {"passes": 0.0, "httpx": 0.0, "outbound": 0.0}
    size = events // ROUNDS
    for number in range(ROUNDS):
        ids = [f"{number}-{n}" for n in range(size)]
        seconds["httpx"] += _httpx(port, ids)
        seconds["outbound"] += _outbound(port, ids)
        _accounts(admin, ids)
        _wait_for(admin, ids)
        started = time.perf_counter()
        while work_off():
            pass
        seconds["passes"] += time.perf_counter() - started
    done = admin.execute("select count(*) from crm.enrichment_call where state = 'answered'").fetchone()
    assert done == (size * ROUNDS,), done
    passes, bare, ours = (size * ROUNDS / seconds[name] for name in ("passes", "httpx", "outbound"))
    figures = {"passes_per_s": passes, "httpx_per_s": bare, "ratio": passes / bare}
    return figures | {"outbound_per_s": ours, "ratio_outbound": passes / ours}


def _accounts(admin: psycopg.Connection, ids: list[str]) -> None:
    admin.execute(
        """insert into crm.account (tenant_id, id, name, domain)
           select 1, id, id, 'a' || id || '.example' from unnest(%s::text[]) id""",
        (ids,),
    )


def _wait_for(admin: psycopg.Connection, ids: list[str], priority: int = 6) -> None:
    """Queue passes without the nudge that `ask` sends: no worker runs here."""
    admin.execute(
        """insert into crm.enrichment_pass (tenant_id, kind, record_id, fields, priority, requested_by)
           select 1, 'account', id, '{employees,industry}', %s, 'system' from unnest(%s::text[]) id""",
        (priority, ids),
    )


def _httpx(port: int, ids: list[str]) -> float:
    """Return how many seconds a bare loop takes that does nothing with the answers but read their JSON."""

    async def loop() -> None:
        waiting = iter(ids)
        limits = httpx.Limits(max_connections=CONCURRENCY, max_keepalive_connections=CONCURRENCY)

        async def worker() -> None:
            for id_ in waiting:
                answer = await client.get(
                    f"http://127.0.0.1:{port}/bare/lookup", params={"domain": f"a{id_}.example"}
                )
                json.loads(answer.content)

        async with httpx.AsyncClient(limits=limits, timeout=30) as client:
            await asyncio.gather(*(worker() for _ in range(CONCURRENCY)))

    started = time.perf_counter()
    asyncio.run(loop())
    return time.perf_counter() - started


def _outbound(port: int, ids: list[str]) -> float:
    """Return how many seconds the same loop takes over the client that the passes use."""
    from producers.http import Outbound

    async def loop() -> None:
        waiting = iter(ids)

        async def worker() -> None:
            for id_ in waiting:
                answer = await client.request(
                    "GET", f"http://127.0.0.1:{port}/ours/lookup?domain=a{id_}.example"
                )
                json.loads(answer.body)

        async with Outbound(connections=CONCURRENCY) as client:
            await asyncio.gather(*(worker() for _ in range(CONCURRENCY)))

    started = time.perf_counter()
    asyncio.run(loop())
    return time.perf_counter() - started


def _urgent(admin: psycopg.Connection) -> dict[str, float]:
    """Measure how long a pass takes that a user waits for, while one worker process works off the backlog."""
    from db.engine import begin
    from producers.enrichment import ask
    from producers.enrichment.run import work_off

    ids = [f"backlog-{n}" for n in range(BACKLOG)]
    urgent = [f"urgent-{n}" for n in range(URGENT)]
    _accounts(admin, ids + urgent)
    _wait_for(admin, ids)
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            work_off()

    thread = threading.Thread(target=work)
    thread.start()
    waits = []
    for id_ in urgent:
        time.sleep(0.3)  # at any moment of a run
        with begin("producer", 1) as session:
            pass_id = ask(session, 1, "account", id_)
        started = time.perf_counter()
        query = "select ended_at is not null from crm.enrichment_pass where id = %s"
        wait_until(lambda: admin.execute(query, (pass_id,)).fetchone() == (True,), 60)  # noqa: B023  # called before the next turn
        waits.append((time.perf_counter() - started) * 1000)
    stop.set()
    thread.join()
    left = admin.execute("select count(*) from crm.enrichment_pass where due_at is not null").fetchone()
    assert left is not None
    return {
        "urgent_ms_p50": median(waits),
        "urgent_ms_max": percentile(waits, 1),
        "urgent_behind": float(left[0]),
    }


def _claims(admin: psycopg.Connection) -> dict[str, float]:
    figures = {}
    admin.execute("truncate crm.enrichment_pass")
    for name, first, last in (("1k", 0, 1000), ("1m", 1000, 1_000_000)):
        admin.execute(
            """insert into crm.enrichment_pass (tenant_id, kind, record_id, fields, priority, requested_by)
               select 1, 'account', 'r' || n, '{industry}', 6, 'system'
                 from generate_series(%s::int, %s::int - 1) n""",
            (first, last),
        )
        admin.execute(
            "vacuum analyze crm.enrichment_pass"
        )  # else the vacuum that so many inserts start runs beside the measurement
        figures[f"claim_ms_{name}"] = _claim_ms()
    return figures


def _claim_ms() -> float:
    from db.engine import EVERY_TENANT, begin
    from db.enrichment import passes

    times = []
    for _ in range(15):
        with begin("producer", EVERY_TENANT) as session:
            started = time.perf_counter()
            assert len(passes.claim(session, CONCURRENCY)) == CONCURRENCY
            times.append(
                (time.perf_counter() - started) * 1000
            )  # without the commit, whose time is the disk's
    return median(times)


if __name__ == "__main__":
    print(json.dumps(run()))
