"""Events about earlier events: corrections, verdicts and erasures. The earlier event itself never changes."""

from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import Meta

from activity.event_type import Category, Count, EventType, Id, Line, Name, Payload, Tone, Version

# After one of these the content of earlier events is gone from the log: whoever keeps a copy forgets it.
ERASURES = frozenset({"contact.erased", "privacy.bodies_erased"})

_Ranges = Annotated[str, Meta(max_length=50_000, pattern=r"^(\d+(-\d+)?(,\d+(-\d+)?)*)?$")]


class EventCorrected(Payload, frozen=True, kw_only=True):
    """An earlier event was wrong: this says what is right, or that it never happened."""

    event_id: Annotated[UUID, Meta(description="The event that was wrong")]
    event_type: Annotated[Name | None, Meta(description="Its type")] = None
    retracted: Annotated[bool, Meta(description="True when what it said never happened")] = False
    correct: Annotated[
        dict[str, Any] | None, Meta(description="The payload fields with their right values")
    ] = None
    reason: Annotated[Line | None, Meta(description="Why it was wrong")] = None


class EventClassified(Payload, frozen=True, kw_only=True):
    """A later verdict says whether an open or a click was a machine's. The newest verdict counts."""

    event_id: Annotated[UUID, Meta(description="The open or click that is judged")]
    machine: Annotated[bool | None, Meta(description="Whether it was a machine's; null when it is unknown")]
    event_type: Annotated[Name | None, Meta(description="Its type")] = None
    rule: Annotated[Name | None, Meta(description="The rule that decided")] = None
    rule_version: Annotated[Version | None, Meta(description="The rule's version")] = None


class BodiesErased(Payload, frozen=True, kw_only=True):
    """The content of a person's events was erased; the events themselves and their order stay provable."""

    events: Annotated[Count, Meta(description="How many events lost their content")]
    reason: Annotated[
        Line | None, Meta(description="Why, such as a request of the person; no personal data")
    ] = None
    request_id: Annotated[Id | None, Meta(description="The request in the privacy register")] = None
    seqs: Annotated[
        _Ranges | None, Meta(description="The numbers of those events; older erasures do not name them")
    ] = None


class ContentsChanged(Payload, frozen=True, kw_only=True):
    """It was decided anew for whom the contents of a workspace's e-mails are, those of the past too."""

    contents: Annotated[
        Literal["everyone", "participants"], Meta(description="For whom they are from now on")
    ]


_EVENT_ID = "019a9f3e-5c00-7000-8000-000000000001"

TYPES = (
    EventType(
        name="event.corrected",
        payload=EventCorrected,
        category=Category.CORRECTIONS,
        icon="undo-2",
        tone=Tone.AMBER,
        title="Event corrected",
        record_type="event",
        example={
            "event_id": _EVENT_ID,
            "event_type": "deal.won",
            "correct": {"amount": "12500.00"},
            "reason": "one zero too many",
        },
    ),
    EventType(
        name="event.classified",
        payload=EventClassified,
        category=Category.CORRECTIONS,
        icon="scan-eye",
        tone=Tone.GREY,
        title="Open or click judged",
        record_type="event",
        foldable=True,
        example={
            "event_id": _EVENT_ID,
            "machine": True,
            "event_type": "email.clicked",
            "rule": "every link within 2 s",
            "rule_version": 2,
        },
    ),
    EventType(
        name="privacy.bodies_erased",
        payload=BodiesErased,
        category=Category.PRIVACY,
        icon="eraser",
        tone=Tone.RED,
        title="Content erased",
        record_type="contact",
        example={
            "events": 1054,
            "reason": "request of the person",
            "request_id": "dsr-2026-014",
            "seqs": "12,40-1092",
        },
    ),
    EventType(
        name="privacy.contents_changed",
        payload=ContentsChanged,
        category=Category.PRIVACY,
        icon="eye-off",
        tone=Tone.AMBER,
        title="Who reads e-mails",
        record_type="workspace",
        example={"contents": "participants"},
    ),
)
