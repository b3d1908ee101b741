"""`activity feed`, `show`, `tail` and `stats`: the log, read in a terminal or by a script."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from activity.errors import ActivityError
from cli.log import filters
from cli.output import Json
from cli.workspace import TenantOption, resolve

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from activity.event import RecordedEvent
    from db.log.events import Filter
    from db.records.records import Tenant

NOT_FOUND = 1


def feed(
    tenant: TenantOption = None,
    account: filters.Account = None,
    contact: filters.Contact = None,
    beneath: filters.Beneath = None,
    types: filters.Types = None,
    category: filters.Category = None,
    record: filters.Record = None,
    actor: filters.Actor = None,
    source: filters.Source = None,
    since: Annotated[
        str | None, typer.Option(help="Only what happened at this time or after it, as 2026-01-31T09:30:00Z.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Only what happened before this time.")] = None,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", help="The feed as it stood: at the event with this number, or at this time."),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=500, help="How many events a page has.")
    ] = 20,
    cursor: Annotated[
        str | None, typer.Option(help="The next page, by what the page before printed.")
    ] = None,
    json: Json = False,
) -> None:
    """Show a page of the feed: what happened last comes first."""
    import msgspec

    from db.engine import begin
    from feed.page import read_page

    which = filters.filter_of(account, contact, beneath, types, category, record, actor, source)
    found = resolve(tenant)
    times = {"since": filters.moment_of("--since", since), "until": filters.moment_of("--until", until)}
    with begin("reader", found.id) as session:
        which = msgspec.structs.replace(which, **times, as_of=_as_of(session, found.id, as_of))
        page = read_page(session, found.id, which, cursor, limit)
    if json:
        typer.echo(
            msgspec.json.encode(
                {"events": page.events, "cursor": page.cursor, "looked_to": page.looked_to}
            ).decode()
        )
        return
    for event in page.events:
        typer.echo(line(event))
    if page.looked_to:
        typer.echo(f"looked back to {_time(page.looked_to)}; there may be more", err=True)
    if page.cursor:
        typer.echo(f"next page: --cursor {page.cursor}", err=True)


def _as_of(session: "Session", tenant: int, text: str | None) -> int | None:
    from db.log import events

    if text is None or text.isdigit():
        return None if text is None else int(text)
    moment = filters.moment_of("--as-of", text)
    return events.seq_at(session, tenant, moment) if moment else None


def show(
    ref: Annotated[str, typer.Argument(metavar="ID", help="The event's number, or its event_id.")],
    tenant: TenantOption = None,
    causes: Annotated[
        bool, typer.Option("--causes", help="Also what made it happen, and what it made happen.")
    ] = False,
    json: Json = False,
) -> None:
    """Show one event, whole."""
    import msgspec

    from db.engine import begin
    from db.log import events

    found = resolve(tenant)
    with begin("reader", found.id) as session:
        event = events.get(session, found.id, _ref(ref))
        if event is None:
            typer.echo(f"activity: the tenant {found.slug} has no event {ref}", err=True)
            raise typer.Exit(NOT_FOUND)
        up = events.causes(session, found.id, event.event_id) if causes else []
        down = events.effects(session, found.id, event.event_id) if causes else []
    if json:
        typer.echo(
            msgspec.json.encode({"event": event, "causes": up, "effects": down} if causes else event).decode()
        )
        return
    for cause in reversed(up):
        typer.echo(f"because  {line(cause)}")
    typer.echo(f"{'event    ' if causes else ''}{line(event)}")
    for effect in down:
        typer.echo(f"so       {line(effect)}")
    shown = msgspec.to_builtins(msgspec.structs.replace(event, payload=msgspec.json.decode(event.payload)))
    typer.echo(msgspec.json.format(msgspec.json.encode(shown), indent=2).decode())


def _ref(text: str) -> int | UUID:
    if text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    try:
        return UUID(text)
    except ValueError:
        raise ActivityError(f"{text!r} is neither an event's number nor its event_id") from None


def tail(
    tenant: TenantOption = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")
    ] = False,
    last: Annotated[
        int, typer.Option("--last", "-n", min=0, max=500, help="How many events to begin with.")
    ] = 10,
    after: Annotated[
        int | None,
        typer.Option(min=0, help="Begin after the event with this number instead; 0 is the beginning."),
    ] = None,
    account: filters.Account = None,
    contact: filters.Contact = None,
    beneath: filters.Beneath = None,
    types: filters.Types = None,
    category: filters.Category = None,
    record: filters.Record = None,
    actor: filters.Actor = None,
    source: filters.Source = None,
    json: Json = False,
) -> None:
    """Print events in the order in which the log took them; with --json one JSON object a line."""
    import msgspec

    which = filters.filter_of(account, contact, beneath, types, category, record, actor, source)
    try:
        for event in _tail(resolve(tenant).id, which, follow, last, after):
            typer.echo(msgspec.json.encode(event).decode() if json else line(event))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _tail(
    tenant: int, which: "Filter", follow: bool, last: int, after: int | None
) -> "Iterator[RecordedEvent]":
    from db.engine import begin
    from db.log import by_seq, heads

    with begin("reader", tenant) as session:
        at = heads.head(session, tenant).seq
        recent = (
            []
            if after is not None
            else by_seq.before(session, tenant, which, at + 1, last).events
            if last
            else []
        )
    yield from reversed(recent)
    if after is not None:
        yield from _passing(tenant, which, after, at)
    if follow:
        yield from _coming(tenant, which, at)


def _passing(tenant: int, which: "Filter", after: int, to: int) -> "Iterator[RecordedEvent]":
    """Yield what passes of the events after one number and up to another."""
    from db.engine import begin
    from db.log import by_seq

    while after < to:
        with begin("reader", tenant) as session:
            found, reached = by_seq.after(session, tenant, which, after, 500)
        yield from (event for event in found if event.seq <= to)
        after = to if reached is None else reached


def _coming(tenant: int, which: "Filter", after: int) -> "Iterator[RecordedEvent]":
    """Yield what passes of the events that come. The follower says that there are some; the filter is the database's."""
    from db.log.events import Filter
    from feed.follow import Follower

    with Follower(tenant, after) as follower:
        while True:
            coming = follower.read()
            if not coming or which == Filter():
                yield from coming
            else:
                yield from _passing(tenant, which, coming[0].seq - 1, coming[-1].seq)


