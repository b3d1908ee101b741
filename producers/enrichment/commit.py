"""Bookings: what passes tell the database, many of them in one transaction.

A call is written down before it is made, and booked once it ended; a pass ends in the transaction that changes its record and says
its event.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import structlog
from sqlalchemy.orm import Session

from db.engine import EVERY_TENANT, begin
from db.enrichment import ledger, passes
from db.enrichment.ledger import Spend
from producers.enrichment import finishing
from producers.enrichment.calls.breaker import Breakers
from producers.enrichment.configuration import Configuration
from producers.enrichment.passes import Ended, Work, highest_price
from producers.enrichment.provider import Found
from producers.enrichment.waterfall import Step

log = structlog.get_logger()

_PUT_OFF_S = (5.0, 15.0)  # how long a pass is put off whose provider has no turn for it


@dataclass
class Booking:
    """What a pass has to say: how its last call ended, and the call that it makes next, or none where the pass is over."""

    work: Work
    ended: Ended | None = None
    step: Step | None = None
    key: str = ""  # of the question of `step`, for the cache
    put_off: "Go | None" = None  # the call that was permitted and not made: the pass goes on in a while
    failure: str | None = None  # over, by a fault of ours


class Lost:
    """The pass is another worker's by now: leave it."""


class Done:
    """The pass is over, or put off."""


@dataclass
class Go:
    """Make the call."""

    provider: str
    attempt: int
    reserved: Decimal
    month: date  # whose budget it counts against


@dataclass
class Skip:
    """Don't make the call, for this reason."""

    reason: str


Reply = Lost | Done | Go | Skip | Ended


class Books:
    """Where bookings are committed. It belongs to one worker process and is called from one thread at a time."""

    def __init__(self, config: Configuration, breakers: Breakers) -> None:
        self._config = config
        self._breakers = breakers

    def commit(self, bookings: Sequence[Booking]) -> list[Reply | Exception]:
        """Commit bookings together; where the database refuses that, each by itself, so that one bad one stops no other."""
        try:
            return list(self._commit(bookings))
        except Exception as error:  # noqa: BLE001  # whatever is wrong with one of them is its own answer
            if len(bookings) > 1:
                return [reply for booking in bookings for reply in self.commit([booking])]
            log.warning("booking_failed", pass_id=bookings[0].work.row.id, error=type(error).__name__)
            return [error]

    def _commit(self, bookings: Sequence[Booking]) -> list[Reply]:
        with begin("producer", EVERY_TENANT) as session:
            held = passes.hold(session, (booking.work.row for booking in bookings))
            mine = [booking for booking in bookings if booking.work.row.id in held]
            self._book_ends(session, mine)
            replies = self._start_calls(session, [booking for booking in mine if booking.step])
            for booking in mine:
                if booking.put_off is not None:
                    _put_off(session, booking.work, booking.put_off)
            if failed := [booking.work.row.id for booking in mine if booking.failure]:
                ledger.take_over(
                    session, failed
                )  # a call whose booking was the fault is lost, and what it reserved is free again
            over = [
                (booking.work, booking.failure)
                for booking in mine
                if booking.step is None and booking.put_off is None
            ]
            if over:
                finishing.finish(session, self._config, over)
        return [
            replies.get(booking.work.row.id, Done()) if booking.work.row.id in held else Lost()
            for booking in bookings
        ]

    def _book_ends(self, session: Session, bookings: Sequence[Booking]) -> None:
        ended = [(booking.work, booking.ended) for booking in bookings if booking.ended]
        if not ended:
            return
        ledger.end(session, [_ledger_row(work, end) for work, end in ended])
        spends = (
            Spend(work.row.tenant_id, end.month, -end.reserved, end.cost, int(end.found is not None))
            for work, end in ended
        )
        ledger.add_spend(session, spends)
        keep = [row for work, end in ended if (row := self._cache_row(work, end))]
        if keep:
            ledger.keep(session, keep)
        self._breakers.report(session, [end for _, end in ended])

    def _cache_row(self, work: Work, end: Ended) -> dict[str, Any] | None:
        config = self._config.providers[end.provider]
        days = config.cache_days if end.found else config.negative_cache_days
        if end.found is None or not days or not end.key:
            return None
        found = msgspec.to_builtins(end.found)
        identity = {"tenant_id": work.row.tenant_id, "provider": end.provider, "key": end.key}
        return {**identity, "found": found, "obtained_at": end.obtained_at, "seconds": days * 86_400}

    def _start_calls(self, session: Session, bookings: Sequence[Booking]) -> dict[int, Reply]:
        if not bookings:
            return {}
        replies = self._from_cache(session, bookings)
        month = this_month()
        left = self._left(
            session, [booking for booking in bookings if booking.work.row.id not in replies], month
        )
        spends = []
        for booking in bookings:
            work, step = booking.work, booking.step
            assert step is not None
            if work.row.id in replies:
                continue
            replies[work.row.id] = reply = self._permit(session, work, step, left, month)
            if isinstance(reply, Go) and (reply.reserved or reply.attempt > 1):
                spends.append(
                    Spend(work.row.tenant_id, month, reply.reserved, repeats=int(reply.attempt > 1))
                )
        ledger.add_spend(session, spends)
        rows = [
            row for booking in bookings if (row := _call_row(booking, replies[booking.work.row.id], month))
        ]
        if rows:
            ledger.start(session, rows)
        return replies

    def _from_cache(self, session: Session, bookings: Sequence[Booking]) -> dict[int, Reply]:
        keys = {
            booking.work.row.id: (booking.work.row.tenant_id, booking.step.provider, booking.key)
            for booking in bookings
            if booking.step
        }
        keys = {id_: key for id_, key in keys.items() if self._cached(key[1])}
        kept = ledger.cached(session, keys.values()) if keys else {}
        return {
            id_: Ended(
                key[1],
                1,
                "",
                kept[key].obtained_at,
                this_month(),
                0,
                {name: Found(**value) for name, value in kept[key].found.items()},
            )
            for id_, key in keys.items()
            if key in kept
        }

    def _cached(self, provider: str) -> bool:
        config = self._config.providers[provider]
        return bool(config.cache_days or config.negative_cache_days)

    def _left(self, session: Session, bookings: Sequence[Booking], month: date) -> dict[int, Decimal]:
        """Return what is left of the month's budget of the tenants that have one and are about to spend."""
        budgets = {
            booking.work.row.tenant_id: budget
            for booking in bookings
            if booking.step
            and self._price(booking.step)
            and (budget := self._config.budget.of(booking.work.slug)) is not None
        }
        spent = ledger.committed(session, list(budgets), month) if budgets else {}
        return {tenant: budget - spent[tenant] for tenant, budget in budgets.items()}

    def _price(self, step: Step) -> Decimal:
        return highest_price(self._config.providers[step.provider], len(step.fields))

    def _permit(
        self, session: Session, work: Work, step: Step, left: dict[int, Decimal], month: date
    ) -> Reply:
        """Say whether a call may be made, and take its price out of what is `left`."""
        if reason := self._breakers.refusal(session, step.provider):
            return Skip(reason)
        price = self._price(step)
        budget = left.get(work.row.tenant_id)
        if price and budget is not None:
            if price > budget:
                return Skip(
                    f"over the month's budget of {self._config.budget.of(work.slug)} {self._config.currency}"
                )
            left[work.row.tenant_id] = budget - price
        return Go(step.provider, work.lost.get(step.provider, 0) + 1, price, month)


