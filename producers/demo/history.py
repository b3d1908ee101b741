"""Ninety days of the demo workspace: the same events, with the same ids, whenever they are told."""

import random
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid5

from activity.event import Event
from db.records.records import Account, Contact, Opportunity
from producers.demo.cast import ACCOUNT_OF, ACCOUNTS, CONTACTS, DEALS, GROUP, LOGISTICS, MEMBERS

DAYS = 90
_NAMESPACE = UUID("3f2c7f0a-61d5-5b0e-8d7e-6b0b1e6d9a10")  # of the ids of all demo events
_STAGES = ["Discovery", "Proposal", "Negotiation", "Won"]


class Teller:
    """Collects the events of a workspace; each gets its id from the order in which they are told."""

    def __init__(self, tenant: int, end: datetime) -> None:
        self.events: list[Event] = []
        self.dice = random.Random(90)  # noqa: S311  # the same throws each time are the point
        self._tenant = tenant
        self._start = end - timedelta(days=DAYS)

    def say(
        self,
        day: float,
        kind: str,
        about: Account | Contact | Opportunity,
        payload: Mapping[str, Any],
        **more: Any,
    ) -> UUID:
        """Tell an event on a day of the ninety; return its id, so that others can name it as their cause."""
        event_id = uuid5(_NAMESPACE, f"{kind} {len(self.events)}")
        record = (
            {"record_type": "opportunity", "record_id": about.id} if isinstance(about, Opportunity) else {}
        )
        said: dict[str, Any] = {"source": "manual", "actor": "system", **record, **more}
        self.events.append(
            Event(
                tenant_id=self._tenant,
                event_id=event_id,
                type=kind,
                payload=dict(payload),
                occurred_at=self._start + timedelta(days=min(day, DAYS)),
                account_id=about.id if isinstance(about, Account) else about.account_id,
                contact_id=about.id if isinstance(about, Contact) else None,
                **said,
            )
        )
        return event_id


def history(tenant: int, end: datetime) -> list[Event]:
    """Return the ninety days that end at `end`, in the order in which they happened."""
    teller = Teller(tenant, end)
    _records(teller)
    for contact, first_day in zip(CONTACTS, range(6, 30, 2), strict=True):
        _sequence(teller, contact, "Introduction", first_day)
        _sequence(teller, contact, "Autumn update", first_day + 45)
    for deal, first_day in zip(DEALS, (12, 8, 15, 20, 60), strict=True):
        _deal(teller, deal, first_day)
    for week in range(1, 13):
        for account in ACCOUNTS:
            _conversation(teller, account, week)
        _automation(teller, ACCOUNTS[week % 3], week)
    return sorted(teller.events, key=lambda event: event.occurred_at)


def _records(teller: Teller) -> None:
    for number, account in enumerate(ACCOUNTS):
        parent = ACCOUNT_OF.get(account.parent_id or "")
        named = {"name": account.name, "domain": account.domain} | (
            {"parent_name": parent.name} if parent else {}
        )
        teller.say(
            number * 0.1,
            "account.added",
            account,
            named,
            record_type="account",
            record_id=account.id,
            actor=account.owner_email,
        )
    for number, contact in enumerate(CONTACTS):
        added = {
            "name": contact.name,
            "email": contact.email,
            "title": contact.fields["title"],
            "account_name": _account(contact).name,
        }
        teller.say(
            1 + number * 0.2,
            "contact.added",
            contact,
            added,
            record_type="contact",
            record_id=contact.id,
            actor=contact.owner_email,
        )
    moved = {"name": LOGISTICS.name, "to_parent": GROUP.name, "to_parent_id": GROUP.id}
    teller.say(
        4,
        "account.parent_changed",
        LOGISTICS,
        moved,
        record_type="account",
        record_id=LOGISTICS.id,
        actor=GROUP.owner_email,
    )


def _account(about: Contact | Opportunity) -> Account:
    return ACCOUNT_OF[about.account_id or ""]


