"""The ledger of who may not be written to: looked at, explained, added to, lifted; and consent."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Response
from msgspec import Meta
from sqlalchemy.orm import Session

from activity.errors import InvalidEvent
from api.access.callers import Caller, Reader
from api.access.limits import Writer
from api.http.encoding import answers, body, json_response, takes
from api.http.problems import Problem
from db.engine import begin
from db.mail import suppression as ledger
from db.mail.suppression import REASONS, Reason
from producers.mail import suppressions
from producers.mail.suppressions import ByHand, InvalidTarget, SuppressionNotFound

router = APIRouter(prefix="/v1", tags=["mail"])

Target = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=320,
        pattern=r"^[^\x00-\x1f\x7f-\x9f]*$",
        description="An address, or a domain with all beneath it",
    ),
]
Note = Annotated[str, Meta(max_length=1000, pattern=r"^[^\x00]*$", description="Why, in words")]
Address = Annotated[
    str, Path(max_length=320, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$", description="An address or a domain")
]


class SuppressionEntry(msgspec.Struct):
    """One reason not to write to an address or a domain; it counts until it is lifted."""

    id: int
    target: str
    reason: Reason
    note: str | None
    source: str
    actor: str
    cause_id: UUID | None
    added_at: datetime
    lifted_at: datetime | None
    lifted_by: str | None
    lift_note: str | None


class SuppressionPage(msgspec.Struct):
    """Suppressions that count, the newest first. Go on with `before` of `next_before` while it is there."""

    suppressions: list[SuppressionEntry]
    next_before: int | None


class AddressStanding(msgspec.Struct):
    """Whether an address may be written to, and all that was ever recorded of it and its domains.

    `refusal` is null where mail may go.
    """

    target: str
    refusal: str | None
    reasons: list[Reason]
    consent: bool | None
    history: list[SuppressionEntry]


class Suppressing(msgspec.Struct, forbid_unknown_fields=True):
    """Whom to suppress, and why."""

    targets: Annotated[list[Target], Meta(min_length=1, max_length=1000)]
    reason: Reason = "manual"
    note: Note | None = None


class Suppressed(msgspec.Struct):
    """For how many addresses and domains the reason is new; for the rest it stood already."""

    new: int
    standing: int


class Lifting(msgspec.Struct, forbid_unknown_fields=True):
    """What to lift: every reason, or some."""

    target: Target
    reasons: Annotated[tuple[Reason, ...], Meta(min_length=1, max_length=6)] = REASONS
    note: Note | None = None


class Lifted(msgspec.Struct):
    """For which reasons the target was suppressed, and what still keeps mail away, if anything."""

    lifted: list[Reason]
    refusal: str | None


class Consenting(msgspec.Struct, forbid_unknown_fields=True):
    """That the owner of an address agreed to mail, or withdrew that."""

    address: Target
    granted: bool
    note: Note | None = None


class Consented(msgspec.Struct):
    """Whether that is new, and what keeps mail away now, if anything."""

    new: bool
    refusal: str | None


@router.get("/suppressions", responses=answers(SuppressionPage))
def list_suppressions(
    caller: Reader,
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """List the suppressions that count."""
    with begin("reader", caller.tenant) as session:
        found = ledger.list_standing(session, caller.tenant, limit, before)
    more = found[-1].id if len(found) == limit else None
    return json_response(SuppressionPage([SuppressionEntry(*one) for one in found], more))


@router.get("/suppressions/{address}", responses=answers(AddressStanding))
def explain_suppression(address: Address, caller: Reader) -> Response:
    """Say whether an address may be written to, and why not."""
    with begin("reader", caller.tenant) as session:
        standing = ledger.check(session, caller.tenant, address)
        history = [SuppressionEntry(*one) for one in ledger.history(session, caller.tenant, address)]
    known = ledger.key(address)
    reasons = list(standing.reasons)
    return json_response(AddressStanding(known, standing.refusal(), reasons, standing.consent, history))


@router.post("/suppressions", responses=answers(Suppressed), openapi_extra=takes(Suppressing))
def suppress(caller: Writer, wanted: Annotated[Suppressing, Depends(body(Suppressing))]) -> Response:
    """Suppress addresses and domains: nothing is sent to them until that is lifted."""
    with _ledger(caller) as session:
        new = suppressions.suppress(
            session, caller.tenant, wanted.targets, wanted.reason, _hand(caller, wanted.note)
        )
    return json_response(Suppressed(new, len({ledger.key(one) for one in wanted.targets}) - new))


@router.post("/suppressions/lift", responses=answers(Lifted, 200, "Done", 404), openapi_extra=takes(Lifting))
def lift_suppression(caller: Writer, wanted: Annotated[Lifting, Depends(body(Lifting))]) -> Response:
    """Lift what keeps mail from an address or a domain; consent that was withdrawn stays so."""
    with _ledger(caller) as session:
        lifted = suppressions.lift(
            session, caller.tenant, wanted.target, _hand(caller, wanted.note), wanted.reasons
        )
        refusal = ledger.check(session, caller.tenant, wanted.target).refusal()
    return json_response(Lifted(lifted, refusal))


@router.post("/consents", responses=answers(Consented), openapi_extra=takes(Consenting))
def set_consent(caller: Writer, wanted: Annotated[Consenting, Depends(body(Consenting))]) -> Response:
    """Record consent that was given or withdrawn. Given, it lifts an unsubscription, and nothing else."""
    with _ledger(caller) as session:
        new = suppressions.set_consent(
            session, caller.tenant, wanted.address, wanted.granted, _hand(caller, wanted.note)
        )
        refusal = ledger.check(session, caller.tenant, wanted.address).refusal()
    return json_response(Consented(new, refusal))


@contextmanager
def _ledger(caller: Caller) -> Iterator[Session]:
    try:
        with begin("producer", caller.tenant) as session:
            yield session
    except (InvalidTarget, InvalidEvent) as error:
        raise Problem("invalid", str(error)) from None
    except SuppressionNotFound as error:
        raise Problem("not-found", str(error)) from None


def _hand(caller: Caller, note: str | None) -> ByHand:
    return ByHand(caller.actor, "api", note)
