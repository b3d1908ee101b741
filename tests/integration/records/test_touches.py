"""Touches: who was last spoken with, when and by whom, exact under whatever the log says later."""

import random
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from sqlalchemy import text

from activity.event import Event
from activity.reading.touch import TOUCHES
from db.engine import begin
from db.log.reading import by_seq
from db.records import erasure, listing, records
from db.records.listing import Wanted
from db.records.records import Account, Contact, Opportunity
from producers.records.tasks import FOLLOWER
from producers.records.touches import handle
from tests.plays import World, playbook
from tests.recording import record
from worker.follow import follow_once

Send = Callable[..., httpx.Response]
BEGIN = datetime(2026, 3, 1, 9, tzinfo=UTC)


def follow(page: int = 500) -> None:
    while follow_once(FOLLOWER, handle, page=page):
        pass


def event(tenant: int, type_: str, day: float = 0, account: str | None = "acme", **more: Any) -> Event:
    given: dict[str, Any] = {"payload": {}, "source": "crm", "contact_id": "jo"} | more
    moment = BEGIN + timedelta(days=day)
    return Event(tenant_id=tenant, type=type_, occurred_at=moment, account_id=account, **given)


def correction(of: Event, **payload: Any) -> Event:
    about = {"event_id": str(of.event_id), "event_type": of.type}
    given: dict[str, Any] = {"cause_id": of.event_id, "contact_id": of.contact_id, "payload": about | payload}
    return event(of.tenant_id, "event.corrected", 90, of.account_id, **given)


def kept(admin: psycopg.Connection[Any], tenant: int) -> dict[tuple[str, str], datetime]:
    found = admin.execute(
        "select kind, id, touched_at from crm.touch where tenant_id = %s and touched_at > '-infinity'",
        [tenant],
    ).fetchall()
    return {(kind, id_): moment for kind, id_, moment in found}


def random_log(tenant: int, dice: random.Random) -> list[Event]:
    """Touches and others, early and late, some withdrawn, some withdrawals withdrawn again."""
    log: list[Event] = []
    for _ in range(40):
        wrong = [one for one in log if one.type in (*TOUCHES, "event.corrected")]
        if wrong and dice.random() < 0.4:
            log.append(correction(dice.choice(wrong), retracted=True))
            continue
        type_ = dice.choice([*TOUCHES, "email.opened", "note.added"])
        payload = {"text": "x"} if type_ == "note.added" else {}
        who = {"account": dice.choice(["acme", "bolt", None]), "contact_id": dice.choice(["jo", "kim"])}
        log.append(event(tenant, type_, dice.randrange(30), payload=payload, **who))
    return log


def expected(log: list[Event]) -> dict[tuple[str, str], datetime]:
    """The same from the whole log at once."""
    gone: set[UUID | None] = set()
    for one in reversed(log):
        if one.type == "event.corrected" and one.event_id not in gone:
            gone.add(one.cause_id)
    found: dict[tuple[str, str], datetime] = {}
    for one in log:
        if one.type in TOUCHES and one.event_id not in gone:
            for record_ in (("account", one.account_id), ("contact", one.contact_id)):
                if record_[1] is not None:
                    key = record_[0], record_[1]
                    found[key] = max(one.occurred_at, found.get(key, one.occurred_at))
    return found


@pytest.mark.parametrize("seed", range(12))
def test_what_is_kept_is_what_the_whole_log_says_however_it_is_handed_over(
    seed: int, tenant: int, admin: psycopg.Connection[Any]
) -> None:
    dice = random.Random(seed)  # a test's dice
    log = random_log(tenant, dice)
    at = 0
    while at < len(log):  # the follower is behind now and then, and a page is of any size
        end = at + dice.randrange(1, 15)
        record(*log[at:end])
        at = end
        if dice.random() < 0.5:
            follow(dice.randrange(1, 8))
    follow(dice.randrange(1, 8))
    assert kept(admin, tenant) == expected(log)
    with begin("producer", tenant) as session, begin("reader", tenant) as reader:
        handle(session, tenant, by_seq.after(reader, tenant, 0, 1000).events)  # once more, as after a restore
    assert kept(admin, tenant) == expected(log)


