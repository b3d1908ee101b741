"""Calls, meetings, notes and comments: what people say to each other and write down."""

from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta

from activity.event_type import (
    Category,
    EventType,
    Id,
    Line,
    Moment,
    Name,
    Payload,
    Seconds,
    Tone,
    Url,
)

Text = Annotated[str, Meta(min_length=1, max_length=100_000)]
Direction = Literal["inbound", "outbound"]


class Call(Payload, frozen=True, kw_only=True):
    """What every call can carry."""

    direction: Annotated[
        Direction | None, Meta(description="Who called: the other side (inbound) or ours (outbound)")
    ] = None
    contact_name: Annotated[Name | None, Meta(description="Whom the call was with")] = None
    phone: Annotated[Name | None, Meta(description="The other side's number")] = None
    note: Annotated[Line | None, Meta(description="What was written down about it")] = None


class CallCompleted(Call, frozen=True, kw_only=True):
    """A call took place and was logged."""

    duration_s: Annotated[Seconds | None, Meta(description="How long it lasted, in seconds")] = None
    outcome: Annotated[Name | None, Meta(description="What came of it, such as interested or voicemail")] = (
        None
    )
    recording_url: Annotated[Url | None, Meta(description="Where the recording is")] = None


class CallMissed(Call, frozen=True, kw_only=True):
    """A call was not answered."""


class Meeting(Payload, frozen=True, kw_only=True):
    """What every meeting can carry."""

    title: Annotated[Name | None, Meta(description="The meeting's title")] = None
    contact_name: Annotated[Name | None, Meta(description="Whom it is with")] = None
    starts_at: Annotated[Moment | None, Meta(description="When it starts")] = None
    duration_s: Annotated[Seconds | None, Meta(description="How long it lasts, in seconds")] = None
    location: Annotated[Line | None, Meta(description="A place, or the link to join")] = None


class MeetingBooked(Meeting, frozen=True, kw_only=True):
    """A meeting was put into the calendar."""


class MeetingCompleted(Meeting, frozen=True, kw_only=True):
    """A meeting took place."""

    outcome: Annotated[Name | None, Meta(description="What came of it")] = None


class NoteAdded(Payload, frozen=True, kw_only=True):
    """Somebody wrote a note."""

    text: Annotated[Text, Meta(description="The note")]
    title: Annotated[Name | None, Meta(description="The note's title")] = None


class CommentAdded(Payload, frozen=True, kw_only=True):
    """Somebody commented on a record or on another event."""

    text: Annotated[Text, Meta(description="The comment")]
    on: Annotated[Name | None, Meta(description="The name of what is commented on")] = None
    event_id: Annotated[UUID | None, Meta(description="The event that is commented on")] = None
    reply_to: Annotated[Id | None, Meta(description="The comment that this one answers")] = None
    mentions: Annotated[
        tuple[Name, ...], Meta(description="The users named in it, by e-mail", max_length=100)
    ] = ()


TYPES = (
    EventType(
        name="call.completed",
        payload=CallCompleted,
        category=Category.CALLS,
        icon="phone-call",
        tone=Tone.GREEN,
        title="Call",
        record_type="call",
        example={
            "direction": "outbound",
            "contact_name": "Jo Park",
            "duration_s": 754,
            "outcome": "interested",
        },
    ),
    EventType(
        name="call.missed",
        payload=CallMissed,
        category=Category.CALLS,
        icon="phone-missed",
        tone=Tone.RED,
        title="Missed call",
        record_type="call",
        example={"direction": "inbound", "contact_name": "Jo Park", "phone": "+49 30 5550100"},
    ),
    EventType(
        name="meeting.booked",
        payload=MeetingBooked,
        category=Category.CALLS,
        icon="calendar-clock",
        tone=Tone.GREEN,
        title="Meeting booked",
        record_type="meeting",
        example={
            "title": "Kick-off",
            "contact_name": "Jo Park",
            "starts_at": "2026-11-24T14:00:00+01:00",
            "duration_s": 1800,
        },
    ),
    EventType(
        name="meeting.completed",
        payload=MeetingCompleted,
        category=Category.CALLS,
        icon="calendar-check",
        tone=Tone.GREEN,
        title="Meeting",
        record_type="meeting",
        example={
            "title": "Kick-off",
            "contact_name": "Jo Park",
            "duration_s": 3720,
            "outcome": "proposal wanted",
        },
    ),
    EventType(
        name="note.added",
        payload=NoteAdded,
        category=Category.NOTES,
        icon="sticky-note",
        tone=Tone.AMBER,
        title="Note",
        record_type="note",
        example={
            "text": "Budget is decided in January; talk to their finance lead first.",
            "title": "Budget",
        },
    ),
    EventType(
        name="comment.added",
        payload=CommentAdded,
        category=Category.COMMENTS,
        icon="message-square",
        tone=Tone.AMBER,
        title="Comment",
        record_type="comment",
        example={"text": "I will call them.", "on": "Acme renewal", "mentions": ["li.wei@vendor.example"]},
    ),
)