def this_month() -> date:
    """Return the first day of this calendar month (UTC)."""
    return datetime.now(UTC).date().replace(day=1)


def _call_row(booking: Booking, reply: Reply, month: date) -> Mapping[str, Any] | None:
    work, step = booking.work, booking.step
    assert step is not None
    common = {
        "pass_id": work.row.id,
        "provider": step.provider,
        "tenant_id": work.row.tenant_id,
        "month": month,
    }
    if isinstance(reply, Go):
        return {**common, "attempt": reply.attempt, "state": "calling", "reserved": reply.reserved}
    if isinstance(reply, Ended):
        attempt = work.lost.get(step.provider, 0) + 1
        return {
            **common,
            "attempt": attempt,
            "state": "cached",
            "reserved": 0,
            "found": msgspec.to_builtins(reply.found),
        }
    return None


def _put_off(session: Session, work: Work, go: Go) -> None:
    ledger.forget(session, work.row.id, go.provider, go.attempt)
    ledger.add_spend(
        session, [Spend(work.row.tenant_id, go.month, -go.reserved, repeats=-int(go.attempt > 1))]
    )
    passes.put_off(session, [work.row.id], random.uniform(*_PUT_OFF_S))  # noqa: S311  # spreads work, protects nothing


def _ledger_row(work: Work, end: Ended) -> dict[str, Any]:
    return {
        "pass_id": work.row.id,
        "provider": end.provider,
        "attempt": end.attempt,
        "state": "failed" if end.found is None else "answered",
        "cost": end.cost,
        "tries": end.tries,
        "found": msgspec.to_builtins(end.found),
        "reason": end.reason,
    }
