"""An event as clients see it: what the log holds, with its category and its summary.

The payload's text is passed on as it is.
"""

from datetime import datetime
from threading import Lock
from typing import Any
from uuid import UUID

import msgspec
from cachetools import LRUCache, cached

from activity.catalogue import CATALOGUE, summary_parts
from activity.catalogue.summary import LANGUAGES
from activity.event import RecordedEvent
from activity.fate import AS_RECORDED, Change, Classified, Fate, right_payload

OTHER = "other"  # the category of a workspace's own types


class Corrected(Change, frozen=True, kw_only=True):
    """The payload's fields that are right instead, and the summary `was` that the recorded ones made."""

    correct: msgspec.Raw
    was: str
    was_parts: list[dict[str, str]]


class EventOut(msgspec.Struct, kw_only=True):
    """An event. `payload` is what was recorded, null once it was `erased`.

    `summary` is of what is right as far as is known; `summary_parts` is it in pieces: text (t) and values
    (v). `corrected`, `retracted` and `classified` are what later events made of it, null where none did.
    `held_back`: the caller is none of the e-mail's participants, and sees that it was, when and between whom.
    """

    event_id: UUID
    seq: int
    type: str
    version: int
    category: str
    summary: str
    summary_parts: list[dict[str, str]]
    occurred_at: datetime
    recorded_at: datetime
    actor: str
    source: str
    account_id: str | None
    contact_id: str | None
    record_type: str | None
    record_id: str | None
    cause_id: UUID | None
    payload: msgspec.Raw
    corrected: Corrected | None
    retracted: Change | None
    classified: Classified | None
    erased: bool
    held_back: bool


def event_out(
    event: RecordedEvent, fate: Fate = AS_RECORDED, held_back: bool = False, locale: str = "en"
) -> EventOut:
    """Return an event for a client, with what became of it, and its summary in this language."""
    known = CATALOGUE.get(event.type)
    parts = summary_parts(event.type, event.version, right_payload(event, fate), locale)
    return EventOut(
        event_id=event.event_id,
        seq=event.seq,
        type=event.type,
        version=event.version,
        category=known.category.value if known else OTHER,
        summary=_joined(parts),
        summary_parts=parts,
        occurred_at=event.occurred_at,
        recorded_at=event.recorded_at,
        actor=event.actor,
        source=event.source,
        account_id=event.account_id,
        contact_id=event.contact_id,
        record_type=event.record_type,
        record_id=event.record_id,
        cause_id=event.cause_id,
        payload=event.payload,
        corrected=None if fate.corrected is None else _corrected(event, fate, fate.corrected, locale),
        retracted=fate.retracted,
        classified=fate.classified,
        erased=event.is_erased,
        held_back=held_back,
    )


def _corrected(event: RecordedEvent, fate: Fate, change: Change, locale: str) -> Corrected:
    parts = summary_parts(event.type, event.version, event.payload, locale)
    return Corrected(
        *msgspec.structs.astuple(change),
        correct=msgspec.Raw(fate.right or b"{}"),
        was=_joined(parts),
        was_parts=parts,
    )


def _joined(parts: list[dict[str, str]]) -> str:
    return "".join(text for part in parts for text in part.values())


_encode = msgspec.json.Encoder().encode


def _version(
    event: RecordedEvent, fate: Fate = AS_RECORDED, held_back: bool = False, locale: str = "en"
) -> tuple[int, UUID, datetime, Fate, bool, str, bool]:
    """Return what decides an event's JSON: a recorded event never changes, but it may be erased."""
    code = locale[:2].lower()
    return event.tenant_id, event.event_id, event.recorded_at, fate, held_back, code, event.is_erased


@cached(LRUCache(10_000), key=_version, lock=Lock())
def encoded(
    event: RecordedEvent, fate: Fate = AS_RECORDED, held_back: bool = False, locale: str = "en"
) -> msgspec.Raw:
    """Return the JSON of an event for a client, cached."""
    return msgspec.Raw(_encode(event_out(event, fate, held_back, locale)))


class CloudEvent(msgspec.Struct, omit_defaults=True, kw_only=True):
    """An event as CloudEvents 1.0 writes it.

    The extensions are sequence, recordedtime, authtype, authid, causationid and partitionkey; correctedby and
    retractedby, the ids of later events that did so; and heldback, where the data is what everybody may know.
    """

    specversion: str
    id: UUID
    source: str
    type: str
    subject: str
    time: datetime
    datacontenttype: str
    sequence: str
    recordedtime: datetime
    authtype: str
    authid: str | None = None
    causationid: UUID | None = None
    partitionkey: str | None = None
    correctedby: UUID | None = None
    retractedby: UUID | None = None
    heldback: bool = False
    data: msgspec.Raw | None = None


CLOUDEVENT = "application/cloudevents+json"
CLOUDEVENTS = "application/cloudevents-batch+json"


def cloud_event(event: RecordedEvent, fate: Fate = AS_RECORDED, held_back: bool = False) -> CloudEvent:
    """Return an event as a CloudEvent. `sequence` is ordered as text too."""
    system = event.actor == "system"
    return CloudEvent(
        specversion="1.0",
        id=event.event_id,
        source=f"/tenants/{event.tenant_id}/{event.source}",
        type=event.type,
        subject=_subject(event),
        time=event.occurred_at,
        datacontenttype="application/json",
        sequence=f"{event.seq:016d}",
        recordedtime=event.recorded_at,
        authtype="system" if system else "user",
        authid=None if system else event.actor,
        causationid=event.cause_id,
        partitionkey=event.account_id,
        correctedby=fate.corrected.event_id if fate.corrected else None,
        retractedby=fate.retracted.event_id if fate.retracted else None,
        heldback=held_back,
        data=None if event.is_erased else event.payload,
    )


def _subject(event: RecordedEvent) -> str:
    if event.account_id is not None:
        return f"account/{event.account_id}"
    if event.contact_id is not None:
        return f"contact/{event.contact_id}"
    return f"{event.record_type}/{event.record_id}"


def position(epoch: UUID, seq: int) -> str:
    """Return the place after an event in its log, as clients keep it."""
    return f"{epoch.hex}-{seq:016d}"


def read_position(text: str) -> tuple[UUID, int] | None:
    """Return the epoch and number of a position, or None if it is not valid."""
    epoch, _, seq = text.partition("-")
    if len(epoch) != 32 or len(seq) != 16 or not (seq.isascii() and seq.isdigit()):
        return None
    try:
        return UUID(epoch), int(seq)
    except ValueError:
        return None


class TypeOut(msgspec.Struct):
    """A built-in type of event: its names, its icon and what it is about."""

    name: str
    version: int
    title: str
    category: str
    icon: str
    tone: str
    record_type: str | None
    foldable: bool
    by_contact: bool
    schema: dict[str, Any]
    example: dict[str, Any]


def types_out(code: str = "en") -> list[TypeOut]:
    """Return the catalogue, with its titles in this language and the JSON Schema of each payload."""
    titles = LANGUAGES[code if code in LANGUAGES else "en"].titles
    return [
        TypeOut(
            name=known.name,
            version=known.version,
            title=titles.get(known.name) or known.title,
            category=known.category.value,
            icon=known.icon,
            tone=known.tone.value,
            record_type=known.record_type,
            foldable=known.foldable,
            by_contact=known.by_contact,
            schema=msgspec.json.schema(known.payload),
            example=dict(known.example),
        )
        for known in CATALOGUE.values()
    ]
