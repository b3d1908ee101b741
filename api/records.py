"""Accounts, contacts and opportunities, for hosts that keep theirs elsewhere and for the page's headings."""

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
from db.log import by_seq
from db.records import records
from db.records.records import Account, Address, Contact, Id, Name, Opportunity, Record
from db.records.values import RecordNotFound
from producers.records import upserts
from producers.records.upserts import Changed, Said

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
    """A record as it is now, whether it is new, and a receipt for each event that says what changed."""

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
    request: Request, caller: Editor, key: Key, said: Annotated[AccountIn, Depends(body(AccountIn))]
) -> Response:
    """Make or change an account, and say what happened in the same transaction."""
    return await _put(request, caller, Account(id=key, **msgspec.structs.asdict(said)))


@router.put("/contacts/{key}", responses=_CHANGED, openapi_extra=takes(ContactIn))
async def put_contact(
    request: Request, caller: Editor, key: Key, said: Annotated[ContactIn, Depends(body(ContactIn))]
) -> Response:
    """Make or change a contact, and say what happened in the same transaction."""
    return await _put(request, caller, Contact(id=key, **msgspec.structs.asdict(said)))


@router.put("/opportunities/{key}", responses=_CHANGED, openapi_extra=takes(OpportunityIn))
async def put_opportunity(
    request: Request, caller: Editor, key: Key, said: Annotated[OpportunityIn, Depends(body(OpportunityIn))]
) -> Response:
    """Make or change a deal, and say what happened in the same transaction."""
    fields = msgspec.structs.asdict(said) | {"amount": None if said.amount is None else Decimal(said.amount)}
    return await _put(request, caller, Opportunity(id=key, **fields))


@router.post("/opportunities/{key}/stage", responses=_CHANGED, openapi_extra=takes(StageIn))
async def move_deal(
    request: Request, caller: Editor, key: Key, said: Annotated[StageIn, Depends(body(StageIn))]
) -> Response:
    """Move a deal to a stage and say so, in one transaction. A repeat with the same Idempotency-Key moves nothing."""
    who = _who(request, caller)
    if who.key is not None and await run_in_threadpool(_moved_before, who):
        return await _told(
            request, caller, Changed(await run_in_threadpool(_deal, caller.tenant, key), False, [])
        )
    move = partial(
        upserts.move, deal_id=key, to_stage=said.to_stage, outcome=said.outcome, reason=said.reason
    )
    return await _told(request, caller, await run_in_threadpool(_in_one_transaction, who, move))


def _moved_before(who: Said) -> bool:
    ids = [upserts.said_id(who, name) for name in ("deal.stage_changed", "deal.won", "deal.lost")]
    with begin("reader", who.tenant) as session:
        return bool(by_seq.stored(session, who.tenant, ids))


def _deal(tenant: int, key: str) -> Record:
    with begin("reader", tenant) as session:
        return _get(session, tenant, Opportunity, key)


def _who(request: Request, caller: Caller) -> Said:
    key = receipts.key_of(request)
    return Said(caller.tenant, caller.actor, "api", receipts.event_id(caller, key) if key else None)


async def _put(request: Request, caller: Caller, record: upserts.R) -> Response:
    work = partial(upserts.put, record=record)
    return await _told(
        request, caller, await run_in_threadpool(_in_one_transaction, _who(request, caller), work)
    )


def _in_one_transaction(who: Said, work: Any) -> Changed:
    try:
        with begin("producer", who.tenant) as session:
            changed: Changed = work(session, who)
            return changed
    except RecordNotFound as error:
        raise Problem("not-found", str(error)) from None


async def _told(request: Request, caller: Caller, changed: Changed) -> Response:
    answers = [Receipt(event.event_id, "accepted") for event in changed.events]
    answers = await numbered(caller, answers, changed.events, wait_of(request))
    told = {"record": changed.record, "created": changed.created, "events": answers}
    return json_response(told, 201 if changed.created else 200, headers_of(request))
