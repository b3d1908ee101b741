"""An event as a terminal and a script see it: as it was recorded, with what became of it."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import msgspec
from sqlalchemy.orm import Session

from activity.catalogue import CATALOGUE, summarise
from activity.event import RecordedEvent
from activity.fate import AS_RECORDED, Change, Classified, Fate, right_payload
from db.log.reading import fates

_BY = {True: "by a machine", False: "by a person", None: "by whom is unknown"}


class ShownEvent(RecordedEvent, frozen=True, kw_only=True):
    """A recorded event; `payload` is what was recorded, null once it was `erased`.

    `corrected`, `retracted` and `classified` are what later events made of it, null where none did; `correct`
    has the payload's fields that are other than recorded. The API's events have the same members.
    """

    corrected: Change | None
    correct: msgspec.Raw | None
    retracted: Change | None
    classified: Classified | None
    erased: bool


def shown(
    session: Session, tenant: int, events: Sequence[RecordedEvent], as_of: int | None = None
) -> list[ShownEvent]:
    """Return events with what became of them, in the log as it was at the number `as_of`, or as it is."""
    became = fates.of(session, tenant, events, as_of)
    return [_with_fate(event, became.get(event.event_id, AS_RECORDED)) for event in events]


def _with_fate(event: RecordedEvent, fate: Fate) -> ShownEvent:
    return ShownEvent(
        **msgspec.structs.asdict(event),
        corrected=fate.corrected,
        correct=None if fate.right is None else msgspec.Raw(fate.right),
        retracted=fate.retracted,
        classified=fate.classified,
        erased=event.is_erased,
    )


def line(event: ShownEvent) -> str:
    """Return an event on one line, for people: its number, time, who did what, and what it is about.

    A corrected event is told as it is right, and what was recorded behind it.
    """
    known = CATALOGUE.get(event.type)
    by_contact = known is not None and known.by_contact and event.actor == "system"
    who = (by_contact and event.contact_id) or event.actor
    about = event.account_id or event.contact_id or f"{event.record_type}:{event.record_id}"
    right = right_payload(event, Fate(right=None if event.correct is None else bytes(event.correct)))
    what = summarise(event.type, event.version, right)
    became = "".join(f"  ({text})" for text in _became(event))
    return f"{event.seq:>7}  {time_of(event.occurred_at)}  {who} {what}  [{about}]{became}"


def _became(event: ShownEvent) -> Iterable[str]:
    if event.retracted:
        yield f"withdrawn by {event.retracted.actor}"
    if event.corrected:
        was = summarise(event.type, event.version, event.payload)
        yield f"corrected by {event.corrected.actor}, was: {was}"
    if event.classified:
        yield _BY[event.classified.machine]
    if event.erased:
        yield "erased"


def time_of(moment: datetime) -> str:
    """Return a moment for people, in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%MZ")
