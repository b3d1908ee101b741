"""Ninety days of the demo workspace: the same events, with the same ids, however often they are made."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from itertools import pairwise

from activity.event import Event
from db.records.records import Account, Contact, Opportunity
from producers.demo.cast import ACCOUNT_OF, ACCOUNTS, CONTACTS, DEALS, GROUP, LOGISTICS
from producers.demo.mail import add_sequence
from producers.demo.story import Story
from producers.demo.weeks import add_automation, add_conversation

_STAGES = ["Discovery", "Proposal", "Negotiation", "Won"]


def history(tenant: int, end: datetime) -> list[Event]:
    """Return the ninety days that end at `end`, in the order in which they happened."""
    story = Story(tenant, end)
    _add_records(story)
    for contact, first_day in zip(CONTACTS, range(6, 30, 2), strict=True):
        add_sequence(story, contact, "Introduction", first_day)
        add_sequence(story, contact, "Autumn update", first_day + 45)
    for deal, first_day in zip(DEALS, (12, 8, 15, 20, 60), strict=True):
        _add_deal(story, deal, first_day)
    for week in range(1, 13):
        for account in ACCOUNTS:
            add_conversation(story, account, week)
        add_automation(story, ACCOUNTS[week % 3], week)
    return sorted(story.events, key=lambda event: event.occurred_at)


def _add_records(story: Story) -> None:
    for number, account in enumerate(ACCOUNTS):
        added = {"name": account.name, "domain": account.domain}
        if account.parent_id:
            added["parent_name"] = ACCOUNT_OF[account.parent_id].name
        _add_change(story, number * 0.1, "account.added", added, account)
    for number, contact in enumerate(CONTACTS):
        named = {"name": contact.name, "email": contact.email, "title": contact.fields["title"]}
        added = {**named, "account_name": _account(contact).name}
        _add_change(story, 1 + number * 0.2, "contact.added", added, contact)
    moved = {"name": LOGISTICS.name, "to_parent": GROUP.name, "to_parent_id": GROUP.id}
    _add_change(story, 4, "account.parent_changed", moved, LOGISTICS, actor=GROUP.owner_email)


def _add_change(
    story: Story,
    day: float,
    kind: str,
    payload: Mapping[str, object],
    of: Account | Contact,
    actor: str | None = None,
) -> None:
    """Add an event that links to the record that it changed, by the record's owner or `actor`."""
    record = "account" if isinstance(of, Account) else "contact"
    by = actor or of.owner_email
    story.add(day, kind, payload, about=of, record_type=record, record_id=of.id, actor=by)


def _account(about: Contact | Opportunity) -> Account:
    return ACCOUNT_OF[about.account_id or ""]


def _add_deal(story: Story, deal: Opportunity, day: float) -> None:
    add = partial(story.add, about=deal, actor=deal.owner_email)
    named = {"name": deal.name, "account_name": _account(deal).name}
    known = {**named, "amount": str(deal.amount), "currency": deal.currency}
    cause = add(day, "deal.added", known | {"stage": _STAGES[0]})
    last = deal.stage if deal.stage in _STAGES else "Won"
    for before, after in pairwise(_STAGES):
        day += 9 + 6 * story.dice.random()
        if after == "Won":
            won = deal.stage == "Won"
            reason = "shorter rollout" if won else "no budget this year"
            ended = {**known, "from_stage": before, "reason": reason}
            add(day, "deal.won" if won else "deal.lost", ended, cause_id=cause)
            return
        moved = {**known, "from_stage": before, "to_stage": after}
        cause = add(day, "deal.stage_changed", moved, cause_id=cause)
        if after == last:
            return