def facts(send: Send, path: str = "/v1/accounts/acme/touch") -> dict[str, Any]:
    found: dict[str, Any] = send("GET", path).json()
    return found


def ids(found: dict[str, Any]) -> list[str | None]:
    names = ("first_in", "first_out", "last_in", "last_out", "last")
    return [found[name] and found[name]["event_id"] for name in names]


def test_touches_are_the_first_and_the_last_from_each_side_whenever_they_were_recorded(
    send: Send, tenant: int
) -> None:
    sent = event(tenant, "email.sent", 1, actor="ana@v.example")
    call = event(tenant, "call.completed", 5, payload={"direction": "inbound"})
    others = [event(tenant, "email.opened", 9), event(tenant, "email.auto_replied", 9)]
    record(sent, call, *others)
    assert ids(facts(send)) == [str(one.event_id) for one in (call, sent, call, sent, call)]
    late = event(tenant, "email.replied", 0.5)
    record(late)
    assert ids(facts(send)) == [str(one.event_id) for one in (late, sent, call, sent, call)]
    record(correction(call, correct={"direction": "outbound"}))
    assert ids(facts(send)) == [str(one.event_id) for one in (late, sent, late, call, call)]
    record(correction(call, retracted=True))
    assert ids(facts(send)) == [str(one.event_id) for one in (late, sent, late, sent, sent)]
    assert ids(facts(send, "/v1/contacts/jo/touch")) == ids(facts(send))
    found = facts(send)
    assert found["last_out"]["actor"] == "ana@v.example"
    assert found["silent_days"] == (datetime.now(UTC) - BEGIN - timedelta(days=1)).days
    assert found["complete"]


def test_nothing_happened_to_who_is_unknown(send: Send) -> None:
    found = facts(send, "/v1/accounts/nobody/touch")
    assert ids(found) == [None] * 5
    assert (found["silent_days"], found["open_tasks"], found["next_task"]) == (None, 0, None)


def test_an_erased_call_is_still_a_touch_of_unknown_direction(
    send: Send, tenant: int, admin: psycopg.Connection[Any]
) -> None:
    call = event(tenant, "call.completed", 2, payload={"direction": "inbound"})
    record(event(tenant, "email.sent", 1), call)
    follow()
    before = kept(admin, tenant)
    with begin("eraser") as session:
        erasure.erase(session, tenant, "jo", uuid4(), "dpo@example.com", None, None)
    follow()
    found = facts(send)
    assert found["last"]["event_id"] == str(call.event_id)
    assert kept(admin, tenant) == before


def test_what_is_to_come_is_the_nearest_meeting_ahead_and_the_open_task_that_is_due_next(
    send: Send, admin: psycopg.Connection[Any], tenant: int
) -> None:
    world = World(admin, tenant)
    task = "  - {do: create_task, title: %s, due_in: %s}\n"
    world.play(playbook(task % ("Later", "9d") + task % ("Next", "1d")))
    world.say()
    world.settle()
    soon, past = (datetime.now(UTC) + timedelta(days=days) for days in (2, -2))
    booked = [
        event(tenant, "meeting.booked", 1, payload={"starts_at": moment.isoformat()})
        for moment in (soon + timedelta(days=3), soon, past)
    ]
    record(*booked)
    found = facts(send)
    assert found["next_meeting"]["event_id"] == str(booked[1].event_id)
    assert (found["open_tasks"], found["next_task"]["title"]) == (2, "Next")
    record(correction(booked[1], retracted=True))
    assert facts(send)["next_meeting"]["event_id"] == str(booked[0].event_id)


# --- lists ---


@pytest.fixture
def crm(tenant: int) -> None:
    """Ten accounts of two owners, touched or not, with people and a deal."""
    with begin("producer", tenant) as session:
        owners = ("ana@v.example", "Ben@v.example")
        accounts = [
            Account(id=f"a{n}", name=f"Halden {chr(74 - n)}", owner_email=owners[n % 2]) for n in range(10)
        ]
        records.upsert(session, tenant, accounts)
        records.upsert(session, tenant, [Contact(id="jo", account_id="a1", name="Jo 100% Park_er")])
        records.upsert(session, tenant, [Opportunity(id="d1", account_id="a1", name="Renewal", stage="Won")])
    record(*(event(tenant, "email.sent", day, f"a{day}") for day in (3, 1, 7)))
    follow()


