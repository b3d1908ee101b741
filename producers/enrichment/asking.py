"""Requests for enrichment. A pass is a row that waits, so a request fits into the caller's transaction."""

from collections.abc import Collection, Iterable
from enum import IntEnum
from uuid import UUID

from sqlalchemy.orm import Session

from activity.errors import ActivityError
from db.enrichment import passes
from db.records import values
from db.records.values import EnrichedKind, RecordNotFound
from producers.enrichment.configuration import configuration
from worker.nudge import nudge_after_commit

TASK = "enrichment.run"


class Priority(IntEnum):
    """How urgent a pass is, by what asked for it. The smallest goes first."""

    NOW = 0  # a user pressed "Enrich now"
    PLAYBOOK = 3
    IMPORT = 6
    SCHEDULE = 9


class FieldNotFound(ActivityError):
    """A field that no provider is configured for; the message names those that exist."""


def ask(
    session: Session,
    tenant: int,
    kind: EnrichedKind,
    record_id: str,
    fields: Collection[str] | None = None,
    *,
    priority: Priority = Priority.NOW,
    by: str = "system",
    cause_id: UUID | None = None,
) -> int:
    """Queue a pass over an account or contact, or join the one in flight over the same fields; return its id.

    `fields` are the wanted fields, by default all that are configured; `by` is a user's e-mail address or
    'system'; `cause_id` is the event that made this happen, which automation always names. The session is a
    producer's that names the tenant. Raises RecordNotFound or FieldNotFound.
    """
    asked = ask_all(session, tenant, kind, [record_id], fields, priority=priority, by=by, cause_id=cause_id)
    return asked[record_id]


def ask_all(
    session: Session,
    tenant: int,
    kind: EnrichedKind,
    record_ids: Iterable[str],
    fields: Collection[str] | None = None,
    *,
    priority: Priority,
    by: str = "system",
    cause_id: UUID | None = None,
) -> dict[str, int]:
    """Do as `ask` for many records of one kind; return the pass of each by record id."""
    wanted = wanted_fields(kind, fields)
    ids = sorted(set(record_ids))
    missing = set(ids) - values.existing(session, tenant, kind, ids)
    if missing:
        raise RecordNotFound(f"no {kind} {min(missing)!r}: give the id of one of the workspace's {kind}s")
    asked = passes.ask(
        session, tenant, kind, ids, wanted, priority=int(Priority(priority)), by=by, cause=cause_id
    )
    nudge_after_commit(session, TASK)
    return asked


def wanted_fields(kind: EnrichedKind, fields: Collection[str] | None) -> list[str]:
    """Return the fields of a pass in order: all that are configured, or those named. Raises FieldNotFound."""
    known = configuration().fields_of(kind)
    unknown = sorted(set(fields or ()) - set(known))
    names = ", ".join(sorted(known)) or "none: configure some in ACTIVITY_ENRICHMENT_CONFIG"
    if unknown:
        raise FieldNotFound(f"no {kind} field {unknown[0]!r} to enrich; there are: {names}")
    if not known or (fields is not None and not fields):
        raise FieldNotFound(f"name a {kind} field to enrich; there are: {names}")
    return sorted(fields or known)
