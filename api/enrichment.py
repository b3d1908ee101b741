"""Routes for enrichment: enrich now, where values come from, and what it costs."""

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
from db.enrichment import ledger, passes, provenance, providers
from db.enrichment.provenance import FieldSource
from db.records import values
from db.records.values import EnrichedKind, RecordNotFound
from producers.enrichment import FieldNotFound, Priority, ask
from producers.enrichment.outcome.merge import same

router = APIRouter(prefix="/v1", tags=["enrichment"])


class EnrichmentRequest(msgspec.Struct, forbid_unknown_fields=True):
    """What to enrich; all configured fields where none are named."""

    fields: Annotated[list[str], Meta(max_length=200)] | None = None


class RequestedPass(msgspec.Struct):
    """The pass that was requested, or that was in flight already. It ends in the event `event_id`."""

    pass_id: int
    state: str
    event_id: str
    fields: list[str]


class FieldProvenance(msgspec.Struct):
    """Where one field's value comes from.

    `entered`: a person or an import has changed it since, and no provider will overwrite it.
    """

    value: Any
    provider: str | None = None
    confidence: float | None = None
    cost: Decimal | None = None
    obtained_at: datetime | None = None
    pass_id: int | None = None
    entered: bool = False


class RecordProvenance(msgspec.Struct):
    """Every field of a record that has a value, with its source.

    `enriched_by` is the provider that last changed something.
    """

    fields: dict[str, FieldProvenance]
    enriched_by: str | None
    enriched_at: datetime | None


class ProviderHealth(msgspec.Struct):
    """How a provider is doing; `open_until` is set while its circuit breaker leaves it alone.

    Its failures are everybody's. What a call failed with may name what another workspace asked about, so
    that `reason` is always null: `activity enrichment providers` shows it to the operator.
    """

    name: str
    failures: int
    open_until: datetime | None
    reason: str | None
    failed_at: datetime | None


class EnrichmentStatus(msgspec.Struct):
    """What this workspace has spent on enrichment this month, and how the providers are doing."""

    month: str
    spent: Decimal
    reserved: Decimal
    calls: int
    repeats: int
    providers: list[ProviderHealth]


def _checked(kind: EnrichedKind, record_id: str) -> str:
    """Return an id that a record can have."""
    if "\0" in record_id:
        raise Problem("not-found", f"this workspace has no {kind} with such an id")
    return record_id


def _ask(kind: EnrichedKind, record_id: str, caller: Caller, wanted: EnrichmentRequest) -> Response:
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
    return json_response(RequestedPass(row.id, row.state, str(row.event_id), list(row.fields)), 202)


@router.post(
    "/accounts/{record_id}/enrich",
    status_code=202,
    responses=answers(RequestedPass, 202, "Asked for", 404),
    openapi_extra=takes(EnrichmentRequest),
)
def enrich_account(
    record_id: str, caller: Writer, wanted: Annotated[EnrichmentRequest, Depends(body(EnrichmentRequest))]
) -> Response:
    """Enrich an account now: the pass goes before those that no user waits for."""
    return _ask("account", record_id, caller, wanted)


@router.post(
    "/contacts/{record_id}/enrich",
    status_code=202,
    responses=answers(RequestedPass, 202, "Asked for", 404),
    openapi_extra=takes(EnrichmentRequest),
)
def enrich_contact(
    record_id: str, caller: Writer, wanted: Annotated[EnrichmentRequest, Depends(body(EnrichmentRequest))]
) -> Response:
    """Enrich a contact now: the pass goes before those that no user waits for."""
    return _ask("contact", record_id, caller, wanted)


def _provenance(kind: EnrichedKind, record_id: str, caller: Caller) -> Response:
    key = (caller.tenant, _checked(kind, record_id))
    with begin("reader", caller.tenant) as session:
        record = values.current(session, kind, [key]).get(key)
        if record is None:
            raise Problem("not-found", f"this workspace has no {kind} {record_id!r:.80}")
        sources = provenance.of(session, kind, [key]).get(key, {})
        provider, ended_at = provenance.last_change(session, caller.tenant, kind, record_id)
    fields = {name: _source(value, sources.get(name)) for name, value in sorted(record.current.items())}
    return json_response(RecordProvenance(fields, provider, ended_at))


def _source(value: object, source: FieldSource | None) -> FieldProvenance:
    if source is None:
        return FieldProvenance(value, entered=True)
    return FieldProvenance(
        value,
        source.provider,
        source.confidence,
        source.cost,
        source.obtained_at,
        source.pass_id,
        not same(value, source.value),
    )


@router.get("/accounts/{record_id}/provenance", responses=answers(RecordProvenance, 200, "Done", 404))
def account_provenance(record_id: str, caller: Reader) -> Response:
    """Return where each value of an account comes from."""
    return _provenance("account", record_id, caller)


@router.get("/contacts/{record_id}/provenance", responses=answers(RecordProvenance, 200, "Done", 404))
def contact_provenance(record_id: str, caller: Reader) -> Response:
    """Return where each value of a contact comes from."""
    return _provenance("contact", record_id, caller)


@router.get("/enrichment", responses=answers(EnrichmentStatus))
def enrichment_status(caller: Reader) -> Response:
    """Return what enrichment has cost this month, and how each provider is doing."""
    month = datetime.now(UTC).date().replace(day=1)
    with begin("reader", caller.tenant) as session:
        spent = ledger.spend(session, caller.tenant, month)
        health = [ProviderHealth(*state._replace(reason=None)) for state in providers.states(session)]
    return json_response(EnrichmentStatus(f"{month:%Y-%m}", **spent._asdict(), providers=health))
