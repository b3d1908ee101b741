"""The road from emit to follower.

Throughput against a floor and a naive design, latency, a flood in one tenant, growth with processes.

Every ratio was measured against its baseline in turns, in the same run, on an installation filled from empty
and never analysed.

    append      outbox to published, one append process as it ships (two threads, ACTIVITY_BATCH_SIZE),
                20 tenants: claim, number, dedupe, chain, commit, publish
    one_thread  the same with one thread
    floor       the same rows made ready, 1,000 a statement, one connection, into a table with the same
                columns, indexes and checks: no order, no dedupe, no chain. JSON is the fastest way in that
                one statement has: VALUES take three times as long
    naive       one Celery task, INSERT, commit and PUBLISH for each event, 2 prefork processes, the queue
                filled beforehand
    single      one event claimed, appended and committed, against one bare INSERT and commit through the
                same pool
    emit        validated and canonical, in transactions of 100, against executemany of ready rows into the
                outbox
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from statistics import median
from typing import Any

import psycopg
from sqlalchemy import create_engine

from bench.latency import flood, latency
from bench.processes import drain, emit_all, processes
from bench.samples.events import outbound_mail
from bench.servers import celery, servers, timed, wait_until

TENANTS = 20
BATCH = 1000
ROUND = 20_000  # events between turns
NAIVE = 3000  # events: at some hundred a second they say enough
SINGLES = 300

FLOOR = "insert into floor select * from json_populate_recordset(null::floor, %s::json)"


def run(events: int = 200_000, only: str | None = None) -> dict[str, object]:
    """Run the benchmark, or one part: throughput, latency, flood, processes; return figures by name."""
    parts: dict[str, Callable[[psycopg.Connection], dict[str, float]]] = {
        "throughput": lambda admin: throughput(admin, events),
        "latency": latency,
        "flood": lambda admin: flood(admin, events),
        "processes": lambda admin: processes(admin, events, TENANTS),
    }
    figures: dict[str, object] = {"events": events}
    for name, part in parts.items():
        if only in (None, name):
            with servers(TENANTS) as admin:
                figures |= part(admin)
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in figures.items()}


def throughput(admin: psycopg.Connection, events: int) -> dict[str, float]:
    """Measure emit, append, floor and naive in turns over `events` events, filled in one go."""
    admin.execute("alter table activity.event set (autovacuum_enabled = false)")
    admin.execute("create table floor (like activity.event including all)")
    seconds = dict.fromkeys(("emit", "executemany", "append", "one_thread", "floor"), 0.0)
    for start in range(0, events, ROUND):
        said = list(outbound_mail(min(ROUND, events - start), TENANTS))
        for name, threads in (("one_thread", 1), ("append", 2)):
            seconds["emit"] += timed(partial(emit_all, said[threads - 1 :: 2]))
            seconds[name] += timed(partial(_append, threads))
        seconds["executemany"] += _executemany(admin, said)
        rows = _ready_rows(admin, start)
        seconds["floor"] += timed(partial(_floor, admin, rows))
    ((stored,),) = admin.execute("select sum(seq) from activity.head").fetchall()
    assert stored == events, f"{stored} of {events} were stored"
    naive = _naive(admin, rows)
    rate = {
        name: (events / 2 if name in ("append", "one_thread") else events) / spent
        for name, spent in seconds.items()
    }
    return {
        "append_per_s": rate["append"],
        "one_thread_per_s": rate["one_thread"],
        "floor_per_s": rate["floor"],
        "naive_per_s": naive,
        "ratio_floor": rate["append"] / rate["floor"],
        "ratio_floor_one_thread": rate["one_thread"] / rate["floor"],
        "ratio_naive": rate["append"] / naive,
        "emit_per_s": rate["emit"],
        "executemany_per_s": rate["executemany"],
        "ratio_emit": rate["emit"] / rate["executemany"],
    } | _single(admin, rows)


def _append(threads: int) -> None:
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(drain) for _ in range(threads)]:
            done.result()
    drain()  # a thread that found every tenant taken went home early


def _executemany(admin: psycopg.Connection[Any], said: Sequence[Any]) -> float:
    from activity.validation import encode

    ready = [(event.tenant_id, encode(event)) for event in said]

    def work() -> None:
        for start in range(0, len(ready), 100):
            with admin.transaction(), admin.cursor() as cursor:
                cursor.executemany(
                    "insert into activity.outbox (tenant_id, doc) values (%s, %s)", ready[start : start + 100]
                )

    spent = timed(work)
    admin.execute("truncate activity.outbox")
    return spent


def _ready_rows(admin: psycopg.Connection, start: int) -> list[str]:
    """Return the rows that the log stored last, in its order, as JSON."""
    rows = admin.execute(
        "select row_to_json(e)::text from activity.event e where seq > %s order by tenant_id, seq",
        (start // TENANTS,),
    )
    return [row for (row,) in rows]


def _floor(admin: psycopg.Connection, rows: Sequence[str]) -> None:
    for start in range(0, len(rows), BATCH):
        admin.execute(FLOOR, (f"[{','.join(rows[start : start + BATCH])}]",))


def _single(admin: psycopg.Connection, rows: Sequence[str]) -> dict[str, float]:
    """Measure one event at a time, in turns with one bare insert and commit through the same kind of pool."""
    from db.engine import begin, database_url
    from db.log.append import move
    from worker.emit import emit

    admin.execute("truncate floor")
    admin.execute("vacuum activity.outbox")
    bare_pool = create_engine(database_url())
    ours, bare = [], []

    def insert(row: str) -> None:
        with bare_pool.begin() as connection:
            connection.exec_driver_sql(FLOOR, (f"[{row}]",))

    for event, row in zip(outbound_mail(SINGLES, TENANTS), rows, strict=False):
        with begin("producer") as session:
            emit(session, event)
        ours.append(timed(lambda: move(BATCH)))
        bare.append(timed(partial(insert, row)))
    bare_pool.dispose()
    return {
        "single_ms": median(ours) * 1000,
        "bare_single_ms": median(bare) * 1000,
        "ratio_single": median(bare) / median(ours),
    }


def _naive(admin: psycopg.Connection, rows: Sequence[str]) -> float:
    from bench.naive import app, append

    admin.execute("truncate floor")
    for row in rows[:NAIVE]:
        append.delay(row)
    app.close()

    def stored(count: int) -> bool:
        ((found,),) = admin.execute("select count(*) from floor").fetchall()
        return bool(found >= count)

    with celery("-A", "bench.naive", "worker", "-P", "prefork", "-c", "2", "-Q", "naive"):
        wait_until(lambda: stored(1), 30)
        return (NAIVE - 1) / timed(lambda: wait_until(lambda: stored(NAIVE), 120))
