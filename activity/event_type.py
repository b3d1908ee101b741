"""What the catalogue knows of one type of event, and the field kinds that payloads are made of."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

NAME = re.compile(r"(?=.{1,80}\Z)[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")
"""What a type may be called."""


class Category(StrEnum):
    """What an event is about. An account's tabs Email, Signals, Notes and Comments show one category each."""

    EMAIL = "email"
    SIGNALS = "signals"
    NOTES = "notes"
    COMMENTS = "comments"
    HIERARCHY = "hierarchy"
    CALLS = "calls"
    DEALS = "deals"
    RECORDS = "records"
    ENRICHMENT = "enrichment"
    PLAYBOOKS = "playbooks"
    SEQUENCES = "sequences"
    TASKS = "tasks"
    CORRECTIONS = "corrections"
    PRIVACY = "privacy"


class Tone(StrEnum):
    """The colour of an event's icon. A page maps it to its palette, and never lets it carry meaning alone."""

    BLUE = "blue"
    GREEN = "green"
    AMBER = "amber"
    VIOLET = "violet"
    TEAL = "teal"
    RED = "red"
    GREY = "grey"


class Audience(StrEnum):
    """For whom the contents of e-mails are."""

    EVERYONE = "everyone"
    PARTICIPANTS = "participants"


class Payload(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The detail of one event. Fields that the type does not know are stored too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventType:
    """One type of event at one version of its payload.

    `icon` is a Lucide name, `title` a short name for people, `record_type` the kind of record such an event
    usually links to. `foldable`: a page may show neighbouring repeats as one row with a count. `by_contact`:
    the summary says what the contact did, so where the actor is the system, which only recorded it, a page
    names the contact as who did it.
    """

    name: str
    payload: type[Payload]
    category: Category
    icon: str
    tone: Tone
    title: str
    example: Mapping[str, object]
    version: int = 1
    record_type: str | None = None
    foldable: bool = False
    by_contact: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredType(EventType):
    """A type of a deployment's own, with what the built-in ones have in the language files.

    `sentences` and `titles` are by language code. English is needed of the sentences; where another language
    has none, the English one is shown, and `title` where a title is missing.
    """

    sentences: Mapping[str, str]
    titles: Mapping[str, str] = field(default_factory=dict)


# Field kinds. The bounds stop one value from filling an event; producers clip machine-made text to them.
Name = Annotated[str, Meta(max_length=500)]
RequiredName = Annotated[str, Meta(min_length=1, max_length=500)]  # an event without it would mean nothing
Line = Annotated[str, Meta(max_length=4_000)]
Address = Annotated[str, Meta(max_length=500)]
Url = Annotated[str, Meta(max_length=8_192)]
Id = Annotated[str, Meta(max_length=500)]
Currency = Annotated[str, Meta(pattern="^[A-Z]{3}$")]
Count = Annotated[int, Meta(ge=0, le=10**15)]
Seconds = Annotated[int, Meta(ge=0, le=10**9)] | Annotated[float, Meta(ge=0, le=1e9)]
Moment = Annotated[datetime, Meta(tz=True)]
Ratio = Annotated[int, Meta(ge=0, le=1)] | Annotated[float, Meta(ge=0, le=1)]
Step = Annotated[int, Meta(ge=0, le=10**6)] | Name  # a 1-based position, or a step's own name
Version = Annotated[int, Meta(ge=0, le=10**15)] | Name
# A decimal in a string keeps its digits; a JSON number is read as it is printed.
Amount = (
    Annotated[str, Meta(pattern=r"^-?[0-9]{1,15}(\.[0-9]{1,6})?$")]
    | Annotated[int, Meta(ge=-(10**15), le=10**15)]
    | Annotated[float, Meta(ge=-1e15, le=1e15)]
)


class FieldChange(Payload, frozen=True, kw_only=True):
    """One field of a record that changed."""

    field: Annotated[RequiredName, Meta(description="The field's name")]
    from_: Annotated[Any, Meta(description="The value before; null when there was none")] = msgspec.field(
        default=None, name="from"
    )
    to: Annotated[Any, Meta(description="The value after; null when it was cleared")] = None
