"""One account, contact or opportunity: read, made, changed; for hosts that store theirs elsewhere."""

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Path, Request, Response
from msgspec import Meta
from pydantic import StringConstraints
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from api.access.callers import Caller, Reader
from api.access.limits import Editor
from api.http.encoding import answers, body, json_response, takes
from api.http.problems import Problem
from api.log import receipts
from api.log.receipts import Receipt, headers_of, numbered, wait_of
from db.engine import begin
from db.records import records
from db.records.records import Account, Address, Contact, Id, Name, Opportunity
from db.records.values import RecordNotFound
from producers.records import upserts
from producers.records.upserts import ChangeContext, Changed

router = APIRouter(prefix="/v1", tags=["records"])

Key = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$"),
    Path(description="The record's id"),
]
Stage = Annotated[str, Meta(min_length=1, max_length=320, pattern=r"^[^\x00-\x1f\x7f]*$")]
_PROBLEMS = (404, 413, 415)


class AccountIn(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """An account; what is left out stays as it is."""

    name: Stage | None = None
    parent_id: Id | None = None
    domain: Name | None = None
    owner_email: Address | None = None
    fields: dict[str, Any] = {}


class ContactIn(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A contact; what is left out stays as it is."""

    account_id: Id | None = None
    name: Name | None = None
    email: Address | None = None
    owner_email: Address | None = None
    fields: dict[str, Any] = {}


class OpportunityIn(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A deal; what is left out stays as it is."""

    account_id: Id | None = None
    name: Name | None = None
    stage: Name | None = None
    amount: Annotated[str, Meta(pattern=r"^-?[0-9]{1,15}(\.[0-9]{1,2})?$")] | None = None
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")] | None = None
    owner_email: Address | None = None
    fields: dict[str, Any] = {}


class StageIn(msgspec.Struct, forbid_unknown_fields=True):
    """Where a deal moves, and whether it ends there."""

    to_stage: Stage
    outcome: Literal["won", "lost"] | None = None
    reason: Annotated[str, Meta(max_length=4000)] | None = None


class AccountOut(msgspec.Struct):
    """An account with its place: the one above, those directly beneath, and its people."""

    record: Account
    parent: Account | None
    children: list[Account]
    contacts: list[Contact]


class ContactOut(msgspec.Struct):
    """A contact."""

    record: Contact


class OpportunityOut(msgspec.Struct):
    """A deal."""

    record: Opportunity


class Put(msgspec.Struct):
    """A record as it is now, whether it is new, and a receipt for each event."""

    record: dict[str, Any]
    created: bool
    events: list[Receipt]


_CHANGED = answers(Put, 200, "Changed, or as it was", *_PROBLEMS) | answers(Put, 201, "Made", *_PROBLEMS)


@router.get("/accounts/{key}", responses=answers(AccountOut, 200, "The account", 404))
def get_account(caller: Reader, key: Key) -> Response:
    """Return an account with its parent, its children and its contacts."""
    with begin("reader", caller.tenant) as session:
        account = _get(session, caller.tenant, Account, key)
        parent = (
            records.get(session, caller.tenant, Account, account.parent_id) if account.parent_id else None
        )
        found = AccountOut(
            account,
            parent,
            list(records.children(session, caller.tenant, key)),
            list(records.contacts_of(session, caller.tenant, key)),
        )
    return json_response(found)


@router.get("/contacts/{key}", responses=answers(ContactOut, 200, "The contact", 404))
def get_contact(caller: Reader, key: Key) -> Response:
    """Return a contact."""
    with begin("reader", caller.tenant) as session:
        return json_response(ContactOut(_get(session, caller.tenant, Contact, key)))


@router.get("/opportunities/{key}", responses=answers(OpportunityOut, 200, "The deal", 404))
def get_opportunity(caller: Reader, key: Key) -> Response:
    """Return an opportunity."""
    with begin("reader", caller.tenant) as session:
        return json_response(OpportunityOut(_get(session, caller.tenant, Opportunity, key)))


def _get(session: Session, tenant: int, kind: type[records.R], key: str) -> records.R:
    found = records.get(session, tenant, kind, key)
    if found is None:
        raise Problem("not-found", f"there is no {kind.__name__.lower()} {key!r}")
    return found


@router.put("/accounts/{key}", responses=_CHANGED, openapi_extra=takes(AccountIn))
async def put_account(
    request: Request, caller: Editor, key: Key, given: Annotated[AccountIn, Depends(body(AccountIn))]
) -> Response:
    """Make or change an account, and emit what changed in the same transaction."""
    return await _put(request, caller, Account(id=key, **msgspec.structs.asdict(given)))


@router.put("/contacts/{key}", responses=_CHANGED, openapi_extra=takes(ContactIn))
async def put_contact(
    request: Request, caller: Editor, key: Key, given: Annotated[ContactIn, Depends(body(ContactIn))]
) -> Response:
    """Make or change a contact, and emit what changed in the same transaction."""
    return await _put(request, caller, Contact(id=key, **msgspec.structs.asdict(given)))


@router.put("/opportunities/{key}", responses=_CHANGED, openapi_extra=takes(OpportunityIn))
async def put_opportunity(
    request: Request, caller: Editor, key: Key, given: Annotated[OpportunityIn, Depends(body(OpportunityIn))]
) -> Response:
    """Make or change a deal, and emit what changed in the same transaction."""
    fields = msgspec.structs.asdict(given) | {
        "amount": None if given.amount is None else Decimal(given.amount)
    }
    return await _put(request, caller, Opportunity(id=key, **fields))


@router.post("/opportunities/{key}/stage", responses=_CHANGED, openapi_extra=takes(StageIn))
async def move_deal(
    request: Request, caller: Editor, key: Key, wanted: Annotated[StageIn, Depends(body(StageIn))]
) -> Response:
    """Move a deal to a stage and emit it. A repeat with the same Idempotency-Key moves nothing."""
    move = upserts.DealMove(key, wanted.to_stage, wanted.outcome, wanted.reason)
    return await _change(request, caller, partial(upserts.move, wanted=move))


async def _put(request: Request, caller: Caller, record: upserts.R) -> Response:
    def put(context: ChangeContext) -> Changed:
        with begin("producer", context.tenant) as session:
            return upserts.put(session, context, record)

    return await _change(request, caller, put)


async def _change(request: Request, caller: Caller, work: Callable[[ChangeContext], Changed]) -> Response:
    key = receipts.key_of(request)
    context = ChangeContext(
        caller.tenant, caller.actor, "api", receipts.event_id(caller, key) if key else None
    )
    try:
        changed = await run_in_threadpool(work, context)
    except RecordNotFound as error:
        raise Problem("not-found", str(error)) from None
    accepted = [Receipt(event.event_id, "accepted") for event in changed.events]
    answered = await numbered(caller, accepted, changed.events, wait_of(request))
    made = {"record": changed.record, "created": changed.created, "events": answered}
    return json_response(made, 201 if changed.created else 200, headers_of(request))