def _sequence(teller: Teller, contact: Contact, name: str, day: float) -> None:
    """An enrolment: up to three e-mails, each perhaps opened, clicked, answered, bounced."""
    record = {"record_type": "thread", "record_id": f"{contact.id}-{name.split()[0].lower()}"}
    enrolled = {"sequence": name, "contact_name": contact.name, "mailbox": contact.owner_email}
    cause = teller.say(
        day,
        "sequence.enrolled",
        contact,
        enrolled,
        record_type="sequence",
        record_id=name,
        actor=contact.owner_email,
    )
    reason, sent = "all steps done", 0
    for step in range(1, 4):
        day += 3 + teller.dice.random()
        sent = step
        ending = _mail(teller, contact, {"sequence": name, "step": step}, day, record, cause)
        if ending is not None:
            reason = ending
            break
    done = {"sequence": name, "contact_name": contact.name, "reason": reason, "sent": sent}
    teller.say(
        day + 1,
        "sequence.finished",
        contact,
        done,
        record_type="sequence",
        record_id=name,
        source="sequence",
        cause_id=cause,
    )


def _mail(
    teller: Teller, contact: Contact, step: Mapping[str, Any], day: float, record: dict[str, str], cause: UUID
) -> str | None:
    """One e-mail and what came of it; return why the sequence ends with it, or None."""
    subject = f"{step['sequence']}: {('a first look', 'two figures', 'shall we talk?')[step['step'] - 1]}"
    sent = {
        "subject": subject,
        "from_address": contact.owner_email,
        "to_address": contact.email,
        "to_name": contact.name,
        **step,
    }
    mail = teller.say(
        day,
        "email.sent",
        contact,
        sent,
        **record,
        source="sequence",
        actor=contact.owner_email,
        cause_id=cause,
    )
    known: dict[str, Any] = {"subject": subject, "recipient": contact.email, **step}
    told: dict[str, Any] = {**record, "source": "webhook:mail", "cause_id": mail}
    luck = teller.dice.random()
    if luck < 0.05:
        teller.say(
            day + 0.001,
            "email.bounced",
            contact,
            known | {"bounce_type": "soft", "status": "4.2.2", "reason": "mailbox full"},
            **told,
        )
        return None
    if luck < 0.35:
        teller.say(
            day + 0.0001,
            "email.opened",
            contact,
            known | {"machine": True, "machine_rule": "opened within 10 s of the send"},
            **told,
        )
    if luck < 0.75:
        teller.say(day + 0.1 + luck / 4, "email.opened", contact, known | {"machine": False}, **told)
    if luck < 0.25:
        teller.say(
            day + 0.2 + luck,
            "email.clicked",
            contact,
            known | {"url": "https://vendor.example/cases", "machine": False},
            **told,
        )
    if luck < 0.12:
        answer = {
            "from_address": contact.email,
            "from_name": contact.name,
            "excerpt": "Thank you, that is of interest. Can we speak next week?",
        }
        teller.say(day + 0.6 + luck, "email.replied", contact, known | answer, **told)
        return "the contact replied"
    if luck > 0.97:
        teller.say(day + 0.4, "email.unsubscribed", contact, known | {"method": "link"}, **told)
        return "the contact unsubscribed"
    return None


def _deal(teller: Teller, deal: Opportunity, day: float) -> None:
    known = {
        "name": deal.name,
        "account_name": _account(deal).name,
        "amount": str(deal.amount),
        "currency": deal.currency,
    }
    by = {"actor": deal.owner_email}
    cause = teller.say(day, "deal.added", deal, known | {"stage": _STAGES[0]}, **by)
    last = deal.stage if deal.stage in _STAGES else "Won"
    for before, after in pairwise(_STAGES):
        day += 9 + 6 * teller.dice.random()
        if after == "Won":
            kind, more = (
                ("deal.won", {"reason": "shorter rollout"})
                if deal.stage == "Won"
                else ("deal.lost", {"reason": "no budget this year"})
            )
            teller.say(day, kind, deal, known | {"from_stage": before} | more, **by, cause_id=cause)
            return
        cause = teller.say(
            day,
            "deal.stage_changed",
            deal,
            known | {"from_stage": before, "to_stage": after},
            **by,
            cause_id=cause,
        )
        if after == last:
            return


_NOTES = [
    "Budget for next year is decided in January; finance has the last word.",
    "They compare us with an in-house tool. Strongest point: alerts within a minute.",
    "Wants references from the food sector before the pilot.",
    "Works council has to agree to driver data; send the one-page summary.",
    "New warehouse opens in spring, forty docks.",
]


