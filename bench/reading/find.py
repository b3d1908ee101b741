"""Searches and lists by silence, each beside an account's feed page of the same moments."""

import random
import time
from collections.abc import Callable
from typing import Any

import psycopg

from activity.reading.visibility import EVERYTHING
from bench.servers import percentile
from db.engine import begin
from db.log.reading import by_seq
from db.log.reading.filter import Filter
from db.records.listing import Wanted, listed
from db.records.records import Account
from feed.pages import by_occurred
from feed.reading import search
from producers.log.search import handle

INDEXED = 100_000  # the newest events of the workspace
RECORDS = 100_000  # accounts with a last touch each
_ROUNDS = 200
_PAGE = 50


def figures(admin: psycopg.Connection[Any], tenant: int, events: int, accounts: int) -> dict[str, Any]:
    """Return what searches and lists of 50 cost on a workspace of so many events, in milliseconds."""
    indexed, per_s = _index(tenant, events)
    _touch(admin, tenant)
    choose = random.Random(7)  # the same questions every time

    def number() -> int:
        return choose.randrange(events - indexed, events)

    asked: dict[str, Callable[[], str]] = {
        "common": lambda: "renewal ",
        "two common": lambda: "budget january ",
        "rare": lambda: f"{number()} ",
        "absent": lambda: f"nowhere{number()} ",
        "phrase": lambda: '"finance lead"',
        "prefix": lambda: "ren",
        "common and rare": lambda: f"renewal {number()} ",
    }
    for text in asked.values():  # each connection plans its statements once
        _timed(tenant, _searched, text())
    taken: dict[str, list[float]] = {name: [] for name in (*asked, "feed page", "silence", "mine")}
    for _ in range(_ROUNDS):
        for name, text in asked.items():
            taken[name].append(_timed(tenant, _searched, text()))
        taken["feed page"].append(_timed(tenant, _feed, f"acc_{choose.randrange(accounts)}"))
        taken["silence"].append(_timed(tenant, _listed, None))
        taken["mine"].append(_timed(tenant, _listed, f"user{choose.randrange(40)}@example.com"))
    both = {name: _both(times) for name, times in taken.items()}
    return {
        "indexed": indexed,
        "indexed_per_s": round(per_s),
        "feed_page_ms": both.pop("feed page"),
        "touch_list_ms": {name: both.pop(name) for name in ("silence", "mine")},
        "search_ms": both,
    }


def _index(tenant: int, events: int) -> tuple[int, float]:
    """Index the newest events; return how many, and how many a second."""
    at = max(0, events - INDEXED)
    started, number = time.perf_counter(), events - at
    while at < events:
        with begin("producer", tenant) as session, begin("reader", tenant) as reader:
            page = by_seq.after(reader, tenant, at, 500).events
            handle(session, tenant, page)
        at = page[-1].seq
    return number, number / (time.perf_counter() - started)


def _touch(admin: psycopg.Connection[Any], tenant: int) -> None:
    """Give the workspace many accounts of forty owners, each last touched at a moment of its own."""
    admin.execute(
        """insert into crm.account (tenant_id, id, name, owner_email)
           select %s, 'listed_' || n, 'Account ' || n, 'user' || n %% 40 || '@example.com'
             from generate_series(1, %s) n""",
        (tenant, RECORDS),
    )
    admin.execute(
        """update crm.touch set touched_at = timestamptz '2026-01-01' + abs(hashtext(id)) * interval '1 ms'
            where tenant_id = %s""",
        (tenant,),
    )
    for table in ("crm.account", "crm.touch", "crm.search_document", "crm.search_slice"):
        admin.execute(f"vacuum (analyze) {table}".encode())


def _timed(tenant: int, work: Callable[[Any, int, Any], object], about: str | None) -> float:
    started = time.perf_counter()
    with begin("reader", tenant) as session:
        work(session, tenant, about)
    return (time.perf_counter() - started) * 1000


def _searched(session: Any, tenant: int, text: str) -> object:
    return search.find(session, tenant, text, Filter(), EVERYTHING, None, _PAGE)


def _feed(session: Any, tenant: int, account: str) -> object:
    return by_occurred(session, tenant, Filter(account=account), None, _PAGE)


def _listed(session: Any, tenant: int, owner: str | None) -> object:
    return listed(session, tenant, Account, Wanted("silence", owner=owner), None, _PAGE)


def _both(times: list[float]) -> dict[str, float]:
    return {"p50": round(percentile(times, 0.5), 2), "p99": round(percentile(times, 0.99), 2)}
