"""`activity stats`: where a workspace's log stands."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import typer

from cli.output import Json, print_json
from cli.workspace import TenantOption, resolve

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.orm import Session

    from db.records.records import Tenant

_COUNTED_TO = 10_000  # events of one type; counting all of a large log would take minutes
_WAITING_TO = 1_000_000


class Stats(NamedTuple):
    """Where a log stands; `types` counts its events by type, each up to `types_counted_to`."""

    tenant: str
    tenant_id: int
    epoch: "UUID"
    events: int
    last_recorded_at: datetime | None
    last_minute: int
    last_hour: int
    last_day: int
    waiting: int
    types: dict[str, int]
    types_counted_to: int


def stats(tenant: TenantOption = None, json: Json = False) -> None:
    """Show where the log stands: how many events, how fast they come, which types, how many wait."""
    found = _stats(resolve(tenant))
    if json:
        print_json(found)
        return
    typer.echo(
        f"{found.tenant}: {found.events:,} events, the last recorded {found.last_recorded_at or 'never'}"
    )
    typer.echo(
        f"recorded in the last minute {found.last_minute:,}, hour {found.last_hour:,}, day {found.last_day:,}"
    )
    typer.echo(f"waiting in the outbox {found.waiting:,}")
    for name, number in found.types.items():
        typer.echo(f"  {name:<30} {number:>8,}{' or more' if number == _COUNTED_TO else ''}")


def _stats(tenant: "Tenant") -> Stats:
    from db.engine import begin
    from db.log import backlog, heads
    from db.log.reading import by_seq, counts

    with begin("reader", tenant.id) as session:
        head = heads.head(session, tenant.id)
        last = by_seq.get(session, tenant.id, head.seq)
        types = counts.by_type(session, tenant.id, _COUNTED_TO)
        return Stats(
            tenant=tenant.slug,
            tenant_id=tenant.id,
            epoch=head.epoch,
            events=head.seq,
            last_recorded_at=last.recorded_at if last else None,
            last_minute=_recorded_within(session, tenant.id, head.seq, timedelta(minutes=1)),
            last_hour=_recorded_within(session, tenant.id, head.seq, timedelta(hours=1)),
            last_day=_recorded_within(session, tenant.id, head.seq, timedelta(days=1)),
            waiting=backlog.waiting(session, [tenant.id], _WAITING_TO),
            types=dict(sorted(types.items(), key=lambda item: (-item[1], item[0]))),
            types_counted_to=_COUNTED_TO,
        )


def _recorded_within(session: "Session", tenant: int, head: int, span: timedelta) -> int:
    from db.log.reading import by_seq

    return head - min(head, by_seq.seq_at(session, tenant, datetime.now(UTC) - span))
