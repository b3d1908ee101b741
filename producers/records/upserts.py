"""Change records, and emit what changed in the same transaction. No change, no event."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple, TypeVar
from uuid import UUID, uuid5

import msgspec
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from activity.canonical import canonical
from activity.errors import InvalidEvent
from activity.event import Event
from db.engine import begin
from db.log.reading import by_seq
from db.records import records
from db.records.records import Account, Contact, Opportunity
from db.records.values import RecordNotFound
from worker.emit import emit

R = TypeVar("R", Account, Contact, Opportunity)
_MOST = Decimal(10) ** 15
_KINDS: Mapping[type[records.Record], str] = {
    Account: "account",
    Contact: "contact",
    Opportunity: "opportunity",
}


class ChangeContext(NamedTuple):
    """Who changes a record, and how. `key` makes the ids of the events the same at every repeat."""

    tenant: int
    actor: str
    source: str
    key: UUID | None = None


class Changed(NamedTuple):
    """A record as it is now, whether it is new, and the events that were emitted."""

    record: records.Record
    created: bool
    events: list[Event]


def put(session: Session, context: ChangeContext, record: R) -> Changed:
    """Make or change a record by its id; what is None stays as it is.

    Raises InvalidEvent if a value is not valid or the account it names does not exist.
    """
    kind = type(record)
    records.hold(session, context.tenant, kind, record.id)
    _check(session, context.tenant, record)
    before = records.get(session, context.tenant, kind, record.id)
    records.upsert(session, context.tenant, [record])
    after = records.get(session, context.tenant, kind, record.id)
    if after is None:
        raise RecordNotFound(f"{_KINDS[kind]} {record.id!r} was removed meanwhile")
    events = [_event(context, after, *what) for what in _what(session, context.tenant, before, after)]
    emit(session, events)
    return Changed(after, before is None, events)


class DealMove(NamedTuple):
    """Where a deal moves; `outcome` (won, lost) if it ends there."""

    deal_id: str
    to_stage: str
    outcome: str | None = None
    reason: str | None = None


def move(context: ChangeContext, wanted: DealMove) -> Changed:
    """Move a deal in a transaction of its own. A repeat with the same key moves nothing.

    Raises RecordNotFound.
    """
    if context.key is not None:
        ids = [event_id(context, name) for name in ("deal.stage_changed", "deal.won", "deal.lost")]
        with begin("reader", context.tenant) as session:
            if by_seq.stored(session, context.tenant, ids):
                return Changed(_existing_deal(session, context.tenant, wanted.deal_id), False, [])
    with begin("producer", context.tenant) as session:
        return _move(session, context, wanted)


def _move(session: Session, context: ChangeContext, wanted: DealMove) -> Changed:
    records.hold(session, context.tenant, Opportunity, wanted.deal_id)
    before = _existing_deal(session, context.tenant, wanted.deal_id)
    after = msgspec.structs.replace(before, stage=wanted.to_stage)
    records.upsert(session, context.tenant, [Opportunity(id=wanted.deal_id, stage=wanted.to_stage)])
    deal = _deal(session, context.tenant, after) | _payload(from_stage=before.stage)
    events = []
    if before.stage != wanted.to_stage:
        payload = deal | _payload(to_stage=wanted.to_stage)
        events.append(_event(context, after, "deal.stage_changed", payload))
    if wanted.outcome is not None:
        cause = events[0].event_id if events else None
        payload = deal | _payload(reason=wanted.reason)
        events.append(_event(context, after, f"deal.{wanted.outcome}", payload, cause))
    emit(session, events)
    return Changed(after, False, events)


def _existing_deal(session: Session, tenant: int, deal_id: str) -> Opportunity:
    found = records.get(session, tenant, Opportunity, deal_id)
    if found is None:
        raise RecordNotFound(f"there is no opportunity {deal_id!r}")
    return found


def _check(session: Session, tenant: int, record: Account | Contact | Opportunity) -> None:
    canonical(record.fields, "fields")
    field = "parent_id" if isinstance(record, Account) else "account_id"
    above = getattr(record, field)
    if above is not None:
        if records.get(session, tenant, Account, above) is None:
            raise InvalidEvent(field, f"there is no account {above!r}", "put that account first")
        if isinstance(record, Account) and (
            above == record.id or above in records.beneath(session, tenant, record.id)
        ):
            raise InvalidEvent(
                field, f"account {above!r} is beneath this one", "an account can't be above itself"
            )
    if isinstance(record, Opportunity) and record.amount is not None:
        exponent = record.amount.as_tuple().exponent
        if not isinstance(exponent, int) or exponent < -2 or abs(record.amount) >= _MOST:
            raise InvalidEvent(
                "amount", f"{record.amount} cannot be stored", "give up to 15 digits and two decimals"
            )


What = tuple[str, dict[str, object]]


def _what(session: Session, tenant: int, before: R | None, after: R) -> Iterator[What]:
    """Yield type and payload of what happened to a record."""
    if isinstance(after, Account):
        return _of_account(session, tenant, before, after)  # type: ignore[arg-type]  # both are of one kind
    if isinstance(after, Contact):
        return _of_contact(session, tenant, before, after)  # type: ignore[arg-type]  # as above
    return _of_deal(session, tenant, before, after)


def _of_account(session: Session, tenant: int, before: Account | None, after: Account) -> Iterator[What]:
    if before is None:
        yield (
            "account.added",
            _payload(
                name=after.name,
                domain=after.domain,
                parent_name=_account_name(session, tenant, after.parent_id),
            ),
        )
        return
    if before.parent_id != after.parent_id:
        above = {"from_parent": before.parent_id, "to_parent": after.parent_id}
        named = {name: _account_name(session, tenant, value) for name, value in above.items()}
        yield (
            "account.parent_changed",
            _payload(name=after.name, **named, **{f"{name}_id": value for name, value in above.items()}),
        )
    changes = _changes(before, after, "name", "domain", "owner_email", "fields")
    if changes:
        yield "account.updated", _payload(name=after.name, changes=changes)


def _of_contact(session: Session, tenant: int, before: Contact | None, after: Contact) -> Iterator[What]:
    if before is None:
        yield (
            "contact.added",
            _payload(
                name=after.name,
                email=after.email,
                account_name=_account_name(session, tenant, after.account_id),
            ),
        )
        return
    changes = _changes(before, after, "name", "email", "account_id", "owner_email", "fields")
    if changes:
        yield "contact.updated", _payload(name=after.name, changes=changes)


def _of_deal(session: Session, tenant: int, before: Opportunity | None, after: Opportunity) -> Iterator[What]:
    deal = _deal(session, tenant, after)
    if before is None:
        yield "deal.added", deal | _payload(stage=after.stage)
        return
    if before.stage != after.stage and after.stage:
        yield "deal.stage_changed", deal | _payload(from_stage=before.stage, to_stage=after.stage)
    if before.amount != after.amount:
        yield (
            "deal.amount_changed",
            deal | _payload(from_amount=_amount(before.amount), to_amount=_amount(after.amount)),
        )


def _changes(before: Account | Contact, after: Account | Contact, *fields: str) -> list[dict[str, object]]:
    """Return what differs, field by field, and within the host's own fields too."""
    pairs: dict[str, tuple[object, object]] = {}
    for field in fields:
        old, new = getattr(before, field), getattr(after, field)
        if field == "fields":
            pairs |= {name: (old.get(name), value) for name, value in new.items()}
        else:
            pairs[field] = (old, new)
    return [{"field": name, "from": old, "to": new} for name, (old, new) in pairs.items() if old != new]


