"""What heads the timeline of an account or a contact: its touches, and what is to come."""

from datetime import UTC, datetime

import msgspec
from fastapi import APIRouter, Response

from activity.event import RecordedEvent
from api.access.callers import Caller, Reader
from api.access.viewers import viewer_of
from api.http.encoding import answers, json_response
from api.log.filters import Locale
from api.log.wire import EventOut, event_out
from api.records.editing import Key
from api.tasks import TaskOut, shown_tasks
from db.engine import begin
from db.log.reading.filter import Filter
from db.playbooks import handed_out
from db.records.touches import Touched
from feed.reading import touches
from feed.reading.visible import readable

router = APIRouter(prefix="/v1", tags=["records"])


class Touch(msgspec.Struct):
    """The first and the last touch, in and out; how long nobody touched it, and what is to come.

    A touch is a mail that was sent, an answer, a call or a meeting; null where there was none. `silent_days`:
    whole days since the last of them. `complete` is false where very many other events hide one.
    """

    first_in: EventOut | None
    first_out: EventOut | None
    last_in: EventOut | None
    last_out: EventOut | None
    last: EventOut | None
    silent_days: int | None
    complete: bool
    next_meeting: EventOut | None
    next_task: TaskOut | None
    open_tasks: int


@router.get("/accounts/{key}/touch", responses=answers(Touch))
def get_account_touch(caller: Reader, key: Key, locale: Locale = "en") -> Response:
    """Return the touches of an account, known or only named by events."""
    return _touch(caller, Touched("account", key), Filter(account=key), locale)


@router.get("/contacts/{key}/touch", responses=answers(Touch))
def get_contact_touch(caller: Reader, key: Key, locale: Locale = "en") -> Response:
    """Return the touches of a contact, known or only named by events."""
    return _touch(caller, Touched("contact", key), Filter(contact=key), locale)


def _touch(caller: Caller, record: Touched, which: Filter, locale: str) -> Response:
    viewer, now = viewer_of(caller), datetime.now(UTC)
    with begin("reader", caller.tenant) as session:
        found = touches.facts(session, caller.tenant, which)
        meeting = touches.next_meeting(session, caller.tenant, which, now)
        events = [*found.first.values(), *found.last.values(), found.newest, meeting]
        some = list({event.event_id: event for event in events if event is not None}.values())
        seen = {one.event.event_id: one.by(viewer) for one in readable(session, caller.tenant, some)}
        tasks = handed_out.open_of(session, caller.tenant, *record)
        shown = shown_tasks(session, caller, viewer, [tasks.next] if tasks.next else [])

    def out(event: RecordedEvent | None) -> EventOut | None:
        return None if event is None else event_out(*seen[event.event_id], locale)

    touch = Touch(
        first_in=out(found.first.get("in")),
        first_out=out(found.first.get("out")),
        last_in=out(found.last.get("in")),
        last_out=out(found.last.get("out")),
        last=out(found.newest),
        silent_days=None if found.newest is None else max(0, (now - found.newest.occurred_at).days),
        complete=found.complete,
        next_meeting=out(meeting),
        next_task=next(iter(shown), None),
        open_tasks=tasks.number,
    )
    return json_response(touch)
