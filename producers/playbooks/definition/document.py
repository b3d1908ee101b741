"""What a playbook says: the structs its YAML is read into, from which the JSON Schema is made as well."""

import difflib
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from producers.playbooks.definition.source import InvalidPlaybook, Path, YamlSource, read

Text = Annotated[str, Meta(min_length=1, max_length=4_000)]
Label = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Condition = Annotated[
    str, Meta(min_length=1, max_length=2_000, description="A CEL expression that is true or false")
]
Duration = Annotated[
    str, Meta(pattern=r"^[1-9][0-9]{0,4}[smhdw]$", description="Such as 90s, 15m, 4h, 3d or 2w")
]
Age = Annotated[
    str,
    Meta(pattern=r"^(any|[1-9][0-9]{0,4}[smhdw])$", description="Such as 15m, 4h, 3d or 2w, or any"),
]
EventName = Annotated[
    str,
    Meta(
        max_length=80,
        pattern=r"^([a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*(\.\*)?|\*)$",
        description="An event type, or a pattern: email.*",
    ),
]
EventNames = EventName | Annotated[list[EventName], Meta(min_length=1, max_length=20)]
Address = Annotated[str, Meta(max_length=320, pattern=r"^[^\s@]+@[^\s@]+$")]
Url = Annotated[str, Meta(max_length=2_000, pattern=r"^https?://[^\s/]+")]
_ASSIGNEE = r"^(owner|manager|round_robin|[^\s@]{1,150}@[^\s@]{1,150})$"
Subject = Literal["account", "contact", "opportunity"]
OncePer = Literal["account", "contact", "opportunity", "event"]


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of a definition: a field it doesn't know is a mistake."""


class EventTrigger(Part, frozen=True, kw_only=True):
    """Starts at an event."""

    event: Annotated[EventNames, Meta(description="The event type or types, or patterns")]
    max_age: Annotated[
        Age,
        Meta(
            description="Events that happened longer before they were recorded start nothing;"
            " with any, history starts it as well"
        ),
    ] = "7d"


class ScheduleTrigger(Part, frozen=True, kw_only=True):
    """Starts by the clock, for each record of a kind that meets the conditions."""

    schedule: Annotated[
        str, Meta(max_length=100, description="Five cron fields: minute hour day month weekday")
    ]
    for_each: Annotated[Subject, Meta(description="The kind of record it is tried for")]
    zone: Annotated[
        str, Meta(max_length=60, description="The time zone of the schedule, such as Europe/Berlin")
    ] = "UTC"


class ManualTrigger(Part, frozen=True, kw_only=True):
    """Starts by hand alone."""

    manual: Literal[True]


class PlaybookStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do"):
    """One step of a playbook. Texts may hold {{ CEL }}."""


class CreateTask(PlaybookStep, frozen=True, kw_only=True, tag="create_task"):
    """Hand a task to somebody."""

    title: Text
    assign_to: Annotated[
        str,
        Meta(
            pattern=_ASSIGNEE,
            description="owner (the record's), manager (the owner's), round_robin (of members),"
            " or an address",
        ),
    ] = "owner"
    members: Annotated[
        tuple[Address, ...], Meta(max_length=100, description="Who takes turns, for round_robin")
    ] = ()
    due_in: Duration | None = None
    note: Text | None = None


class Notify(PlaybookStep, frozen=True, kw_only=True, tag="notify"):
    """Tell somebody: in the app, by e-mail, or a webhook."""

    message: Text
    to: Annotated[
        str,
        Meta(pattern=_ASSIGNEE, description="owner, manager or an address: who is told, in_app or by email"),
    ] = "owner"
    via: Literal["in_app", "email", "webhook"] = "in_app"
    url: Url | None = None
    secret: Label | None = None


class UpdateField(PlaybookStep, frozen=True, kw_only=True, tag="update_field"):
    """Set a field of the record the run is about."""

    record: Subject
    field: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z][A-Za-z0-9_]{0,79}$",
            description="owner_email, or one of the record's own fields",
        ),
    ]
    value: str | int | float | bool | None