def _deal(session: Session, tenant: int, deal: Opportunity) -> dict[str, object]:
    account = _account_name(session, tenant, deal.account_id)
    return _payload(name=deal.name, account_name=account, amount=_amount(deal.amount), currency=deal.currency)


def _account_name(session: Session, tenant: int, account_id: str | None) -> str | None:
    account = records.get(session, tenant, Account, account_id) if account_id else None
    return account.name if account else None


def _amount(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:.2f}"


def _payload(**values: object) -> dict[str, object]:
    return {name: value for name, value in values.items() if value not in (None, "")}


def event_id(context: ChangeContext, type_: str) -> UUID:
    """Return the id of the event of this type: the same at every repeat with one key."""
    return uuid7() if context.key is None else uuid5(context.key, type_)


def _event(
    context: ChangeContext,
    record: records.Record,
    type_: str,
    payload: dict[str, object],
    cause: UUID | None = None,
) -> Event:
    account = record.id if isinstance(record, Account) else getattr(record, "account_id", None)
    return Event(
        tenant_id=context.tenant,
        event_id=event_id(context, type_),
        type=type_,
        payload=payload,
        source=context.source,
        actor=context.actor,
        account_id=account,
        contact_id=record.id if isinstance(record, Contact) else None,
        record_type=_KINDS[type(record)],
        record_id=getattr(record, "id"),  # noqa: B009  # a Record is one of three kinds that have it
        cause_id=cause,
    )
