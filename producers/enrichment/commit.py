"""The commits of passes, many in one transaction.

A call is recorded before it is made and booked once it ended. A pass ends in the transaction that changes its
record and emits its event.
"""

import random
from collections.abc import Sequence

import msgspec
import structlog
from sqlalchemy.orm import Session

from db.engine import EVERY_TENANT, begin
from db.enrichment import ledger, passes
from db.enrichment.ledger import CacheEntry, CallEnd, Spend
from producers.enrichment.calls.breaker import Breakers
from producers.enrichment.calls.starting import Permits
from producers.enrichment.configuration import Configuration
from producers.enrichment.outcome.finish import finish
from producers.enrichment.passes import Work
from producers.enrichment.updates import (
    EndedCall,
    FailPass,
    Finished,
    FinishPass,
    LostClaim,
    PassUpdate,
    PostponePass,
    StartCall,
    UpdateReply,
)

log = structlog.get_logger()

_PUT_OFF_S = (5.0, 15.0)  # how long a pass is put off whose provider has no turn for it


class PassWriter:
    """Commits the updates of passes. It belongs to one worker process; one thread at a time calls it."""

    def __init__(self, config: Configuration, breakers: Breakers) -> None:
        self._config, self._breakers = config, breakers
        self._permits = Permits(config, breakers)

    def commit(self, updates: Sequence[PassUpdate]) -> list[UpdateReply | Exception]:
        """Commit updates together; where that fails, each alone, so that one bad one stops no other."""
        try:
            return list(self._commit(updates))
        except Exception as error:  # noqa: BLE001  # whatever is wrong with one of them is its own reply
            if len(updates) > 1:
                return [reply for update in updates for reply in self.commit([update])]
            log.warning("booking_failed", pass_id=updates[0].work.row.id, error=type(error).__name__)
            return [error]

    def _commit(self, updates: Sequence[PassUpdate]) -> list[UpdateReply]:
        with begin("producer", EVERY_TENANT) as session:
            held = passes.hold(session, (update.work.row for update in updates))
            mine = [update for update in updates if update.work.row.id in held]
            self._end_calls(session, mine)
            starts = [update for update in mine if isinstance(update, StartCall)]
            replies = self._permits.start(session, starts) if starts else {}
            for update in mine:
                if isinstance(update, PostponePass):
                    _postpone(session, update)
            self._finish(session, mine)
        return [
            replies.get(update.work.row.id, Finished()) if update.work.row.id in held else LostClaim()
            for update in updates
        ]

    def _end_calls(self, session: Session, updates: Sequence[PassUpdate]) -> None:
        ended = [
            (update.work, update.ended)
            for update in updates
            if isinstance(update, StartCall | FinishPass) and update.ended
        ]
        if not ended:
            return
        ledger.end(session, (_ledger_row(work, end) for work, end in ended))
        ledger.add_spend(session, (_spend(work, end) for work, end in ended))
        ledger.cache(session, [entry for work, end in ended if (entry := self._cache_entry(work, end))])
        self._breakers.report(session, [end.result for _, end in ended])

    def _cache_entry(self, work: Work, ended: EndedCall) -> CacheEntry | None:
        result = ended.result
        config = self._config.providers[result.provider]
        days = config.cache_days if result.found else config.negative_cache_days
        if result.found is None or not days or not ended.key:
            return None
        found = msgspec.to_builtins(result.found)
        return CacheEntry(
            work.row.tenant_id, result.provider, ended.key, found, result.obtained_at, days * 86_400
        )

    def _finish(self, session: Session, updates: Sequence[PassUpdate]) -> None:
        over = {
            update.work.row.id: (update.work, update.reason if isinstance(update, FailPass) else None)
            for update in updates
            if isinstance(update, FinishPass | FailPass)
        }
        # A call whose booking was the error is lost, and what it reserved is free again.
        if failed := [id_ for id_, (_, reason) in over.items() if reason]:
            ledger.take_over(session, failed)
        if over:
            finish(session, self._config, list(over.values()))


def _postpone(session: Session, update: PostponePass) -> None:
    row, call = update.work.row, update.permitted
    ledger.forget(session, row.id, call.provider, call.attempt)
    spend = Spend(row.tenant_id, call.month, -call.reserved, repeats=-int(call.attempt > 1))
    ledger.add_spend(session, [spend])
    passes.put_off(session, [row.id], random.uniform(*_PUT_OFF_S))  # noqa: S311  # spreads work, protects nothing


def _ledger_row(work: Work, ended: EndedCall) -> CallEnd:
    result = ended.result
    return CallEnd(
        work.row.id,
        result.provider,
        ended.permitted.attempt,
        "failed" if result.found is None else "answered",
        result.cost,
        result.tries,
        msgspec.to_builtins(result.found),
        result.reason,
    )


def _spend(work: Work, ended: EndedCall) -> Spend:
    call, result = ended.permitted, ended.result
    answered = int(result.found is not None)
    return Spend(work.row.tenant_id, call.month, -call.reserved, result.cost, answered)
