"""Emitting rejected events again, once the cause is mended."""

from typing import NamedTuple
from uuid import NAMESPACE_OID

import msgspec

from activity.errors import InvalidEvent
from activity.event import Event, system_id
from activity.validation import decode, encode
from db.engine import begin
from db.log.reading import by_seq
from db.log.rejected import Rejected
from worker.emit import emit


class Replayed(NamedTuple):
    """What a replay did, in words, and whether the event is now in the log or in the outbox."""

    text: str
    accepted: bool


def replay(rejected: Rejected, *, dry_run: bool = False) -> Replayed:
    """Emit the event of a rejected document, unless the log already has it."""
    try:
        event = _event(rejected)
    except InvalidEvent as error:
        return Replayed(f"cannot be emitted as it is: {error}", False)
    with begin("reader", event.tenant_id) as session:
        stored = by_seq.stored(session, event.tenant_id, [event.event_id]).get(event.event_id)
    if stored is not None:
        conflict = rejected.reason.startswith("conflict")
        other = ", with another body" if conflict else ""
        return Replayed(f"the log has {event.event_id} as seq {stored.seq}{other}", not conflict)
    if not dry_run:
        with begin("producer", event.tenant_id) as session:
            emit(session, event)
    return Replayed(f"{'would be ' if dry_run else ''}emitted: {event.type} {event.event_id}", True)


def _event(rejected: Rejected) -> Event:
    """Return a document's event. One without an id gets a fixed one: every replay of it is the same event."""
    try:
        document = msgspec.json.decode(rejected.doc)
    except msgspec.DecodeError as error:
        raise InvalidEvent("doc", f"not JSON: {error}", "emit the event anew with `activity emit`") from None
    if not isinstance(document, dict):
        raise InvalidEvent("doc", "not a JSON object", "emit the event anew with `activity emit`")
    event = decode({"event_id": str(system_id(NAMESPACE_OID, f"rejected/{rejected.id}")), **document})
    encode(event)
    return event
