"""What becomes of calls before they are made: the cache answers them, or they are refused, or permitted."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

import msgspec
from sqlalchemy.orm import Session

from db.enrichment import ledger
from db.enrichment.ledger import CallStart, Spend
from producers.enrichment.calls.breaker import Breakers
from producers.enrichment.calls.results import CallResult
from producers.enrichment.configuration import Configuration
from producers.enrichment.passes import found_from
from producers.enrichment.updates import CallPermitted, CallSkipped, StartCall, UpdateReply


class Permits:
    """Permits calls within the breakers and the budget, and records them before they are made."""

    def __init__(self, config: Configuration, breakers: Breakers) -> None:
        self._config, self._breakers = config, breakers

    def start(self, session: Session, starts: Sequence[StartCall]) -> dict[int, UpdateReply]:
        """Return the reply to each, by pass; what is permitted or came from the cache is in the ledger."""
        month = this_month()
        replies: dict[int, UpdateReply] = {**self._from_cache(session, starts)}
        calls = [start for start in starts if start.work.row.id not in replies]
        left = self._left(session, calls, month)
        spends = []
        for start in calls:
            replies[start.work.row.id] = reply = self._permit(session, start, left, month)
            if isinstance(reply, CallPermitted) and (reply.reserved or reply.attempt > 1):
                repeats = int(reply.attempt > 1)
                spends.append(Spend(start.work.row.tenant_id, month, reply.reserved, repeats=repeats))
        ledger.add_spend(session, spends)
        rows = (_row(start, replies[start.work.row.id], month) for start in starts)
        ledger.start(session, [row for row in rows if row])
        return replies

    def _from_cache(self, session: Session, starts: Sequence[StartCall]) -> dict[int, CallResult]:
        keys = {
            start.work.row.id: (start.work.row.tenant_id, start.call.provider, start.key)
            for start in starts
            if self._is_cached(start.call.provider)
        }
        answers = ledger.cached(session, keys.values()) if keys else {}
        return {
            id_: CallResult(key[1], answers[key].obtained_at, found_from(answers[key].found))
            for id_, key in keys.items()
            if key in answers
        }

    def _is_cached(self, provider: str) -> bool:
        config = self._config.providers[provider]
        return bool(config.cache_days or config.negative_cache_days)

    def _left(self, session: Session, starts: Sequence[StartCall], month: date) -> dict[int, Decimal]:
        """Return what is left of the month's budget of the tenants that have one and are about to spend."""
        budgets = {
            start.work.row.tenant_id: budget
            for start in starts
            if self._price(start) and (budget := self._config.budget.of(start.work.slug)) is not None
        }
        spent = ledger.committed(session, list(budgets), month) if budgets else {}
        return {tenant: budget - spent[tenant] for tenant, budget in budgets.items()}

    def _price(self, start: StartCall) -> Decimal:
        return self._config.providers[start.call.provider].price(len(start.call.fields))

    def _permit(
        self, session: Session, start: StartCall, left: dict[int, Decimal], month: date
    ) -> CallPermitted | CallSkipped:
        """Return whether a call may be made, and take its price out of what is `left`."""
        provider, work = start.call.provider, start.work
        if reason := self._breakers.refusal(session, provider):
            return CallSkipped(reason)
        price, budget = self._price(start), left.get(work.row.tenant_id)
        if price and budget is not None:
            if price > budget:
                monthly = self._config.budget.of(work.slug)
                return CallSkipped(f"over the month's budget of {monthly} {self._config.currency}")
            left[work.row.tenant_id] = budget - price
        return CallPermitted(provider, _attempt(start), price, month)


def this_month() -> date:
    """Return the first day of this calendar month (UTC)."""
    return datetime.now(UTC).date().replace(day=1)


def _attempt(start: StartCall) -> int:
    return start.work.lost.get(start.call.provider, 0) + 1


def _row(start: StartCall, reply: UpdateReply, month: date) -> CallStart | None:
    row, provider = start.work.row, start.call.provider
    if isinstance(reply, CallPermitted):
        return CallStart(row.id, row.tenant_id, provider, reply.attempt, "calling", month, reply.reserved)
    if isinstance(reply, CallResult):
        found = msgspec.to_builtins(reply.found)
        return CallStart(row.id, row.tenant_id, provider, _attempt(start), "cached", month, found=found)
    return None
