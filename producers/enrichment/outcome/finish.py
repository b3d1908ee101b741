"""The end of a pass: one transaction changes its record, writes its sources and its event, and ends it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from sqlalchemy.orm import Session

from activity.event import Event
from db.enrichment import passes, provenance
from db.enrichment.provenance import FieldSource, LatestPass
from db.records import values
from db.records.values import ENRICHED, Key, RecordValues
from producers.enrichment.configuration import Configuration
from producers.enrichment.outcome.event import DeclinedOffer, FieldUpdate, PassResult, event_of
from producers.enrichment.outcome.merge import MergeDecision, StoredValue, decide
from producers.enrichment.passes import Work
from producers.enrichment.waterfall import Offer
from producers.signals import rules
from producers.signals.rules import ObservedChange
from worker.emit import emit

_DECLINED = {
    MergeDecision.KEEP_PERSON: "entered by a person",
    MergeDecision.KEEP_BETTER: "a better or newer value is there",
}

Over = tuple[Work, str | None]
"""A pass with no more calls to make, and the internal error that ended it, if one did."""


def finish(session: Session, config: Configuration, over: Sequence[Over]) -> None:
    """End passes that the session's transaction holds: merge, event, signals, all or nothing."""
    for wave in _waves(over):
        results = [
            result
            for kind in ENRICHED
            for result in _merged(session, kind, [one for one in wave if one[0].row.kind == kind])
        ]
        emit(session, [event for result in results for event in _events(session, config, result)])
        passes.end(session, {result.work.row.id: _state(result) for result in results})


def _state(result: PassResult) -> str:
    return "failed" if result.failure else "completed"


def _waves(over: Sequence[Over]) -> Iterator[list[Over]]:
    """Split passes so that no wave has one record twice: the second merges into what the first made."""
    waiting = list(over)
    while waiting:
        wave: dict[tuple[str, Key], Over] = {}
        waiting = [one for one in waiting if wave.setdefault((one[0].row.kind, _key(one[0])), one) is not one]
        yield list(wave.values())


def _key(work: Work) -> Key:
    return work.row.tenant_id, work.row.record_id


def _merged(session: Session, kind: str, over: Sequence[Over]) -> list[PassResult]:
    keys = [_key(work) for work, _ in over]
    if not keys:
        return []
    records = values.current(session, kind, keys, lock=True)
    stored = provenance.of(session, kind, keys)
    results = [
        _merge(work, failure, records.get(key), stored.get(key, {}))
        for (work, failure), key in zip(over, keys, strict=True)
    ]
    _write(session, kind, results)
    return results


def _write(session: Session, kind: str, results: Sequence[PassResult]) -> None:
    changed = {
        _key(result.work): {update.field: update.offer.value for update in result.updates}
        for result in results
        if result.updates
    }
    if changed:
        values.set_values(session, kind, changed)
    if sources := [source for result in results for source in _sources(result)]:
        provenance.put(session, sources)
    provenance.put_latest(session, [_latest(result) for result in results])


def _merge(
    work: Work, failure: str | None, record: RecordValues | None, stored: Mapping[str, FieldSource]
) -> PassResult:
    if record is None:
        return PassResult(work, None, f"the {work.row.kind} no longer exists")
    if failure is None and all(reason is not None for reason in work.tried.values()):
        failure = _why_no_answer(work)
    result = PassResult(work, record, failure)
    for name, offer in sorted(work.offers.items()):
        _apply(result, name, record.current.get(name), offer, stored.get(name))
    return result


def _apply(result: PassResult, name: str, before: object, offer: Offer, source: FieldSource | None) -> None:
    known = source and StoredValue(source.value, source.provider, source.confidence, source.obtained_at)
    max_age = timedelta(days=result.work.wanted[name].max_age_days)
    decision = decide(before, known, offer, max_age)
    if decision in _DECLINED:
        result.declined.append(DeclinedOffer(name, _DECLINED[decision], offer.provider))
    elif decision is MergeDecision.SET:
        result.updates.append(FieldUpdate(name, before, offer))
    else:
        result.confirmed.append((name, offer))


def _why_no_answer(work: Work) -> str:
    reasons = "; ".join(f"{provider}: {reason}" for provider, reason in work.tried.items())
    return f"no provider answered: {reasons}"[:4000] if reasons else "no provider could be asked"


def _sources(result: PassResult) -> Iterator[FieldSource]:
    row = result.work.row
    updated = ((update.field, update.offer) for update in result.updates)
    for name, offer in [*updated, *result.confirmed]:
        yield FieldSource(
            row.tenant_id,
            row.kind,
            row.record_id,
            name,
            offer.value,
            offer.provider,
            offer.confidence,
            offer.cost,
            row.id,
            offer.obtained_at,
        )


def _latest(result: PassResult) -> LatestPass:
    row = result.work.row
    provider = result.updates[-1].offer.provider if result.updates else None
    return LatestPass(row.tenant_id, row.kind, row.record_id, row.id, provider)


def _events(session: Session, config: Configuration, result: PassResult) -> list[Event]:
    """Return the pass's own event, and the signals in what it changed."""
    event = event_of(result, config.currency)
    changes = [
        ObservedChange(field, before, offer.value, offer.provider) for field, before, offer in result.updates
    ]
    return [event, *rules.of_changes(session, config.signals, result.work.row.kind, event, changes)]
