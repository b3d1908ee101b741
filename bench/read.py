"""Feed pages by every filter, on a large and a small log, and over HTTP.

The latter against a bare loop of driver and encoder.

The log is filled by SQL, since this measures reading: the rows are as the append road makes them, but for
hashes, which no read looks at. One workspace has two fifths of all events; 50,000 events of another are the
small log that each page is compared with.
"""

import asyncio
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import psutil
import psycopg

from activity.catalogue import CATALOGUE, Category
from bench.reading import find
from bench.servers import percentile, servers, wait_until
from cli.dev.ports import free_port
from db.engine import begin
from db.log.reading.feed import FeedQuery
from db.log.reading.filter import Filter, accounts_beneath
from feed.pages import by_occurred

TENANTS, BIG, SMALL = 50, 1, 50
SMALL_EVENTS = 50_000
ACCOUNTS, BENEATH = 20_000, 3_000
ROUNDS = 60  # pages of each filter: fresh places each time
HTTP_S = 8.0
PAGE = 50

_FILL = """
insert into activity.event (seq, occurred_at, recorded_at, event_id, cause_id, salt, tenant_id, version, type,
    actor, source, account_id,
  contact_id, record_type, record_id, payload, payload_sha256, hash)
select n, at - (hashint8(n) %% 3600) * interval '1 second', at, md5(%(tenant)s || '/' || n)::uuid, null,
       sha256(int8send(n)), %(tenant)s, 1,
       t.types[1 + abs(hashint8(n * 7)) %% cardinality(t.types)],
       case when n %% 5 = 0 then 'system' else 'user' || n %% 40 || '@example.com' end,
       case when n %% 4 = 0 then 'sequence' else 'api' end,
       'acc_' || abs(hashint8(n * 13)) %% %(accounts)s, 'con_' || abs(hashint8(n * 17)) %% 100000, 'thread',
       'th_' || n / 8, p.payload,
       sha256(sha256(int8send(n)) || convert_to(p.payload::text, 'UTF8')), sha256(int8send(n))
  from generate_series(%(start)s::bigint, %(end)s) n cross join (select %(types)s::text[] as types) t
 cross join lateral (select timestamptz '2026-01-01' + n * interval '1 second' as at,
     ('{"from_address":"ana.ruiz@example.com",'
   || '"name":"Renewal terms for Acme ' || n || '","subject":"Renewal terms for Acme ' || n
   || '","text":"Budget is decided in January; talk to their finance lead first.","to_stage":"Negotiation",'
   || '"url":"https://example.com/terms","signal":"pricing_page_visited"}'
      )::json as payload) p
"""


def _types() -> list[str]:
    """Types as a CRM says them: much mail, few signals, hardly any change of a parent."""
    often = {
        "email.sent": 30,
        "email.opened": 20,
        "email.clicked": 8,
        "note.added": 8,
        "call.completed": 6,
        "deal.stage_changed": 5,
        "signal.detected": 4,
    }
    return [name for name, share in often.items() for _ in range(share)] + [
        "contact.added",
        "deal.won",
        "comment.added",
        "account.parent_changed",
    ]


