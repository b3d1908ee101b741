"""`activity emit`: emit events by hand, or from a script by standard input."""

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from activity.errors import ActivityError, InvalidEvent
from cli.errors import FINDING
from cli.log.filters import record_of
from cli.output import Json, print_one
from cli.workspace import TenantOption, resolve

if TYPE_CHECKING:
    from activity.event import Event

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
    source: Annotated[str, typer.Option(help="Which producer emits it.")] = "manual",
    at: Annotated[
        str | None, typer.Option(help="When it happened, as 2026-01-31T09:30:00Z. Default: now.")
    ] = None,
    id_: Annotated[
        str | None,
        typer.Option(
            "--id", help="Its event_id, a UUID: emitted twice it is stored once. Default: a new one."
        ),
    ] = None,
    cause: Annotated[str | None, typer.Option(help="The event_id of the event that made it happen.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check, print what would be emitted, and emit nothing.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until the log has it, and print its number.")
    ] = False,
    json: Json = False,
) -> None:
    """Emit an event; or, with TYPE -, every event of standard input, where an invalid line is skipped."""
    from producers.log.appended import wait_for

    number = resolve(tenant).id
    if type == "-":
        if _emit_lines(number, dry_run, wait):
            raise typer.Exit(FINDING)
        return
    record_type, record_id = record_of(record)
    options = {
        "type": type,
        "account_id": account,
        "contact_id": contact,
        "record_type": record_type,
        "record_id": record_id,
        "actor": actor,
        "source": source,
        "occurred_at": at,
        "event_id": id_,
        "cause_id": cause,
    }
    given = {name: value for name, value in options.items() if value is not None}
    event = _decode({**given, "payload": dict(map(_field, payload or []))}, number)
    _emit([event], dry_run, json)
    if wait and not dry_run:
        recorded = wait_for(event)
        print_one(recorded, f"seq {recorded.seq}", json)


def _field(text: str) -> tuple[str, object]:
    import msgspec

    name, equals, value = text.partition("=")
    if not equals or not name.rstrip(":"):
        raise ActivityError(f"{text!r:.60}: write KEY=TEXT, or KEY:=JSON for what is not a text")
    if not name.endswith(":"):
        return name, value
    try:
        return name[:-1], msgspec.json.decode(value)
    except msgspec.DecodeError as error:
        raise ActivityError(f"{name}={value!r:.60} is not JSON: {error}") from None


def _decode(fields: dict[str, object], tenant: int) -> "Event":
    """Return the valid event that the fields describe. Raises InvalidEvent."""
    from activity.catalogue import CATALOGUE
    from activity.validation import check_outsider, decode, encode

    kind = fields.get("type")
    known = CATALOGUE.get(kind) if isinstance(kind, str) else None
    event = decode(
        {"tenant_id": tenant, "source": "manual", "version": known.version if known else 1, **fields}
    )
    check_outsider(event)
    encode(event)
    return event


def _emit(events: "Sequence[Event]", dry_run: bool, json: bool = False) -> None:
    """Emit the events in one transaction, or with `dry_run` print them."""
    from activity.validation import encode
    from db.engine import begin
    from worker.emit import emit as emit_all

    if dry_run:
        for event in events:
            typer.echo(encode(event))
        return
    with begin("producer", events[0].tenant_id) as session:
        emit_all(session, events)
    for event in events:
        typer.echo(f'{{"event_id":"{event.event_id}"}}' if json else str(event.event_id))


def _emit_lines(tenant: int, dry_run: bool, wait: bool) -> int:
    """Emit what standard input holds, a few hundred at a time; return how many lines were not valid."""
    from producers.log.appended import wait_for

    invalid, last, chunk = 0, None, []
    for number, text in _lines():
        try:
            chunk.append(_of_line(text, tenant))
        except ActivityError as error:
            invalid += 1
            typer.echo(f"activity: line {number}: {error}", err=True)
        if len(chunk) == _CHUNK:
            _emit(chunk, dry_run)
            last, chunk = chunk[-1], []
    if chunk:
        _emit(chunk, dry_run)
        last = chunk[-1]
    if wait and last is not None and not dry_run:
        wait_for(last)
    return invalid


def _lines() -> Iterator[tuple[int, str]]:
    number = 0
    while text := sys.stdin.readline(_LONGEST):
        number += 1
        if text.strip():
            yield number, text


def _of_line(text: str, tenant: int) -> "Event":
    import msgspec

    try:
        fields = msgspec.json.decode(text, type=dict[str, object])
    except msgspec.DecodeError as error:
        raise ActivityError(f"not a JSON object: {error}") from None
    if fields.get("tenant_id", tenant) != tenant:
        raise InvalidEvent(
            "tenant_id",
            f"{fields['tenant_id']!r} is another tenant",
            "leave it out, or give the one of --tenant",
        )
    return _decode(fields, tenant)
