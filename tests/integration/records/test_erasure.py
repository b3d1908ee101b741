"""What erasing promises of people who are no contacts, and of what arrives later."""

import json
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql

from activity.event import Event
from db.engine import begin
from db.records import records
from db.records.records import Contact
from feed.verify import verify
from producers.mail import report
from producers.mail.event import MailEvent
from tests.command import activity
from worker.append import append_batch
from worker.emit import emit

Admin = psycopg.Connection[Any]
ADDRESS, NAME = "ottilie@else.example", "Ottilie Wunderlich"
ASKED = ("--actor", "dpo@example.com", "--yes", "--tenant")


@pytest.fixture(autouse=True)
def appending(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits is appended whenever the command sleeps: there is no worker here."""
    monkeypatch.setattr("producers.log.appended.time.sleep", lambda seconds: append_batch(100))


def arrives(tenant: int, kind: Any, to: str = ADDRESS, **more: Any) -> UUID:
    """A report or a mail of somebody comes in."""
    id_ = uuid4()
    event = MailEvent(kind=kind, name=kind, identity=str(id_), recipient=to, message_id=str(id_), **more)
    with begin("producer", tenant) as session:
        report.record(session, tenant, "inbound", [(id_, event)])
    while append_batch(100):
        pass
    return id_


def left_of(admin: Admin, *names: str) -> list[str]:
    """The tables in which one of the names is found."""
    found = admin.execute(
        "select schemaname, tablename from pg_tables where schemaname in ('activity', 'crm', 'playbook')"
    ).fetchall()
    rows = {
        name: str(admin.execute(sql.SQL("select t::text from {} t").format(sql.Identifier(*name))).fetchall())
        for name in found
    }
    return [name[1] for name, text in rows.items() if any(one.lower() in text.lower() for one in names)]


def test_who_only_wrote_is_erased_by_address_and_nothing_is_left_of_them(tenant: int, admin: Admin) -> None:
    said = {"from_address": ADDRESS, "from_name": NAME, "excerpt": f"I am {NAME}"}
    arrives(tenant, "received", ADDRESS.title(), subject=f"From {NAME}", extra=said)
    arrives(tenant, "bounced", bounce_type="hard", reason=f"550 <{ADDRESS}> unknown")
    arrives(tenant, "delivered", "li@acme.example")
    refused = json.dumps({"tenant_id": tenant, "payload": {"to": ADDRESS.title()}, "bad": 1})
    admin.execute(
        "insert into activity.rejected (tenant_id, doc, reason) values (%s, %s, 'x')", (tenant, refused)
    )
    assert left_of(admin, ADDRESS, NAME)
    assert "2 events lost" in activity("erase", "--address", f" {ADDRESS.upper()}", *ASKED, tenant)
    assert left_of(admin, ADDRESS, NAME) == []
    assert left_of(admin, "li@acme.example")
    assert verify(tenant).faults == []
    subjects = admin.execute(
        "select distinct record_type, left(record_id, 7) from activity.event where source = 'erasure'"
    ).fetchall()
    assert subjects == [("address", "erased:")]
    assert admin.execute("select count(*) from crm.contact where email ilike %s", (ADDRESS,)).fetchone() == (
        0,
    )


@pytest.mark.parametrize("kind", ["delivered", "opened", "bounced", "complained", "unsubscribed", "received"])
def test_what_is_reported_of_an_erased_person_later_is_recorded_without_them(
    tenant: int, admin: Admin, kind: str
) -> None:
    with begin("producer", tenant) as session:
        records.upsert(session, tenant, [Contact(id="tilly", name=NAME, email=ADDRESS)])
    activity("erase", "tilly", *ASKED, tenant)
    words = f"{NAME} <{ADDRESS}>"
    more = {"extra": {"from_address": ADDRESS, "from_name": NAME}} if kind == "received" else {}
    arrives(tenant, kind, ADDRESS.title(), subject=words, reason=words, metadata={"who": words}, **more)
    assert left_of(admin, ADDRESS, NAME) == []
    kinds = admin.execute("select type from activity.event where source = 'webhook:inbound'").fetchall()
    assert len(kinds) == 1
    assert "0 events" in activity("erase", "tilly", *ASKED, tenant)


def test_who_becomes_a_contact_again_is_one(tenant: int, admin: Admin) -> None:
    activity("erase", "--address", ADDRESS, *ASKED, tenant)
    with begin("producer", tenant) as session:
        records.upsert(session, tenant, [Contact(id="tilly", name=NAME, email=ADDRESS)])
    arrives(tenant, "delivered")
    query = "select payload ->> 'recipient' from activity.event where contact_id = 'tilly'"
    assert admin.execute(query).fetchall() == [(ADDRESS,)]


def test_what_is_about_a_contact_as_a_record_is_erased_too(tenant: int, admin: Admin) -> None:
    note = Event(
        tenant_id=tenant,
        type="note.added",
        source="manual",
        payload={"text": NAME},
        record_type="contact",
        record_id="tilly",
    )
    with begin("producer", tenant) as session:
        records.upsert(session, tenant, [Contact(id="tilly")])
        emit(session, note)
    assert "1 events lost" in activity("erase", "tilly", *ASKED, tenant)
    assert left_of(admin, NAME) == []


def test_an_erasure_that_names_nobody_who_erases_or_nobody_to_erase_is_refused(
    tenant: int, environment: dict[str, str]
) -> None:
    for actor, contact, hash_ in (
        ("", "c", None),
        ("dpo", "c", None),
        ("a@b", None, None),
        ("a@b", "c", "h"),
    ):
        with begin("eraser") as session, pytest.raises(Exception, match="names who erases"):
            session.connection().exec_driver_sql(
                "select activity.erase(%s, %s, gen_random_uuid(), %s, 'x', null, %s)",
                (tenant, contact, actor, hash_),
            )
    assert "either a contact" in activity("erase", *ASKED, tenant, code=2)
