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
from activity.event import RecordedEvent

OTHER = "other"  # the category of a workspace's own types


class EventOut(msgspec.Struct, kw_only=True):
    """An event. `payload` is null once it was erased.

    `summary_parts` is the summary in pieces: text (t) and values (v).
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


def event_out(event: RecordedEvent, locale: str = "en") -> EventOut:
    """Return an event for a client, with its summary in this language."""
    known = CATALOGUE.get(event.type)
    parts = summary_parts(event.type, event.version, event.payload, locale)
    return EventOut(
        event_id=event.event_id,
        seq=event.seq,
        type=event.type,
        version=event.version,
        category=known.category.value if known else OTHER,
        summary="".join(text for part in parts for text in part.values()),
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
    )


_encode = msgspec.json.Encoder().encode


def _version(event: RecordedEvent, locale: str = "en") -> tuple[int, UUID, datetime, str, bool]:
    """Return what decides an event's JSON: all that ever changes of a recorded event is that it is erased."""
    erased = bytes(event.payload) == b"null"
    return event.tenant_id, event.event_id, event.recorded_at, locale[:2].lower(), erased


@cached(LRUCache(10_000), key=_version, lock=Lock())
def encoded(event: RecordedEvent, locale: str = "en") -> msgspec.Raw:
    """Return the JSON of an event for a client, cached."""
    return msgspec.Raw(_encode(event_out(event, locale)))


class CloudEvent(msgspec.Struct, omit_defaults=True, kw_only=True):
    """An event as CloudEvents 1.0 writes it.

    The extensions are sequence, recordedtime, authtype, authid, causationid and partitionkey.
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
    data: msgspec.Raw | None = None


CLOUDEVENT = "application/cloudevents+json"
CLOUDEVENTS = "application/cloudevents-batch+json"


def cloud_event(event: RecordedEvent) -> CloudEvent:
    """Return an event as a CloudEvent. `sequence` is ordered as text too."""
    system = event.actor == "system"
    erased = bytes(event.payload) == b"null"
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
        data=None if erased else event.payload,
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


def types_out() -> list[TypeOut]:
    """Return the catalogue, with the JSON Schema of each payload."""
    return [
        TypeOut(
            name=known.name,
            version=known.version,
            title=known.title,
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