class ChangeStage(PlaybookStep, frozen=True, kw_only=True, tag="change_stage"):
    """Move the deal to another stage."""

    to: Label


class AddNote(PlaybookStep, frozen=True, kw_only=True, tag="add_note"):
    """Write a note on the account or contact."""

    text: Text
    title: Label | None = None


class Enroll(PlaybookStep, frozen=True, kw_only=True, tag="enroll"):
    """Enrol the contact in a sequence."""

    sequence: Label
    on_duplicate: Literal["ignore", "refuse"] = "ignore"


class Unenroll(PlaybookStep, frozen=True, kw_only=True, tag="unenroll"):
    """Take the contact out of a sequence, or out of all."""

    sequence: Label | None = None
    reason: Label = "playbook"


class Enrich(PlaybookStep, frozen=True, kw_only=True, tag="enrich"):
    """Ask for an enrichment pass."""

    record: Literal["account", "contact"] = "account"
    fields: Annotated[tuple[Label, ...], Meta(max_length=50)] = ()


class DetectSignal(PlaybookStep, frozen=True, kw_only=True, tag="detect_signal"):
    """Say that a signal was detected."""

    signal: Label
    name: Text | None = None
    score: float | None = None


class CallWebhook(PlaybookStep, frozen=True, kw_only=True, tag="call_webhook"):
    """POST a signed message (Standard Webhooks) to a URL."""

    url: Url
    secret: Annotated[Label | None, Meta(description="The name of a secret in ACTIVITY_WEBHOOK_SECRETS")] = (
        None
    )
    data: Annotated[
        dict[str, Any], Meta(description="What is sent as `data`; texts may hold {{ CEL }}", max_length=50)
    ] = {}


class WaitForTime(PlaybookStep, frozen=True, kw_only=True, tag="wait"):
    """Go on after a while."""

    for_: Duration = msgspec.field(name="for")


class WaitForEvent(PlaybookStep, frozen=True, kw_only=True, tag="wait_for_event"):
    """Go on when an event comes; otherwise, after `within`, do the steps of on_timeout and go on."""

    event: EventNames
    within: Duration
    about: Annotated[
        Subject | None, Meta(description="Whose event; the default is the contact, else the account")
    ] = None
    where: Annotated[tuple[Condition, ...], Meta(max_length=20)] = ()
    on_timeout: "tuple[AnyStep, ...]" = ()


class Branch(PlaybookStep, frozen=True, kw_only=True, tag="branch"):
    """Do one of two lists of steps."""

    if_: Condition = msgspec.field(name="if")
    then: "tuple[AnyStep, ...]" = ()
    else_: "tuple[AnyStep, ...]" = msgspec.field(name="else", default=())


class Stop(PlaybookStep, frozen=True, kw_only=True, tag="stop"):
    """End the run here."""

    reason: Label | None = None


AnyStep = (
    CreateTask
    | Notify
    | UpdateField
    | ChangeStage
    | AddNote
    | Enroll
    | Unenroll
    | Enrich
    | DetectSignal
    | CallWebhook
    | WaitForTime
    | WaitForEvent
    | Branch
    | Stop
)
KINDS = tuple(str(kind.__struct_config__.tag) for kind in AnyStep.__args__)


class PlaybookDocument(Part, frozen=True, kw_only=True):
    """A play: when it starts, for whom, and what it does."""

    name: Label
    trigger: Annotated[dict[str, Any], Meta(description="event, schedule, or manual: true")]
    steps: Annotated[tuple[AnyStep, ...], Meta(min_length=1)]
    description: Annotated[str, Meta(max_length=4_000)] = ""
    conditions: Annotated[
        tuple[Condition, ...], Meta(max_length=20, description="All of them must hold")
    ] = ()
    once_per: Annotated[OncePer, Meta(description="What it starts once for, or once in each cooldown")] = (
        "event"
    )
    cooldown: Annotated[
        Duration | None, Meta(description="How long after a start it may start again for the same record")
    ] = None


