"""The sequences of the demo workspace: its mails, and what became of them."""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from db.records.records import Contact
from producers.demo.story import Story

_SUBJECTS = ("a first look", "two figures", "shall we talk?")


class _Reaction(NamedTuple):
    """What becomes of a mail whose luck, from 0 to 1, is in this range.

    It happens `days` after the mail was sent, and `days_by_luck` * luck more.
    """

    least_luck: float
    most_luck: float
    days: float
    days_by_luck: float
    kind: str
    payload: Mapping[str, object]
    ending: str | None = None  # why the sequence ends with it


_REACTIONS = (
    _Reaction(
        *(0, 0.05, 0.001, 0),
        "email.bounced",
        {"bounce_type": "soft", "status": "4.2.2", "reason": "mailbox full"},
    ),
    _Reaction(
        *(0.05, 0.35, 0.0001, 0),
        "email.opened",
        {"machine": True, "machine_rule": "opened within 10 s of the send"},
    ),
    _Reaction(0.05, 0.75, 0.1, 0.25, "email.opened", {"machine": False}),
    _Reaction(
        *(0.05, 0.25, 0.2, 1),
        "email.clicked",
        {"url": "https://vendor.example/cases", "machine": False},
    ),
    _Reaction(
        *(0.05, 0.12, 0.6, 1),
        "email.replied",
        {"excerpt": "Thank you, that is of interest. Can we speak next week?"},
        ending="the contact replied",
    ),
    _Reaction(
        *(0.97, 1, 0.4, 0), "email.unsubscribed", {"method": "link"}, ending="the contact unsubscribed"
    ),
)


def add_sequence(story: Story, contact: Contact, name: str, day: float) -> None:
    """Add an enrollment: up to three mails, each perhaps opened, clicked, answered or bounced."""
    known = {"sequence": name, "contact_name": contact.name}
    add = partial(story.add, about=contact, record_type="sequence", record_id=name)
    enrolled = {**known, "mailbox": contact.owner_email}
    cause = add(day, "sequence.enrolled", enrolled, actor=contact.owner_email)
    ending, step = None, 0
    while ending is None and step < len(_SUBJECTS):
        day += 3 + story.dice.random()
        step += 1
        ending = _add_mail(story, contact, {"sequence": name, "step": step}, day, cause)
    done = {**known, "reason": ending or "all steps done", "sent": step}
    add(day + 1, "sequence.finished", done, source="sequence", cause_id=cause)


def _add_mail(story: Story, contact: Contact, step: Mapping[str, Any], day: float, cause: UUID) -> str | None:
    """Add a mail and what became of it; return why the sequence ends with it, or None."""
    thread = f"{contact.id}-{step['sequence'].split()[0].lower()}"
    add = partial(story.add, about=contact, record_type="thread", record_id=thread)
    known = {"subject": f"{step['sequence']}: {_SUBJECTS[step['step'] - 1]}", **step}
    sent = {"from_address": contact.owner_email, "to_address": contact.email, "to_name": contact.name}
    by_sequence: dict[str, Any] = {"source": "sequence", "actor": contact.owner_email, "cause_id": cause}
    mail = add(day, "email.sent", known | sent, **by_sequence)
    luck, ending = story.dice.random(), None
    for reaction in _REACTIONS:
        if reaction.least_luck <= luck < reaction.most_luck:
            when = day + reaction.days + reaction.days_by_luck * luck
            payload = {**known, "recipient": contact.email, **_sender(reaction, contact), **reaction.payload}
            add(when, reaction.kind, payload, source="webhook:mail", cause_id=mail)
            ending = reaction.ending or ending
    return ending


def _sender(reaction: _Reaction, contact: Contact) -> dict[str, Any]:
    replied = reaction.kind == "email.replied"
    return {"from_address": contact.email, "from_name": contact.name} if replied else {}
