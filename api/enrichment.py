"""Enrich now, and where each value is from."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Response
from msgspec import Meta

from api.access.callers import Caller, Reader
from api.access.limits import Writer
from api.http.encoding import answers, body, json_response, takes
from api.http.problems import Problem
from db.engine import begin
from db.enrichment import ledger, passes, provenance
from db.records.values import RecordNotFound
from producers.enrichment import FieldNotFound, Priority, ask
from producers.enrichment.configuration import Kind
from producers.enrichment.merge import same

router = APIRouter(prefix="/v1", tags=["enrichment"])


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """What to enrich; all configured fields where none are named."""

    fields: Annotated[list[str], Meta(max_length=200)] | None = None


class Asked(msgspec.Struct):
    """The pass that was asked for, or that was in flight already. Its end is the event `event_id`."""

    pass_id: int
    state: str
    event_id: str
    fields: list[str]


class Source(msgspec.Struct):
    """Where one field's value is from. `entered` says that a person or an import has changed it since: no provider will overwrite it."""

    value: Any
    provider: str | None = None
    confidence: float | None = None
    cost: Decimal | None = None
    obtained_at: datetime | None = None
    pass_id: int | None = None
    entered: bool = False


class Provenance(msgspec.Struct):
    """Every field of a record that has a value, with its source; `enriched_by` is the provider that last changed something."""

    fields: dict[str, Source]
    enriched_by: str | None
    enriched_at: datetime | None


class ProviderHealth(msgspec.Struct):
    """How a provider is doing; `open_until` is set while its circuit breaker leaves it alone."""

    name: str
    failures: int
    open_until: datetime | None
    reason: str | None
    failed_at: datetime | None


class Standing(msgspec.Struct):
    """What this workspace has spent on enrichment this month, and how the providers are doing."""

    month: str
    spent: Decimal
    reserved: Decimal
    calls: int
    repeats: int
    providers: list[ProviderHealth]


def _checked(kind: Kind, record_id: str) -> str:
    """Return an id that a record can have."""
    if "\0" in record_id:
        raise Problem("not-found", f"this workspace has no {kind} with such an id")
    return record_id


def _ask(kind: Kind, record_id: str, caller: Caller, wanted: Wanted) -> Response:
    with begin("producer", caller.tenant) as session:
        try:
            pass_id = ask(
                session,
                caller.tenant,
                kind,
                _checked(kind, record_id),
                wanted.fields,
                priority=Priority.NOW,
                by=caller.actor,
            )
        except RecordNotFound as error:
            raise Problem("not-found", str(error)) from None
        except FieldNotFound as error:
            raise Problem("invalid", str(error), [{"pointer": "/fields", "detail": str(error)}]) from None
        row = passes.get_pass(session, caller.tenant, pass_id)
        assert row is not None
    return json_response(Asked(row.id, row.state, str(row.event_id), list(row.fields)), 202)


@router.post(
    "/accounts/{record_id}/enrich",
    status_code=202,
    responses=answers(Asked, 202, "Asked for", 404),
    openapi_extra=takes(Wanted),
)
def enrich_account(
    record_id: str, caller: Writer, wanted: Annotated[Wanted, Depends(body(Wanted))]
) -> Response:
    """Enrich an account now: the pass goes before all that nobody waits for."""
    return _ask("account", record_id, caller, wanted)


@router.post(
    "/contacts/{record_id}/enrich",
    status_code=202,
    responses=answers(Asked, 202, "Asked for", 404),
    openapi_extra=takes(Wanted),
)
def enrich_contact(
    record_id: str, caller: Writer, wanted: Annotated[Wanted, Depends(body(Wanted))]
) -> Response:
    """Enrich a contact now: the pass goes before all that nobody waits for."""
    return _ask("contact", record_id, caller, wanted)


def _provenance(kind: Kind, record_id: str, caller: Caller) -> Response:
    key = (caller.tenant, _checked(kind, record_id))
    with begin("reader", caller.tenant) as session:
        record = provenance.read(session, kind, caller.tenant, record_id)
        if record is None:
            raise Problem("not-found", f"this workspace has no {kind} {record_id!r:.80}")
        known = provenance.of(session, kind, [key]).get(key, {})
        last = provenance.latest(session, caller.tenant, kind, record_id)
    fields = {name: _source(value, known.get(name)) for name, value in sorted(record.items())}
    return json_response(Provenance(fields, last and last.provider, last and last.ended_at))


def _source(value: Any, row: Any) -> Source:
    if row is None:
        return Source(value, entered=True)
    return Source(
        value,
        row.provider,
        row.confidence,
        row.cost,
        row.obtained_at,
        row.pass_id,
        not same(value, row.value),
    )


@router.get("/accounts/{record_id}/provenance", responses=answers(Provenance, 200, "Done", 404))
def account_provenance(record_id: str, caller: Reader) -> Response:
    """Say where each value of an account is from."""
    return _provenance("account", record_id, caller)


@router.get("/contacts/{record_id}/provenance", responses=answers(Provenance, 200, "Done", 404))
def contact_provenance(record_id: str, caller: Reader) -> Response:
    """Say where each value of a contact is from."""
    return _provenance("contact", record_id, caller)


@router.get("/enrichment", responses=answers(Standing))
def standing(caller: Reader) -> Response:
    """Say what enrichment has cost this month, and how each provider is doing."""
    month = datetime.now(UTC).date().replace(day=1)
    with begin("reader", caller.tenant) as session:
        spent = ledger.spend(session, caller.tenant, month)
        health = [
            ProviderHealth(one.name, one.failures, one.open_until, one.reason, one.failed_at)
            for one in ledger.providers(session)
        ]
    return json_response(
        Standing(f"{month:%Y-%m}", spent.spent, spent.reserved, spent.calls, spent.repeats, health)
    )
