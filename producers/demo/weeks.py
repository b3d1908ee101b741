"""What happens every week in the demo workspace: conversations, and what is automated."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from db.records.records import Account, Contact
from producers.demo.cast import CONTACTS, MEMBERS
from producers.demo.story import Story

_NOTES = [
    "Budget for next year is decided in January; finance has the last word.",
    "They compare us with an in-house tool. Strongest point: alerts within a minute.",
    "Wants references from the food sector before the pilot.",
    "Works council has to agree to driver data; send the one-page summary.",
    "New warehouse opens in spring, forty docks.",
]


def add_conversation(story: Story, account: Account, week: int) -> None:
    """Add a week of calls, meetings, notes and comments with one account."""
    day = week * 7 + story.dice.random() * 4
    contact = story.dice.choice([one for one in CONTACTS if one.account_id == account.id])
    number = f"{account.id}-{week}"
    _add_call(story, account, contact, day, number)
    if week % 3 == 0:
        _add_meeting(story, account, contact, day, number)


def _add_call(story: Story, account: Account, contact: Contact, day: float, number: str) -> None:
    add = partial(story.add, about=contact, record_id=number, actor=account.owner_email)
    call: dict[str, object] = {
        "direction": story.dice.choice(["inbound", "outbound"]),
        "contact_name": contact.name,
    }
    if story.dice.random() < 0.25:
        add(day, "call.missed", call, record_type="call")
        return
    call["duration_s"] = story.dice.randrange(60, 2400)
    call["outcome"] = story.dice.choice(["interested", "call back", "voicemail"])
    cause = add(day, "call.completed", call, record_type="call")
    note = {"text": story.dice.choice(_NOTES), "title": f"Call with {contact.name}"}
    add(day + 0.02, "note.added", note, record_type="note", cause_id=cause)


def _add_meeting(story: Story, account: Account, contact: Contact, day: float, number: str) -> None:
    add = partial(story.add, record_id=number, record_type="meeting", actor=account.owner_email)
    meeting = {"title": "Review", "contact_name": contact.name, "duration_s": 1800}
    cause = add(day + 0.5, "meeting.booked", meeting, about=contact)
    held = {**meeting, "outcome": "next steps agreed"}
    add(day + 2, "meeting.completed", held, about=contact, cause_id=cause)
    comment = {
        "text": "Good progress. Bring finance into the next one.",
        "on": f"Review with {contact.name}",
        "mentions": [account.owner_email],
    }
    add(day + 2.2, "comment.added", comment, about=account, record_type="comment", actor=MEMBERS[0].email)


def add_automation(story: Story, account: Account, week: int) -> None:
    """Add a week's signal, the enrichment it asks for, and the playbook it starts."""
    day = week * 7 + 2 + story.dice.random()
    visits, number = story.dice.randrange(3, 12), f"{account.id}-{week}"
    add = partial(story.add, about=account, record_id=number)
    cause = add(day, "signal.detected", _signal(visits), source="signals", record_type="signal")
    enriched: dict[str, Any] = {"source": "enrichment", "record_type": "enrichment_pass", "cause_id": cause}
    add(day + 0.01, "enrichment_completed", _enrichment(account, visits), **enriched)
    playbook = {"playbook": "Interest in prices", "version": 1, "account_name": account.name}
    for step, (kind, payload) in enumerate(_run(account)):
        known = {**playbook, **payload} if kind.startswith("playbook.") else payload
        run: dict[str, Any] = {"source": "playbook", "record_type": "playbook_run", "cause_id": cause}
        cause = add(day + 0.02 + step * 0.3, kind, known, **run)


def _signal(visits: int) -> dict[str, object]:
    return {
        "signal": "pricing_page_visited",
        "name": f"Visited the pricing page {visits} times in a week",
        "rule": "pricing interest",
        "rule_version": 2,
        "evidence": {"visits": visits},
    }


def _enrichment(account: Account, visits: int) -> dict[str, object]:
    employees = account.fields["employees"]
    change = {
        "field": "employees",
        "from": employees - visits,
        "to": employees,
        "provider": "registry",
        "confidence": 0.9,
        "cost": "0.04",
    }
    totals = {"changed": 1, "providers": ["registry"], "cost": "0.04", "currency": "EUR"}
    return {"name": account.name, "changes": [change], **totals}


def _run(account: Account) -> Iterator[tuple[str, dict[str, object]]]:
    title = f"Call {account.name} about prices"
    yield "playbook.started", {"trigger": "signal.detected"}
    yield "task.created", {"title": title, "assignee": account.owner_email}
    yield "playbook.step_completed", {"step": 1, "action": "create_task"}
    yield "task.completed", {"title": title, "outcome": "meeting agreed"}
    yield "playbook.completed", {"steps": 1}
