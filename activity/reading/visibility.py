"""Who may read what an e-mail says, and what everybody may know of it. One rule, beneath every reader.

That there was a mail, when and between whom, is for all of a workspace. What it says is for all too, or for
its participants and their managers. What quotes a mail, and names it as its cause, is read as the mail is.
"""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import msgspec

from activity.address import canonical
from activity.catalogue import CATALOGUE
from activity.catalogue.types.email import Email, EmailSent
from activity.event import RecordedEvent
from activity.event_type import Audience
from activity.fate import Fate, right_fields


class Chained(NamedTuple):
    """An event, and what became of it."""

    event: RecordedEvent
    fate: Fate


class Viewer(NamedTuple):
    """Who reads: the addresses of all whose mails are theirs to read; None for who reads every mail."""

    people: frozenset[str] | None

    def may_read(self, readers: frozenset[str] | None) -> bool:
        """Return whether this is one of an event's readers."""
        return readers is None or self.people is None or not readers.isdisjoint(self.people)


EVERYTHING = Viewer(None)

_MAIL = frozenset(name for name, known in CATALOGUE.items() if issubclass(known.payload, (Email, EmailSent)))
# Built-in types with words of their own, which can be a mail's where a mail made them happen.
_QUOTING = frozenset(
    {
        *("comment.added", "event.corrected", "note.added", "signal.detected"),
        *(name for name in CATALOGUE if name.startswith(("task.", "playbook."))),
    }
)
_PEOPLE = (
    *("from_address", "to_address", "recipient", "to", "cc", "bcc", "mailbox"),
    *("assignee", "from_assignee", "mentions"),
)
_FACTS = frozenset(
    {"from_address", "from_name", "to_address", "to_name", "recipient", "machine", "bounce_type"}
    | {"event_id", "event_type", "retracted", "playbook"}
)


def is_mail(event: RecordedEvent) -> bool:
    """Return whether this tells of an e-mail."""
    return event.type in _MAIL


def quotes(event: RecordedEvent) -> bool:
    """Return whether this can hold words of what caused it. Of a workspace's own types nobody knows."""
    return is_mail(event) or event.type in _QUOTING or event.type not in CATALOGUE


def cause_of(event: RecordedEvent) -> UUID | None:
    """Return the event that this one can quote: its cause, or what it is a comment on."""
    if event.cause_id is not None or event.type != "comment.added":
        return event.cause_id
    try:
        return UUID(str(event.fields().get("event_id")))
    except ValueError:
        return None


def may_be_private(event: RecordedEvent, policy: Audience) -> bool:
    """Return whether more than this event alone decides who reads it."""
    if is_mail(event) and (policy is Audience.PARTICIPANTS or b'"contents"' in bytes(event.payload)):
        return True
    return quotes(event) and cause_of(event) is not None


def changes_readers(event: RecordedEvent) -> bool:
    """Return whether others may read earlier events, or not any more, since this one."""
    if event.type == "event.corrected":
        corrected, about = event.fields().get("correct"), event.fields().get("event_type")
        return (isinstance(corrected, dict) and "contents" in corrected) or about == "event.corrected"
    return event.type == "privacy.contents_changed"


def readers(chain: Sequence[Chained], policy: Audience) -> frozenset[str] | None:
    """Return the addresses of who may read an event; None where everybody may.

    `chain`: the event, what caused it, and so on, the nearest first. The nearest mail that says for whom it
    is decides; where none does, the workspace's policy.
    """
    event = chain[0].event
    mails = [one for one in chain if is_mail(one.event)]
    if event.is_erased or not mails or not quotes(event):
        return None
    if _contents(mails, policy) is Audience.EVERYONE:
        return None
    return frozenset(address for one in (chain[0], *mails) for address in _participants(one))


def fact(event: RecordedEvent, fate: Fate) -> Chained:
    """Return what everybody may know of a private event: that it was, when, and between whom."""
    known = {name: value for name, value in right_fields(event, fate).items() if name in _FACTS}
    retracted = fate.retracted and msgspec.structs.replace(fate.retracted, reason=None)
    payload = msgspec.Raw(msgspec.json.encode(known, order="sorted"))
    return Chained(
        msgspec.structs.replace(event, payload=payload),
        Fate(retracted=retracted, classified=fate.classified),
    )


def _contents(mails: Sequence[Chained], policy: Audience) -> Audience:
    for one in mails:
        if one.event.is_erased:
            return Audience.PARTICIPANTS  # what it said of itself is gone, and what quotes it may be left
        own = right_fields(*one).get("contents")
        if own in tuple(Audience):
            return Audience(own)
    return policy


def _participants(one: Chained) -> list[str]:
    fields = right_fields(*one)
    named = [fields.get(name) for name in _PEOPLE]
    flat = [address for value in named for address in (value if isinstance(value, list) else [value])]
    return [canonical(address) for address in (*flat, one.event.actor) if isinstance(address, str)]