def stats(tenant: TenantOption = None, json: Json = False) -> None:
    """Show where the log stands: how many events, how fast they come, which types, how many wait."""
    import msgspec

    found = resolve(tenant)
    figures = _figures(found)
    if json:
        typer.echo(msgspec.json.encode(figures).decode())
        return
    typer.echo(
        f"{found.slug}: {figures['events']:,} events, the last recorded {figures['last_recorded_at'] or 'never'}"
    )
    typer.echo(
        f"recorded in the last minute {figures['last_minute']:,}, hour {figures['last_hour']:,}, day {figures['last_day']:,}"
    )
    typer.echo(f"waiting in the outbox {figures['waiting']:,}")
    for name, number in figures["types"].items():
        typer.echo(f"  {name:<30} {number:>8,}{' or more' if number == figures['types_counted_to'] else ''}")


def _figures(tenant: "Tenant", cap: int = 10_000) -> dict[str, Any]:
    from db.engine import begin
    from db.log import backlog, events, heads

    now = datetime.now(UTC)
    spans = {
        "last_minute": timedelta(minutes=1),
        "last_hour": timedelta(hours=1),
        "last_day": timedelta(days=1),
    }
    with begin("reader", tenant.id) as session:
        head = heads.head(session, tenant.id)
        last = events.get(session, tenant.id, head.seq)
        types = events.counts(session, tenant.id, cap)
        rates = {
            name: head.seq - min(head.seq, events.seq_at(session, tenant.id, now - span))
            for name, span in spans.items()
        }
        waiting = backlog.waiting(session, [tenant.id], 1_000_000)
    return {
        "tenant": tenant.slug,
        "tenant_id": tenant.id,
        "epoch": head.epoch,
        "events": head.seq,
        "last_recorded_at": last.recorded_at if last else None,
        **rates,
        "waiting": waiting,
        "types": dict(sorted(types.items(), key=lambda item: (-item[1], item[0]))),
        "types_counted_to": cap,
    }


def line(event: "RecordedEvent") -> str:
    """An event on one line, for people: its number, when it happened, who did what, and what it is about."""
    from activity.catalogue import CATALOGUE, summarise

    known = CATALOGUE.get(event.type)
    who = (
        event.contact_id
        if known and known.by_contact and event.actor == "system" and event.contact_id
        else event.actor
    )
    about = event.account_id or event.contact_id or f"{event.record_type}:{event.record_id}"
    return f"{event.seq:>7}  {_time(event.occurred_at)}  {who} {summarise(event.type, event.version, event.payload)}  [{about}]"


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%MZ")
