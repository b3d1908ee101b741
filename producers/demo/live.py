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

_Example = tuple[str, dict[str, Any], dict[str, Any]]  # type, payload, other fields

_dice = random.Random()  # noqa: S311  # it chooses examples


def write(tenant: int, end: datetime | None = None) -> int:
    """Save the demo's records and emit its history up to now or `end`; return how many events.

    All in one transaction. Emitted again they are duplicates, and nothing is added.
    """
    with begin("producer", tenant) as session:
        for kind in (MEMBERS, ACCOUNTS, CONTACTS, DEALS):
            records.upsert(session, tenant, kind)
        return emit(session, history(tenant, end or datetime.now(UTC)))


def live(tenant: int, every: float = 4.0) -> Iterator[Event]:
    """Emit one event now and one about every `every` seconds, forever; yield each once it is committed."""
    while True:
        event = _something(tenant)
        with begin("producer", tenant) as session:
            emit(session, event)
        yield event
        time.sleep(every * _dice.uniform(0.5, 1.5))


def _something(tenant: int) -> Event:
    contact = _dice.choice(CONTACTS)
    examples = [*_mail(contact), *_by_hand(contact), *_about_account(contact)]
    kind, payload, more = _dice.choices(examples, weights=[5, 4, 2, 2, 2, 1, 2, 1])[0]
    fields = {"contact_id": contact.id, "source": "manual", "actor": contact.owner_email, **more}
    return Event(tenant_id=tenant, type=kind, payload=payload, account_id=contact.account_id, **fields)


def _mail(contact: Contact) -> Iterator[_Example]:
    thread = {"record_type": "thread", "record_id": f"{contact.id}-autumn"}
    by_webhook = {**thread, "source": "webhook:mail", "actor": "system"}
    subject = {"subject": "Autumn update: two figures"}
    about = {**subject, "recipient": contact.email}
    sent = {**subject, "to_address": contact.email, "to_name": contact.name}
    sender = {"from_address": contact.email, "from_name": contact.name}
    yield "email.sent", sent, {**thread, "source": "sequence"}
    yield "email.opened", {**about, "machine": _dice.random() < 0.4}, by_webhook
    yield "email.clicked", {**about, "url": "https://vendor.example/cases", "machine": False}, by_webhook
    yield "email.replied", {**subject, **sender, "excerpt": "Let us speak next week."}, by_webhook


def _by_hand(contact: Contact) -> Iterator[_Example]:
    call = {"direction": "outbound", "contact_name": contact.name, "duration_s": _dice.randrange(60, 2400)}
    yield "call.completed", call, {}
    yield "note.added", {"text": f"{contact.name} asks for a reference from the food sector."}, {}


def _about_account(contact: Contact) -> Iterator[_Example]:
    visits, account = _dice.randrange(3, 12), ACCOUNT_OF[contact.account_id or ""]
    by_system = {"contact_id": None, "actor": "system"}
    signal = {"signal": "pricing_page_visited", "name": f"Visited the pricing page {visits} times in a week"}
    yield "signal.detected", {**signal, "evidence": {"visits": visits}}, {**by_system, "source": "signals"}
    enriched = {"name": account.name, "changed": 1, "providers": ["registry"]}
    yield "enrichment_completed", enriched, {**by_system, "source": "enrichment"}
