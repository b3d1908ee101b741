"""Writes the demo workspace, then lets it live: one event every few seconds."""

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from activity.event import Event
from db.engine import begin
from db.records import records
from db.records.records import Contact
from producers.demo.cast import ACCOUNT_OF, ACCOUNTS, CONTACTS, DEALS, MEMBERS
from producers.demo.history import history
from worker.emit import emit

_dice = random.Random()  # noqa: S311  # it chooses examples


def write(tenant: int, end: datetime | None = None) -> int:
    """Keep the demo's records and say its ninety days of history, ending now or at `end`, in one transaction; return how many events.

    Said again they are duplicates, and nothing is added.
    """
    with begin("producer", tenant) as session:
        for kind in (MEMBERS, ACCOUNTS, CONTACTS, DEALS):
            records.upsert(session, tenant, kind)
        return emit(session, history(tenant, end or datetime.now(UTC)))


def live(tenant: int, every: float = 4.0) -> Iterator[Event]:
    """Say one event now and one every so many seconds, for ever; yield each when it is committed."""
    while True:
        event = _something(tenant)
        with begin("producer", tenant) as session:
            emit(session, event)
        yield event
        time.sleep(every * _dice.uniform(0.5, 1.5))


def _something(tenant: int) -> Event:
    contact = _dice.choice(CONTACTS)
    kind, payload, more = _dice.choices(_happenings(contact), weights=[5, 4, 2, 2, 2, 1, 2, 1])[0]
    fields: dict[str, Any] = {
        "contact_id": contact.id,
        "source": "manual",
        "actor": contact.owner_email,
        **more,
    }
    return Event(tenant_id=tenant, type=kind, payload=payload, account_id=contact.account_id, **fields)


def _happenings(contact: Contact) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    account = ACCOUNT_OF[contact.account_id or ""]
    subject = {"subject": "Autumn update: two figures"}
    thread = {"record_type": "thread", "record_id": f"{contact.id}-autumn"}
    by_webhook = {**thread, "source": "webhook:mail", "actor": "system"}
    visits = _dice.randrange(3, 12)
    return [
        (
            "email.sent",
            {**subject, "to_address": contact.email, "to_name": contact.name},
            thread | {"source": "sequence"},
        ),
        (
            "email.opened",
            {**subject, "recipient": contact.email, "machine": _dice.random() < 0.4},
            by_webhook,
        ),
        (
            "email.clicked",
            {**subject, "recipient": contact.email, "url": "https://vendor.example/cases", "machine": False},
            by_webhook,
        ),
        (
            "email.replied",
            {
                **subject,
                "from_address": contact.email,
                "from_name": contact.name,
                "excerpt": "Let us speak next week.",
            },
            by_webhook,
        ),
        (
            "call.completed",
            {"direction": "outbound", "contact_name": contact.name, "duration_s": _dice.randrange(60, 2400)},
            {},
        ),
        ("note.added", {"text": f"{contact.name} asks for a reference from the food sector."}, {}),
        (
            "signal.detected",
            {
                "signal": "pricing_page_visited",
                "name": f"Visited the pricing page {visits} times in a week",
                "evidence": {"visits": visits},
            },
            {"contact_id": None, "source": "signals", "actor": "system"},
        ),
        (
            "enrichment_completed",
            {"name": account.name, "changed": 1, "providers": ["registry"]},
            {"contact_id": None, "source": "enrichment", "actor": "system"},
        ),
    ]
