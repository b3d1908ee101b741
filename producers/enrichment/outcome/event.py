"""What a pass came to, and its event."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

import msgspec

from activity.event import Event
from db.records.values import RecordValues
from producers.enrichment.passes import Work
from producers.enrichment.waterfall import Offer

_ROOM = 50_000  # bytes of a payload that certainly fit into the log


class FieldUpdate(NamedTuple):
    """A field that a pass changed."""

    field: str
    before: object
    offer: Offer


class DeclinedOffer(NamedTuple):
    """An offer that did not change its field, and why."""

    field: str
    reason: str
    provider: str


@dataclass
class PassResult:
    """What a pass came to; `record` is None where it no longer exists, `failure` where the pass succeeded."""

    work: Work
    record: RecordValues | None
    failure: str | None
    updates: list[FieldUpdate] = field(default_factory=list)
    declined: list[DeclinedOffer] = field(default_factory=list)
    confirmed: list[tuple[str, Offer]] = field(default_factory=list)


def event_of(result: PassResult, currency: str) -> Event:
    """Return the one event that the pass ends in."""
    row = result.work.row
    is_account = row.kind == "account"
    return Event(
        event_id=row.event_id,
        tenant_id=row.tenant_id,
        type="enrichment_failed" if result.failure else "enrichment_completed",
        payload=_payload(result, currency),
        source="enrichment",
        actor=row.requested_by,
        account_id=row.record_id if is_account else _account_of_contact(result),
        contact_id=None if is_account else row.record_id,
        record_type="enrichment_pass",
        record_id=str(row.id),
        cause_id=row.cause_id,
    )


def _account_of_contact(result: PassResult) -> str | None:
    if result.record is None:
        return None
    found = (update.offer.value for update in result.updates if update.field == "account_id")
    return next(found, result.record.account_id)


def _payload(result: PassResult, currency: str) -> dict[str, object]:
    payload = _of_every_pass(result, currency)
    if result.failure:
        return payload | {"reason": result.failure}
    payload |= {
        "changed": len(result.updates),
        "changes": _changes(result.updates),
        "kept": [declined._asdict() for declined in result.declined],
    }
    if len(msgspec.json.encode(payload)) > _ROOM:
        payload["changes"] = [
            change | {"from": _clipped(change["from"]), "to": _clipped(change["to"])}
            for change in _changes(result.updates[:100])
        ]
    return payload


def _of_every_pass(result: PassResult, currency: str) -> dict[str, object]:
    work = result.work
    failed = {name: reason for name, reason in work.tried.items() if reason is not None}
    skipped = [{"provider": name, "reason": reason[:300]} for name, reason in failed.items()]
    return {
        "name": (result.record.name if result.record is not None else work.row.record_id)[:500],
        "requested_fields": list(work.wanted)[:100],
        "providers": [name for name in work.tried if name not in failed][:100],
        "skipped": skipped[:100],
        "cached": sorted(work.cached),
        "repeated_calls": len(work.lost),
        "cost": plain(work.cost),
        "currency": currency,
        "duration_s": round((datetime.now(UTC) - work.started).total_seconds(), 3),
    }


def _changes(updates: Iterable[FieldUpdate]) -> list[dict[str, object]]:
    return [
        {
            "field": field,
            "from": before,
            "to": offer.value,
            "provider": offer.provider,
            "confidence": offer.confidence,
            "cost": plain(offer.cost),
        }
        for field, before, offer in updates
    ]


def _clipped(value: object) -> object:
    """Return a short form of a value, where all of them together are too much for an event."""
    if isinstance(value, int | float | None):
        return value
    return f"{msgspec.json.encode(value).decode()[:60]} ..."


def plain(amount: Decimal) -> str:
    """Return an amount without needless zeros and without an exponent."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
