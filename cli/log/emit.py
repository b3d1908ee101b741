"""`activity emit`: say events by hand, or from a script by standard input."""

import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from activity.errors import ActivityError, InvalidEvent
from cli.log import filters
from cli.output import Json
from cli.workspace import TenantOption, resolve

if TYPE_CHECKING:
    from activity.event import Event, RecordedEvent

SOME_REFUSED = 1
_WAIT_S = 30.0
_CHUNK = 500
_LONGEST = 1_000_000  # characters of a line

Fields = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY=TEXT | KEY:=JSON", help="The payload's fields.", show_default=False),
]


def emit(
    type: Annotated[
        str,
        typer.Argument(help="The event's type; - reads events from standard input, one JSON object a line."),
    ],
    payload: Fields = None,
    tenant: TenantOption = None,
    account: Annotated[str | None, typer.Option(help="The account it is about.")] = None,
    contact: Annotated[str | None, typer.Option(help="The contact it is about.")] = None,
    record: Annotated[str | None, typer.Option(help="The record it links to, as TYPE:ID.")] = None,
    actor: Annotated[str, typer.Option(help="Who did it: an e-mail address, or 'system'.")] = "system",
    source: Annotated[str, typer.Option(help="Which producer says so.")] = "manual",
    at: Annotated[
        str | None, typer.Option(help="When it happened, as 2026-01-31T09:30:00Z. Default: now.")
    ] = None,
    id_: Annotated[
        str | None,
        typer.Option("--id", help="Its event_id, a UUID: said twice it is stored once. Default: a new one."),
    ] = None,
    cause: Annotated[str | None, typer.Option(help="The event_id of the event that made it happen.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check, print what would be said, and say nothing.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until the log has it, and print its number.")
    ] = False,
    json: Json = False,
) -> None:
    """Say an event; or, with TYPE -, every event of standard input, where a line that is none is told and passed over."""
    found = resolve(tenant).id
    if type == "-":
        refused = _emit_lines(found, dry_run, wait)
        if refused:
            raise typer.Exit(SOME_REFUSED)
        return
    record_type, record_id = filters.record_of(record)
    said: dict[str, Any] = {
        "account_id": account,
        "contact_id": contact,
        "record_type": record_type,
        "record_id": record_id,
        "actor": actor,
        "source": source,
    }
    said |= {
        "occurred_at": at,
        "event_id": id_,
        "cause_id": cause,
        "type": type,
        "payload": dict(map(_field, payload or [])),
    }
    event = _decode({name: value for name, value in said.items() if value is not None}, found)
    _say([event], dry_run, json)
    if wait and not dry_run:
        _tell(wait_for(event), json)


def _field(text: str) -> tuple[str, Any]:
    import msgspec

    name, equals, value = text.partition("=")
    if not equals or not name.rstrip(":"):
        raise ActivityError(f"{text!r:.60}: write KEY=TEXT, or KEY:=JSON for what is no text")
    if not name.endswith(":"):
        return name, value
    try:
        return name[:-1], msgspec.json.decode(value)
    except msgspec.DecodeError as error:
        raise ActivityError(f"{name}={value!r:.60} is no JSON: {error}") from None


def _decode(said: dict[str, Any], tenant: int) -> "Event":
    """Return the valid event that is said. Raises InvalidEvent."""
    from activity.catalogue import CATALOGUE
    from activity.validation import decode, encode

    kind = said.get("type")
    known = CATALOGUE.get(kind) if isinstance(kind, str) else None
    event = decode(
        {"tenant_id": tenant, "source": "manual", "version": known.version if known else 1, **said}
    )
    encode(event)
    return event


def _say(events: "Sequence[Event]", dry_run: bool, json: bool = False) -> None:
    """Say the events in one transaction, or print them."""
    from activity.validation import encode
    from db.engine import begin
    from worker.emit import emit as say

    if dry_run:
        for event in events:
            typer.echo(encode(event))
        return
    with begin("producer", events[0].tenant_id) as session:
        say(session, events)
    for event in events:
        typer.echo(f'{{"event_id":"{event.event_id}"}}' if json else str(event.event_id))


def _emit_lines(tenant: int, dry_run: bool, wait: bool) -> int:
    """Say what standard input holds, a few hundred at a time; return how many lines were refused."""
    refused, last, chunk = 0, None, []
    for number, text in _lines():
        try:
            chunk.append(_of_line(text, tenant))
        except ActivityError as error:
            refused += 1
            typer.echo(f"activity: line {number}: {error}", err=True)
        if len(chunk) == _CHUNK:
            _say(chunk, dry_run)
            last, chunk = chunk[-1], []
    if chunk:
        _say(chunk, dry_run)
        last = chunk[-1]
    if wait and last is not None and not dry_run:
        wait_for(last)
    return refused


def _lines() -> Iterator[tuple[int, str]]:
    number = 0
    while text := sys.stdin.readline(_LONGEST):
        number += 1
        if text.strip():
            yield number, text


def _of_line(text: str, tenant: int) -> "Event":
    import msgspec

    try:
        said = msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise ActivityError(f"no JSON object: {error}") from None
    if said.get("tenant_id", tenant) != tenant:
        raise InvalidEvent(
            "tenant_id",
            f"{said['tenant_id']!r} is another tenant",
            "leave it out, or give the one of --tenant",
        )
    return _decode(said, tenant)


def wait_for(event: "Event") -> "RecordedEvent":
    """Return the event as the log has it; a tenant's events are taken in the order in which they were said, so all before it are too."""
    from db.engine import begin
    from db.log import backlog, events

    deadline = time.monotonic() + _WAIT_S
    while time.monotonic() < deadline:
        with begin("reader", event.tenant_id) as session:
            waiting = backlog.waiting(session, [event.tenant_id], 1)
            if (recorded := events.get(session, event.tenant_id, event.event_id)) is not None:
                return recorded
        if not waiting:
            break
        time.sleep(0.02)
    raise ActivityError(
        f"the log has no event {event.event_id} yet: "
        + (
            "is `activity worker append` running?"
            if waiting
            else "it was refused; `activity stats` and the table activity.rejected say why"
        )
    )


def _tell(recorded: "RecordedEvent", json: bool) -> None:
    import msgspec

    typer.echo(msgspec.json.encode(recorded).decode() if json else f"seq {recorded.seq}")