def _conversation(teller: Teller, account: Account, week: int) -> None:
    """A week of calls, meetings, notes and comments with one account."""
    day = week * 7 + teller.dice.random() * 4
    contact = teller.dice.choice([one for one in CONTACTS if one.account_id == account.id])
    by: dict[str, Any] = {"actor": account.owner_email}
    number = f"{account.id}-{week}"
    call = {"direction": teller.dice.choice(["inbound", "outbound"]), "contact_name": contact.name}
    if teller.dice.random() < 0.25:
        teller.say(day, "call.missed", contact, call, record_type="call", record_id=number, **by)
    else:
        taken = {
            "duration_s": teller.dice.randrange(60, 2400),
            "outcome": teller.dice.choice(["interested", "call back", "voicemail"]),
        }
        cause = teller.say(
            day, "call.completed", contact, call | taken, record_type="call", record_id=number, **by
        )
        note = {"text": teller.dice.choice(_NOTES), "title": f"Call with {contact.name}"}
        teller.say(
            day + 0.02,
            "note.added",
            contact,
            note,
            record_type="note",
            record_id=number,
            cause_id=cause,
            **by,
        )
    if week % 3 == 0:
        meeting = {"title": "Review", "contact_name": contact.name, "duration_s": 1800}
        cause = teller.say(
            day + 0.5, "meeting.booked", contact, meeting, record_type="meeting", record_id=number, **by
        )
        teller.say(
            day + 2,
            "meeting.completed",
            contact,
            meeting | {"outcome": "next steps agreed"},
            record_type="meeting",
            record_id=number,
            cause_id=cause,
            **by,
        )
        manager = MEMBERS[0].email
        comment = {
            "text": "Good progress. Bring finance into the next one.",
            "on": f"Review with {contact.name}",
            "mentions": [account.owner_email],
        }
        teller.say(
            day + 2.2,
            "comment.added",
            account,
            comment,
            record_type="comment",
            record_id=number,
            actor=manager,
        )


def _automation(teller: Teller, account: Account, week: int) -> None:
    """A week's signal, the enrichment it asks for, and the playbook it starts."""
    day = week * 7 + 2 + teller.dice.random()
    visits, number = teller.dice.randrange(3, 12), f"{account.id}-{week}"
    signal = {
        "signal": "pricing_page_visited",
        "name": f"Visited the pricing page {visits} times in a week",
        "rule": "pricing interest",
        "rule_version": 2,
    }
    found = teller.say(
        day,
        "signal.detected",
        account,
        signal | {"evidence": {"visits": visits}},
        source="signals",
        record_type="signal",
        record_id=number,
    )
    employees = account.fields["employees"]
    change = {
        "field": "employees",
        "from": employees - visits,
        "to": employees,
        "provider": "registry",
        "confidence": 0.9,
        "cost": "0.04",
    }
    enriched = {
        "name": account.name,
        "changed": 1,
        "changes": [change],
        "providers": ["registry"],
        "cost": "0.04",
        "currency": "EUR",
    }
    told: dict[str, Any] = {
        "source": "enrichment",
        "record_type": "enrichment_pass",
        "record_id": number,
        "cause_id": found,
    }
    teller.say(day + 0.01, "enrichment_completed", account, enriched, **told)
    for step, (kind, more) in enumerate(_run(account)):
        known = (
            {"playbook": "Interest in prices", "version": 1, "account_name": account.name, **more}
            if kind.startswith("playbook.")
            else more
        )
        run = {"source": "playbook", "record_type": "playbook_run", "record_id": number, "cause_id": found}
        found = teller.say(day + 0.02 + step * 0.3, kind, account, known, **run)


def _run(account: Account) -> Iterator[tuple[str, dict[str, Any]]]:
    title = f"Call {account.name} about prices"
    yield "playbook.started", {"trigger": "signal.detected"}
    yield "task.created", {"title": title, "assignee": account.owner_email}
    yield "playbook.step_completed", {"step": 1, "action": "create_task"}
    yield "task.completed", {"title": title, "outcome": "meeting agreed"}
    yield "playbook.completed", {"steps": 1}