AnyTrigger = EventTrigger | ScheduleTrigger | ManualTrigger
_TRIGGERS: dict[str, type[EventTrigger | ScheduleTrigger | ManualTrigger]] = {
    "event": EventTrigger,
    "schedule": ScheduleTrigger,
    "manual": ManualTrigger,
}
_FAULT = re.compile(r"^(?P<message>.*?)(?: - at `\$(?P<path>.*)`)?$", re.DOTALL)
_STEP_OF_PATH = re.compile(r"\.(?P<name>[A-Za-z_]+)|\[(?P<at>\d+)\]|\[(?P<any>\.\.\.)\]")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class PlaybookDefinition(msgspec.Struct, frozen=True):
    """A playbook that was read: its parts, its trigger, and where each stands in the source."""

    playbook: PlaybookDocument
    trigger: AnyTrigger
    source: Any  # a YamlSource; msgspec is not to look into it


def load(text: str) -> PlaybookDefinition:
    """Return what a YAML text defines, its form checked. Raises InvalidPlaybook with the line and field."""
    source = read(text)
    playbook: PlaybookDocument = _convert(source, source.data, PlaybookDocument, ())
    kinds = [kind for name, kind in _TRIGGERS.items() if name in playbook.trigger]
    if len(kinds) != 1:
        raise InvalidPlaybook([source.fault(("trigger",), "say one of event, schedule or manual")])
    return PlaybookDefinition(playbook, _convert(source, playbook.trigger, kinds[0], ("trigger",)), source)


def _convert(source: YamlSource, data: Any, kind: Any, under: Path) -> Any:
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        match = _FAULT.match(str(error))
        assert match is not None
        found = _STEP_OF_PATH.finditer(match["path"] or "")
        path = (*under, *(int(part["at"]) if part["at"] else part["name"] or part["any"] for part in found))
        raise InvalidPlaybook([source.fault(path, _with_advice(match["message"]))]) from None


def _with_advice(message: str) -> str:
    """Add to msgspec's sentence what would be right, where that can be known."""
    wrong = re.fullmatch(r"Invalid value '(.*)'", message)
    if wrong:
        near = difflib.get_close_matches(wrong[1], KINDS, n=1)
        return f"{message}; " + (
            f"did you mean {near[0]!r}?" if near else f"the steps are {', '.join(KINDS)}"
        )
    if "'^(any|" in message:
        return "an age is a whole number and a unit, 90s, 15m, 4h, 3d or 2w, or any"
    if "matching regex '^[1-9]" in message:
        return "a duration is a whole number and a unit: 90s, 15m, 4h, 3d or 2w"
    if "(owner|manager" in message:
        return "write owner, manager, round_robin (tasks only) or an e-mail address"
    return message


def span(duration: str) -> timedelta:
    """Return a duration such as 4h as a timedelta."""
    return timedelta(**{_UNITS[duration[-1]]: int(duration[:-1])})


def names(events: str | list[str]) -> tuple[str, ...]:
    """Return the event names of a trigger or a wait."""
    return (events,) if isinstance(events, str) else tuple(events)


def names_of(type: str) -> Iterator[str]:
    """Yield every event name that means this type: itself, and the patterns that hold it."""
    yield type
    parts = type.split(".")
    yield from (".".join(parts[:count]) + ".*" for count in range(len(parts) - 1, 0, -1))
    yield "*"


def json_schema() -> dict[str, object]:
    """Return the JSON Schema (2020-12) of a definition, for editors that check while one types."""
    (_, *_), parts = msgspec.json.schema_components(
        [PlaybookDocument, *_TRIGGERS.values()], ref_template="#/$defs/{name}"
    )
    parts["PlaybookDocument"]["properties"]["trigger"] = {
        "anyOf": [{"$ref": f"#/$defs/{kind.__name__}"} for kind in _TRIGGERS.values()]
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$ref": "#/$defs/PlaybookDocument",
        "$defs": parts,
    }
