"""Lists of accounts, contacts and opportunities: the way to a timeline for who has no CRM around it."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from contextlib import suppress
from datetime import datetime
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from api.access.callers import Caller, Reader
from api.http.encoding import answers, json_response
from api.http.problems import Problem
from api.log.filters import Name
from db.engine import begin
from db.records import listing
from db.records.listing import ListedKind, Order, Place, Wanted
from db.records.records import Account, Contact, Opportunity

router = APIRouter(prefix="/v1", tags=["records"])


class ListedAccount(msgspec.Struct):
    """An account, and when it was last touched; null where it never was."""

    record: Account
    touched_at: datetime | None


class ListedContact(msgspec.Struct):
    """A contact, and when it was last touched; null where it never was."""

    record: Contact
    touched_at: datetime | None


class ListedOpportunity(msgspec.Struct):
    """A deal."""

    record: Opportunity


class AccountPage(msgspec.Struct):
    """A page of accounts. Go on with `next_cursor` while there is one."""

    data: list[ListedAccount]
    next_cursor: str | None


class ContactPage(msgspec.Struct):
    """A page of contacts. Go on with `next_cursor` while there is one."""

    data: list[ListedContact]
    next_cursor: str | None


class OpportunityPage(msgspec.Struct):
    """A page of deals, by name. Go on with `next_cursor` while there is one."""

    data: list[ListedOpportunity]
    next_cursor: str | None


class NamedQuery(BaseModel):
    """Which records are wanted."""

    name: Annotated[Name | None, Field(description="A part of the name; of many the shortest are listed")] = (
        None
    )
    owner: Annotated[Name | None, Field(description="Those of this user, by address")] = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str | None, Field(max_length=1000)] = None


class AccountQuery(NamedQuery):
    """Which accounts are wanted, in which order."""

    sort: Annotated[
        Order, Field(description="name; touch: the last touched first; silence: the longest silent first")
    ] = "name"


class ContactQuery(AccountQuery):
    """Which contacts are wanted, in which order."""

    account: Annotated[Name | None, Field(description="Those of this account")] = None


class OpportunityQuery(NamedQuery):
    """Which deals are wanted."""

    account: Annotated[Name | None, Field(description="Those of this account")] = None


@router.get("/accounts", responses=answers(AccountPage, 200, "A page"))
def list_accounts(caller: Reader, query: Annotated[AccountQuery, Query()]) -> Response:
    """List accounts: by a part of the name, by owner, by when they were last touched."""
    wanted = Wanted(query.sort, query.name, query.owner)
    found, cursor = _list(caller, Account, wanted, query)
    return json_response(AccountPage([ListedAccount(*one) for one in found], cursor))


@router.get("/contacts", responses=answers(ContactPage, 200, "A page"))
def list_contacts(caller: Reader, query: Annotated[ContactQuery, Query()]) -> Response:
    """List contacts: by a part of the name, by owner or account, by when they were last touched."""
    wanted = Wanted(query.sort, query.name, query.owner, query.account)
    found, cursor = _list(caller, Contact, wanted, query)
    return json_response(ContactPage([ListedContact(*one) for one in found], cursor))


@router.get("/opportunities", responses=answers(OpportunityPage, 200, "A page"))
def list_opportunities(caller: Reader, query: Annotated[OpportunityQuery, Query()]) -> Response:
    """List deals by name: by a part of it, by owner or account."""
    wanted = Wanted("name", query.name, query.owner, query.account)
    found, cursor = _list(caller, Opportunity, wanted, query)
    return json_response(OpportunityPage([ListedOpportunity(one.record) for one in found], cursor))


def _list(
    caller: Caller, kind: type[ListedKind], wanted: Wanted, query: NamedQuery
) -> tuple[list[listing.Listed[ListedKind]], str | None]:
    after = None if query.cursor is None else _place(query.cursor, wanted)
    with begin("reader", caller.tenant) as session:
        found = listing.listed(session, caller.tenant, kind, wanted, after, query.limit + 1)
    shown = found[: query.limit]
    cursor = _cursor(shown[-1][1], wanted) if len(found) > query.limit else None
    return [one for one, _ in shown], cursor


def _cursor(place: Place, wanted: Wanted) -> str:
    return urlsafe_b64encode(msgspec.json.encode((wanted.order, *place))).decode().rstrip("=")


def _place(cursor: str, wanted: Wanted) -> Place:
    with suppress(ValueError, msgspec.DecodeError):
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        order, value, id_ = msgspec.json.decode(text, type=tuple[Order, str, str])
        fits = order == wanted.order and "\0" not in value + id_
        if fits and (order == "name" or value == "-infinity" or _is_time(value)):
            return Place(value, id_)
    raise Problem(
        "cursor-mismatch",
        "this is not a cursor of this order: pass the one that the page before gave, or none for the first",
    )


def _is_time(text: str) -> bool:
    return datetime.fromisoformat(text).tzinfo is not None