def fill(admin: psycopg.Connection, events: int) -> None:
    """Fill the workspaces with `events` in all, and put accounts into a hierarchy."""
    others = max(1, (events * 3 // 5 - SMALL_EVENTS) // (TENANTS - 2))
    sizes = {BIG: events * 2 // 5, SMALL: SMALL_EVENTS} | dict.fromkeys(range(2, SMALL), others)
    admin.execute("set synchronous_commit = off")
    for tenant, size in sizes.items():
        for start in range(1, size + 1, 200_000):
            bounds = {
                "start": start,
                "end": min(size, start + 199_999),
                "tenant": tenant,
                "types": _types(),
                "accounts": ACCOUNTS,
            }
            admin.execute(_FILL, bounds)
        admin.execute("update activity.head set seq = %s where tenant_id = %s", (size, tenant))
    for tenant in (BIG, SMALL):
        admin.execute("insert into crm.account (tenant_id, id, name) values (%s, 'top', 'Top')", (tenant,))
        admin.execute(
            """insert into crm.account (tenant_id, id, name, parent_id)
               select %s, 'acc_' || n, 'Account ' || n, 'top' from generate_series(0, %s) n""",
            (tenant, BENEATH - 1),
        )
    admin.execute("vacuum (analyze) activity.event")
    admin.execute("analyze crm.account")


def _filters(choose: random.Random) -> dict[str, Filter]:
    mail = tuple(name for name, known in CATALOGUE.items() if known.category is Category.EMAIL)
    account, contact = f"acc_{choose.randrange(ACCOUNTS)}", f"con_{choose.randrange(100_000)}"
    return {
        "newest": Filter(),
        "account": Filter(account=account),
        "account_tab": Filter(account=account, types=mail),
        "contact": Filter(contact=contact),
        "type": Filter(types=("deal.won",)),
        "type_never": Filter(types=("privacy.bodies_erased",)),
        "tab": Filter(types=mail),
        "actor": Filter(actor="user7@example.com"),
        "source": Filter(source="sequence"),
        "hierarchy": Filter(beneath="top"),
    }


def _times(tenant: int) -> dict[str, list[float]]:
    """Return the milliseconds of pages by each filter, the second page too."""
    choose = random.Random(3)  # the same places every time
    taken: dict[str, list[float]] = {name: [] for name in _filters(random.Random(1))}
    for _ in range(ROUNDS):
        for name, which in _filters(choose).items():
            cursor = None
            for _page in range(2):
                started = time.perf_counter()
                with begin("reader", tenant) as session:
                    page = by_occurred(session, tenant, which, cursor, PAGE)
                taken[name].append((time.perf_counter() - started) * 1000)
                cursor = page.cursor
                if cursor is None:
                    break
    return taken


def _seq_scans(admin: psycopg.Connection) -> int:
    """Return how often the log was read from one end to the other so far."""
    admin.execute("select pg_stat_force_next_flush()")
    row = admin.execute(
        "select seq_scan from pg_stat_all_tables where relid = 'activity.event'::regclass"
    ).fetchone()
    return int(row[0]) if row else 0


def _plans() -> dict[str, str]:
    """Return what is wrong with the plan of each filter's page, where something is."""
    wrong: dict[str, str] = {}
    for name, which in _filters(random.Random(5)).items():
        with begin("reader", BIG) as session:
            query = FeedQuery(BIG, which, accounts_beneath(session, BIG, which), None, PAGE)
            for statement in (query.page(), *([query.end()] if query.rest else [])):
                told = (
                    session.connection()
                    .exec_driver_sql(f"explain (analyze, format json) {statement}", query.values)
                    .scalar_one()
                )
                faults = [fault for node in _nodes(told[0]["Plan"]) if (fault := _fault(node))]
                if faults:
                    wrong[name] = ", ".join(faults)
    return wrong


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from _nodes(below)


def _fault(node: dict[str, Any]) -> str | None:
    if node["Node Type"].endswith("Seq Scan") and node.get("Relation Name") == "event":
        return "reads the whole log"
    if node["Node Type"] == "Sort" and node["Actual Rows"] > 5000:
        return f"sorts {node['Actual Rows']} rows"
    return None


_NAMES = (
    "event_id",
    "seq",
    "type",
    "version",
    "occurred_at",
    "recorded_at",
    "actor",
    "source",
    "account_id",
    "contact_id",
)
_NAMES += ("record_type", "record_id", "cause_id", "payload")  # type: ignore[assignment]  # a longer tuple
_BARE = f"""
select {", ".join(_NAMES)}::text from activity.event where tenant_id = %s{{}}
 order by occurred_at desc, seq desc limit 50"""  # noqa: S608  # constants


def _bare(other: bool) -> tuple[float, float]:
    """Return pages a second, and a second of processor time, of a bare loop.

    The same rows in the same kind of transaction: the newest, or each time of another account.
    """
    choose = random.Random(9)
    query = _BARE.format(" and account_id = %s" if other else "").encode()
    from db.engine import role_url

    encode, pages = msgspec.json.Encoder().encode, 0
    url = role_url("reader").set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as connection:
        started, busy = time.perf_counter(), time.process_time()
        while time.perf_counter() - started < HTTP_S / 2:
            with connection.transaction():
                connection.execute("select set_config('activity.tenant', %s, true)", (str(BIG),))
                about = (f"acc_{choose.randrange(ACCOUNTS)}",) if other else ()
                rows = connection.execute(query, (BIG, *about)).fetchall()
            encode(
                [dict(zip(_NAMES, (*row[:-1], msgspec.Raw(row[-1].encode())), strict=True)) for row in rows]
            )
            pages += 1
        return pages / (time.perf_counter() - started), pages / (time.process_time() - busy)


@contextmanager
def _api(port: int) -> Iterator[psutil.Process]:
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.deployment.serve"], env=os.environ | {"ACTIVITY_PORT": str(port)}
    )
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(20)


async def _over_http(
    port: int, key: str, process: psutil.Process, other: bool, clients: int
) -> tuple[float, float, float]:
    """Return pages a second, and a second of the server's processor time, and the p99 of one in milliseconds.

    Of the newest page, or each time of another account, which is in no cache.
    """
    taken: list[float] = []
    choose = random.Random(9)

    def request() -> bytes:
        path = f"/v1/events?account=acc_{choose.randrange(ACCOUNTS)}" if other else "/v1/events"
        return f"GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\n\r\n".encode()

    pages, end = 0, 0.0

    async def client() -> None:
        nonlocal pages
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < end:
            started = time.perf_counter()
            writer.write(request())
            head = await reader.readuntil(b"\r\n\r\n")
            assert b" 200 " in head[:20], head
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            pages += 1
            taken.append((time.perf_counter() - started) * 1000)
        writer.close()

    end = time.perf_counter() + 1
    await asyncio.gather(*(client() for _ in range(clients)))  # warm
    taken.clear()
    pages, end = 0, time.perf_counter() + HTTP_S
    started, busy = time.perf_counter(), _busy(process)
    await asyncio.gather(*(client() for _ in range(clients)))
    per_s, per_core = pages / (time.perf_counter() - started), pages / (_busy(process) - busy)
    return per_s, per_core, percentile(taken, 0.99)


def _busy(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _up(port: int) -> None:
    import http.client

    def answers() -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            return False

    wait_until(answers, 30)


_ASKED = (("", False, 8), ("one_client_", False, 1), ("account_", True, 8), ("account_one_client_", True, 1))


def run(events: int = 5_000_000) -> dict[str, object]:
    """Measure on a log of so many events; a fifth of a million already shows the shape."""
    with servers(TENANTS) as admin:
        started = time.perf_counter()
        fill(admin, events)
        figures: dict[str, Any] = {"events": events, "fill_s": round(time.perf_counter() - started, 1)}
        small, scans = _times(SMALL), _seq_scans(admin)
        large = _times(BIG)
        figures["pages"] = {name: _compare(small[name], large[name]) for name in small}
        figures["hierarchy_ms"] = figures["pages"]["hierarchy"]["p50_ms"]
        figures["seq_scans"] = _seq_scans(admin) - scans
        figures["plans_wrong"] = _plans()
        bare = {other: _bare(other)[1] for other in (False, True)}
        figures |= {"bare_per_core": round(bare[False]), "account_bare_per_core": round(bare[True])}
        figures |= find.figures(admin, BIG, events * 2 // 5, ACCOUNTS)
        from db import access

        key, port = access.new_key(), free_port()
        with begin("producer", BIG) as session:
            access.add_key(session, BIG, key, "bench", ["read"])
        with _api(port) as process:
            _up(port)
            for name, other, clients in _ASKED:
                wall, core, p99 = asyncio.run(_over_http(port, key, process, other, clients))
                figures |= {f"{name}pages_per_s": round(wall), f"{name}pages_per_core": round(core)}
                figures |= {f"{name}ratio": round(core / bare[other], 2), f"{name}p99_ms": round(p99, 1)}
        return figures


def _compare(small: list[float], large: list[float]) -> dict[str, float]:
    """Return a filter's figures on the large log, and its p99 as a multiple of the small one's."""
    figures = {
        "p50_ms": percentile(large, 0.5),
        "p99_ms": percentile(large, 0.99),
        "small_p50_ms": percentile(small, 0.5),
    }
    figures |= {
        "small_p99_ms": percentile(small, 0.99),
        "times": percentile(large, 0.99) / percentile(small, 0.99),
    }
    return {name: round(value, 2) for name, value in figures.items()}


if __name__ == "__main__":
    import json

    print(json.dumps(run(int(sys.argv[1]) if len(sys.argv) > 1 else 5_000_000)))
