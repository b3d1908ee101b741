"""`activity feed`, `show` and `tail`: the log, read in a terminal or by a script."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from activity.errors import ActivityError
from cli.errors import FINDING, INTERRUPTED
from cli.log.filters import FilterOptions, filtered, moment_of
from cli.output import Json, print_each, print_json
from cli.workspace import TenantOption, resolve, workspace

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from cli.log.shown import ShownEvent
    from db.log.reading.filter import Filter


@filtered
def feed(
    filters: FilterOptions,
    tenant: TenantOption = None,
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

    from cli.log.shown import line, shown, time_of
    from feed import pages

    times = {"since": moment_of("--since", since), "until": moment_of("--until", until)}
    with workspace(tenant, "reader") as (session, number):
        which = msgspec.structs.replace(filters.filter(), **times, as_of=_as_of(session, number, as_of))
        page = pages.by_occurred(session, number, which, cursor, limit)
        events = shown(session, number, page.events, which.as_of)
    if json:
        print_json({"events": events, "cursor": page.cursor, "looked_to": page.looked_to})
        return
    for event in events:
        typer.echo(line(event))
    if page.looked_to:
        typer.echo(f"looked back to {time_of(page.looked_to)}; there may be more", err=True)
    if page.cursor:
        typer.echo(f"next page: --cursor {page.cursor}", err=True)


def _as_of(session: "Session", tenant: int, text: str | None) -> int | None:
    from db.log.reading import by_seq

    if text is None or text.isdigit():
        return None if text is None else int(text)
    moment = moment_of("--as-of", text)
    return by_seq.seq_at(session, tenant, moment) if moment else None


def show(
    ref: Annotated[str, typer.Argument(metavar="ID", help="The event's number, or its event_id.")],
    tenant: TenantOption = None,
    causes: Annotated[
        bool, typer.Option("--causes", help="Also what made it happen, and what it made happen.")
    ] = False,
    json: Json = False,
) -> None:
    """Show one event, whole."""
    from cli.log.shown import line, shown
    from db.log.reading import by_seq, lineage

    with workspace(tenant, "reader") as (session, number):
        found = by_seq.get(session, number, _ref(ref))
        if found is None:
            typer.echo(f"activity: the tenant has no event {ref}", err=True)
            raise typer.Exit(FINDING)
        (event,) = shown(session, number, [found])
        up = shown(session, number, lineage.causes(session, number, event.event_id) if causes else [])
        down = shown(session, number, lineage.effects(session, number, event.event_id) if causes else [])
    if json:
        print_json({"event": event, "causes": up, "effects": down} if causes else event)
        return
    for cause in reversed(up):
        typer.echo(f"because  {line(cause)}")
    typer.echo(f"{'event    ' if causes else ''}{line(event)}")
    for effect in down:
        typer.echo(f"so       {line(effect)}")
    typer.echo(_indented(event))


def _indented(event: "ShownEvent") -> str:
    import msgspec

    decoded = msgspec.structs.replace(event, payload=event.fields() or None)  # null where it is too deep
    return msgspec.json.format(msgspec.json.encode(decoded), indent=2).decode()


def _ref(text: str) -> int | UUID:
    if text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    try:
        return UUID(text)
    except ValueError:
        raise ActivityError(f"{text!r} is neither an event's number nor its event_id") from None


@filtered
def tail(
    filters: FilterOptions,
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
    json: Json = False,
) -> None:
    """Print events in the order of their numbers; with --json one JSON object a line."""
    from cli.log.shown import line

    which = filters.filter()
    try:
        print_each(_tail(resolve(tenant).id, which, follow, last, after), line, json)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def _tail(tenant: int, which: "Filter", follow: bool, last: int, after: int | None) -> "Iterator[ShownEvent]":
    from cli.log.shown import shown
    from db.engine import begin
    from db.log import heads
    from db.log.reading import by_seq

    with begin("reader", tenant) as session:
        at = heads.head(session, tenant).seq
        wanted = last if after is None else 0
        recent = by_seq.before(session, tenant, which, at + 1, wanted).events if wanted else []
        first = shown(session, tenant, recent[::-1])
    yield from first
    if after is not None:
        yield from _passing(tenant, which, after, at)
    if follow:
        yield from _coming(tenant, which, at)


def _passing(tenant: int, which: "Filter", after: int, to: int) -> "Iterator[ShownEvent]":
    """Yield the events that pass the filter, after one number and up to another."""
    from cli.log.shown import shown
    from db.engine import begin
    from db.log.reading import by_seq

    while after < to:
        with begin("reader", tenant) as session:
            found, reached = by_seq.after(session, tenant, after, 500, which)
            page = shown(session, tenant, [event for event in found if event.seq <= to])
        yield from page
        after = to if reached is None else reached


def _coming(tenant: int, which: "Filter", after: int) -> "Iterator[ShownEvent]":
    """Yield the events that come and pass the filter: the follower notices them, the database filters."""
    from feed.follow import Follower

    with Follower(tenant, after) as follower:
        while True:
            if coming := follower.read():
                yield from _passing(tenant, which, coming[0].seq - 1, coming[-1].seq)
