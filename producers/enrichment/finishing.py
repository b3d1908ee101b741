"""The end of a pass: in one transaction its record changes, its provenance and its event are written, and it leaves the queue."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import Row
from sqlalchemy.orm import Session

from activity.event import Event
from db.enrichment import passes, provenance
from producers.enrichment.configuration import Configuration
from producers.enrichment.merge import Known, Verdict, decide
from producers.enrichment.passes import Work
from producers.signals import rules
from worker.emit import emit

_ROOM = 50_000  # bytes of a payload that the log surely takes
_KEPT = {Verdict.KEEP_PERSON: "entered by a person", Verdict.KEEP_BETTER: "a better or newer value is there"}

Over = tuple[Work, str | None]  # with why it failed, where that was a fault of ours


@dataclass
class Result:
    """What a pass came to."""

    work: Work
    record: Row[Any] | None
    failure: str | None
    changes: list[dict[str, Any]] = field(default_factory=list)
    kept: list[dict[str, str]] = field(default_factory=list)
    sources: list[dict[str, Any]] = field(default_factory=list)  # rows of provenance

    @property
    def type(self) -> str:
        """The type of the event that the pass ends in."""
        return "enrichment_failed" if self.failure else "enrichment_completed"


def finish(session: Session, config: Configuration, over: Sequence[Over]) -> None:
    """End passes that the session's transaction holds: merge, event, signals, all or nothing."""
    for wave in _waves(over):
        results = [
            result
            for kind in ("account", "contact")
            for result in _merged(session, kind, [o for o in wave if o[0].row.kind == kind])
        ]
        emit(session, [event for result in results for event in _events(session, config, result)])
        passes.end(
            session, {result.work.row.id: "failed" if result.failure else "completed" for result in results}
        )


def _waves(over: Sequence[Over]) -> Iterator[list[Over]]:
    """Split passes so that no wave has one record twice: the second merges into what the first made."""
    waiting = list(over)
    while waiting:
        wave: dict[tuple[int, str, str], Over] = {}
        later = []
        for one in waiting:
            row = one[0].row
            if wave.setdefault((row.tenant_id, row.kind, row.record_id), one) is not one:
                later.append(one)
        yield list(wave.values())
        waiting = later


def _merged(session: Session, kind: str, over: Sequence[Over]) -> list[Result]:
    keys = [(work.row.tenant_id, work.row.record_id) for work, _ in over]
    if not keys:
        return []
    records, known = provenance.lock(session, kind, keys), provenance.of(session, kind, keys)
    results = [
        _merge(work, failure, records.get(key), known.get(key, {}))
        for (work, failure), key in zip(over, keys, strict=True)
    ]
    changed = [result for result in results if result.changes]
    if changed:
        provenance.set_values(session, kind, [_changed_values(result) for result in changed])
    if sources := [row for result in results for row in result.sources]:
        provenance.put(session, sources)
    provenance.put_latest(session, [_latest(result) for result in results])
    return results


def _merge(work: Work, failure: str | None, record: Row[Any] | None, known: Mapping[str, Row[Any]]) -> Result:
    if record is None:
        return Result(work, None, f"the {work.row.kind} no longer exists")
    if failure is None and not any(reason is None for reason in work.tried.values()):
        failure = _why_nobody_answered(work)
    result = Result(work, record, failure)
    for name, offer in sorted(work.offers.items()):
        row = known.get(name)
        before = record.current.get(name)
        max_age = timedelta(days=work.wanted[name].max_age_days)
        verdict = decide(
            before, row and Known(row.value, row.provider, row.confidence, row.obtained_at), offer, max_age
        )
        if verdict in _KEPT:
            result.kept.append({"field": name, "reason": _KEPT[verdict], "provider": offer.provider})
            continue
        result.sources.append({**_identity(work), "field": name, "pass_id": work.row.id, **offer._asdict()})
        if verdict is Verdict.SET:
            said = {"provider": offer.provider, "confidence": offer.confidence, "cost": plain(offer.cost)}
            result.changes.append({"field": name, "from": before, "to": offer.value, **said})
    return result


def _why_nobody_answered(work: Work) -> str:
    reasons = "; ".join(f"{provider}: {reason}" for provider, reason in work.tried.items())
    return f"no provider answered: {reasons}"[:4000] if reasons else "no provider could be asked"


def _identity(work: Work) -> dict[str, Any]:
    return {"tenant_id": work.row.tenant_id, "kind": work.row.kind, "record_id": work.row.record_id}


def _changed_values(result: Result) -> dict[str, Any]:
    return {**_identity(result.work), "changed": {change["field"]: change["to"] for change in result.changes}}


def _latest(result: Result) -> dict[str, Any]:
    provider = result.changes[-1]["provider"] if result.changes else None
    return {**_identity(result.work), "pass_id": result.work.row.id, "provider": provider}


def _event(config: Configuration, result: Result) -> Event:
    work, row, record = result.work, result.work.row, result.record
    account = (
        None
        if record is None
        else next((c["to"] for c in result.changes if c["field"] == "account_id"), record.account_id)
    )
    return Event(
        event_id=row.event_id,
        tenant_id=row.tenant_id,
        type=result.type,
        payload=_payload(config, result),
        source="enrichment",
        actor=row.requested_by,
        account_id=row.record_id if row.kind == "account" else account,
        contact_id=row.record_id if row.kind == "contact" else None,
        record_type="enrichment_pass",
        record_id=str(work.row.id),
        cause_id=row.cause_id,
    )


def _events(session: Session, config: Configuration, result: Result) -> list[Event]:
    """Return the pass's own event, and the signals in what it changed."""
    event = _event(config, result)
    return [event, *rules.of_changes(session, config.signals, result.work.row.kind, event, result.changes)]


def _payload(config: Configuration, result: Result) -> dict[str, Any]:
    work = result.work
    payload: dict[str, Any] = {
        "name": (result.record.name if result.record is not None else work.row.record_id)[:500],
        "requested_fields": list(work.wanted)[:100],
        "providers": [name for name, reason in work.tried.items() if reason is None][:100],
        "skipped": [
            {"provider": name, "reason": reason[:300]}
            for name, reason in work.tried.items()
            if reason is not None
        ][:100],
        "cached": sorted(work.cached),
        "repeated_calls": len(work.lost),
        "cost": plain(work.cost),
        "currency": config.currency,
        "duration_s": round((datetime.now(UTC) - work.started).total_seconds(), 3),
    }
    if result.failure:
        return payload | {"reason": result.failure}
    payload |= {"changed": len(result.changes), "changes": result.changes, "kept": result.kept}
    if len(msgspec.json.encode(payload)) > _ROOM:
        payload["changes"] = [
            change | {"from": _clipped(change["from"]), "to": _clipped(change["to"])}
            for change in result.changes[:100]
        ]
    return payload


def _clipped(value: Any) -> Any:
    """Return a short form of a value, where all of them together are too much for an event."""
    return (
        value if isinstance(value, int | float | None) else f"{msgspec.json.encode(value).decode()[:60]} ..."
    )


def plain(amount: Decimal) -> str:
    """Return an amount without needless zeros and without an exponent."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
