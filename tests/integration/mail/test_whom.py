"""Whom a report is about: the contact, however its address is written, and nobody where it does not say."""

from typing import Any

import msgspec
import psycopg
import pytest

from db.engine import begin
from db.mail import suppression
from db.records import records
from producers.mail import report
from producers.mail.webhooks.providers import resend, ses
from producers.mail.webhooks.request import Request
from worker.append import append_batch


def contact(tenant: int, id_: str, address: str) -> None:
    with begin("producer", tenant) as session:
        records.upsert(session, tenant, [records.Contact(id=id_, email=address)])


def take(tenant: int, provider: Any, body: Any) -> None:
    name = provider.__name__.rpartition(".")[2]
    events = provider.parse(Request({}, msgspec.json.encode(body)))
    with begin("producer", tenant) as session:
        report.record(session, tenant, name, [(report.event_id(name, event), event) for event in events])


def blocked(tenant: int, *addresses: str) -> list[str]:
    with begin("producer", tenant) as session:
        return [one for one in addresses if suppression.check(session, tenant, one).reasons]


@pytest.mark.parametrize(
    ("known", "named"),
    [
        ("info@münchen.example", "info@xn--mnchen-3ya.example"),
        ("Info@XN--mnchen-3ya.example", "info@münchen.example"),
        ("jo@acme.example", "Jo Park <JO@acme.example>"),
        ("jo@acme.example", '"Park, Jo" <jo@acme.example>'),
    ],
)
def test_a_complaint_reaches_its_contact(
    admin: psycopg.Connection[Any], tenant: int, known: str, named: str
) -> None:
    contact(tenant, "jo", known)
    take(tenant, resend, {"type": "email.complained", "data": {"email_id": "1", "to": [named]}})
    append_batch(1000)
    found = admin.execute("select contact_id from activity.event where type = 'email.complained'").fetchone()
    assert found == ("jo",)
    assert blocked(tenant, known) == [known]


@pytest.mark.parametrize("kind", ["bounced", "complained", "unsubscribed", "suppressed"])
def test_a_report_that_does_not_say_whom_of_several_blocks_nobody(tenant: int, kind: str) -> None:
    people = ["jo@acme.example", "Kim <kim@acme.example>"]
    data = {"email_id": "1", "to": people, "bounce": {"type": "Permanent", "message": "550 5.1.1 unknown"}}
    take(tenant, resend, {"type": f"email.{kind}", "data": data})
    assert blocked(tenant, "jo@acme.example", "kim@acme.example") == []


def test_what_one_of_several_opened_is_nobodys() -> None:
    body = {"eventType": "Open", "mail": {"messageId": "1", "destination": ["a@b.example", "c@d.example"]}}
    assert [one.recipient for one in ses.parse(Request({}, msgspec.json.encode(body)))] == [None]