def pages(send: Send, path: str) -> Iterable[dict[str, Any]]:
    cursor = ""
    while True:
        page = send("GET", f"{path}&limit=3{cursor}").json()
        yield from page["data"]
        if page["next_cursor"] is None:
            return
        cursor = f"&cursor={page['next_cursor']}"


@pytest.mark.usefixtures("crm")
@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ("sort=silence", "a0 a2 a4 a5 a6 a8 a9 a1 a3 a7"),
        ("sort=touch", "a7 a3 a1 a9 a8 a6 a5 a4 a2 a0"),
        ("sort=name", "a9 a8 a7 a6 a5 a4 a3 a2 a1 a0"),
        ("sort=silence&owner=ben@V.example", "a5 a9 a1 a3 a7"),
        ("name=halden", "a9 a8 a7 a6 a5 a4 a3 a2 a1 a0"),
        ("name=den%20G&sort=silence", "a3"),
        ("name=nobody", ""),
    ],
)
def test_accounts_are_listed_in_every_order_page_by_page_each_once(
    send: Send, asked: str, wanted: str
) -> None:
    assert [one["record"]["id"] for one in pages(send, f"/v1/accounts?{asked}")] == wanted.split()


@pytest.mark.usefixtures("crm")
def test_a_part_of_a_name_is_taken_as_it_is_written(send: Send) -> None:
    for asked, number in (("100%25", 1), ("park_", 1), ("%25", 1), ("_", 1), ("x_y", 0), ("1%25P", 0)):
        assert len(send("GET", f"/v1/contacts?name={asked}").json()["data"]) == number, asked


@pytest.mark.usefixtures("crm")
def test_people_and_deals_are_listed_by_account(send: Send) -> None:
    (person,) = send("GET", "/v1/contacts?account=a1&sort=silence").json()["data"]
    assert (person["record"]["id"], person["touched_at"]) == ("jo", "2026-03-08T09:00:00Z")
    (deal,) = send("GET", "/v1/opportunities?account=a1").json()["data"]
    assert deal["record"]["stage"] == "Won"
    assert send("GET", "/v1/opportunities?account=a2").json()["data"] == []


@pytest.mark.usefixtures("crm")
def test_a_cursor_is_good_for_the_order_that_gave_it(send: Send) -> None:
    cursor = send("GET", "/v1/accounts?sort=silence&limit=8").json()["next_cursor"]
    assert send("GET", f"/v1/accounts?sort=silence&cursor={cursor}").status_code == 200
    for wrong in (
        f"sort=name&cursor={cursor}",
        "sort=touch&cursor=W10",
        "cursor=%00",
        "cursor=WyJuYW1lIiwiXHUwMDAwIiwiIl0",
    ):
        assert send("GET", f"/v1/accounts?{wrong}").status_code == 400, wrong


@pytest.mark.usefixtures("crm")
@pytest.mark.parametrize(
    "wanted", [Wanted("silence"), Wanted("touch"), Wanted("silence", owner="A@b.example")]
)
def test_a_list_walks_an_index_in_its_order_for_the_role_that_reads(tenant: int, wanted: Wanted) -> None:
    with begin("reader", tenant) as session:
        session.execute(text("set local enable_seqscan = off"))
        values = {"tenant": tenant, "kind": "account", "limit": 50, "owner": wanted.owner}
        statement = text(f"explain {listing.statement(Account, wanted, None)}")
        plan = "\n".join(session.scalars(statement, values))
    assert "Sort" not in plan, plan
    assert "Index Cond: ((tenant_id = " in plan, plan
    assert (wanted.owner is None) or "owner_email = " in plan.split("Index Cond")[1].split("\n")[0], plan


@pytest.mark.usefixtures("crm")
def test_an_owner_who_changes_takes_the_account_along(send: Send, tenant: int) -> None:
    with begin("producer", tenant) as session:
        records.upsert(session, tenant, [Account(id="a7", owner_email="ana@v.example")])
    mine = [one["record"]["id"] for one in pages(send, "/v1/accounts?sort=touch&owner=ana@v.example")]
    assert mine[0] == "a7"
