"""CloudEvents 1.0 coming in: the same mapping as `api.log.wire.cloud_event`, the other way round."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID, uuid5

import msgspec
from msgspec import Meta

from activity.errors import InvalidEvent

_IDS = UUID("b6a4b4f0-8c3f-5d67-9d5f-1f0d5cf0c9f4")  # the namespace of ids that are not UUIDs
_RequiredText = Annotated[str, Meta(min_length=1, max_length=320)]


class CloudEventIn(msgspec.Struct, kw_only=True):
    """A CloudEvent to emit; `subject` is account/..., contact/... or a record's type/id."""

    specversion: Literal["1.0"]
    id: _RequiredText
    source: _RequiredText
    type: str
    data: dict[str, Any]
    subject: str | None = None
    time: Annotated[datetime, Meta(tz=True)] | None = None
    datacontenttype: str | None = None
    authid: str | None = None
    causationid: UUID | None = None
    partitionkey: str | None = None
    data_base64: str | None = None


def fields_of(event: CloudEventIn) -> dict[str, Any]:
    """Return the fields of the Event that a CloudEvent describes. Raises InvalidEvent."""
    if event.data_base64 is not None:
        raise InvalidEvent("data_base64", "binary data is not a payload", "give a JSON object in 'data'")
    if (
        event.datacontenttype is not None
        and event.datacontenttype.partition(";")[0].strip().lower() != "application/json"
    ):
        raise InvalidEvent(
            "datacontenttype", f"{event.datacontenttype!r:.80} is not JSON", "give a JSON object in 'data'"
        )
    return {
        "type": event.type,
        "payload": event.data,
        "event_id": _id(event),
        "occurred_at": event.time,
        "actor": event.authid,
        # We write /tenants/<tenant>/<source>; the workspace comes from the credential alone.
        "source": event.source.rsplit("/", 1)[-1] if event.source.startswith("/tenants/") else event.source,
        "cause_id": event.causationid,
        **_subject(event),
    }


def _id(event: CloudEventIn) -> UUID:
    try:
        return UUID(event.id)
    except ValueError:  # CloudEvents make source and id together unique
        return uuid5(_IDS, f"{event.source}\n{event.id}")


def _subject(event: CloudEventIn) -> dict[str, str]:
    about = {} if event.partitionkey is None else {"account_id": event.partitionkey}
    kind, slash, name = (event.subject or "").partition("/")
    if not slash:
        if event.subject is not None:
            raise InvalidEvent(
                "subject",
                f"{event.subject!r:.80} names no record",
                "write account/..., contact/... or a record's type/id",
            )
        return about
    if kind in ("account", "contact"):
        return about | {f"{kind}_id": name}
    return about | {"record_type": kind, "record_id": name}
