"""How each provider is doing, for all workers: its circuit breaker and its rate limit."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

from db.rows import as_rows


class ProviderState(NamedTuple):
    """How a provider is doing; `failures` are in a row, `open_until` is set while its breaker is open."""

    name: str
    failures: int
    open_until: datetime | None
    reason: str | None
    failed_at: datetime | None


class FailureReport(NamedTuple):
    """Calls that failed; from `threshold` failures in a row the breaker is open for `seconds`."""

    name: str
    failures: int
    reason: str | None
    threshold: int
    seconds: float


def states(session: Session) -> list[ProviderState]:
    """Return how every provider is doing, by name."""
    query = text(f"select {', '.join(ProviderState._fields)} from crm.enrichment_provider order by name")
    return [ProviderState._make(row) for row in session.execute(query)]


def register(session: Session, names: Sequence[str]) -> None:
    """Make the rows of providers that are new."""
    statement = text("""
        insert into crm.enrichment_provider (name) select unnest(cast(:names as text[]))
            on conflict (name) do nothing""")
    session.execute(statement, {"names": sorted(names)})


_REPORT = text("""
update crm.enrichment_provider p
   set failures = p.failures + r.failures, reason = r.reason, failed_at = clock_timestamp(),
       open_until = case when p.failures + r.failures >= r.threshold
                         then clock_timestamp() + make_interval(secs => r.seconds) end
  from json_to_recordset(cast(:rows as json))
       as r(name text, failures integer, threshold integer, seconds float8, reason text)
 where p.name = r.name""")


def report_failures(session: Session, reports: Sequence[FailureReport]) -> None:
    """Count failures in a row, and open the breakers of providers that have too many."""
    session.execute(_REPORT, {"rows": as_rows(report._asdict() for report in reports)})


def report_success(session: Session, names: Sequence[str]) -> None:
    """Close the breakers of providers that answered."""
    statement = text("""
        update crm.enrichment_provider set failures = 0, open_until = null
         where name = any(:names) and failures > 0""")
    session.execute(statement, {"names": list(names)})


def probe(session: Session, name: str, seconds: float) -> bool:
    """Return whether this caller, and no other for `seconds`, may try a provider whose breaker is open."""
    statement = text("""
        update crm.enrichment_provider set open_until = clock_timestamp() + make_interval(secs => :seconds)
         where name = :name and open_until <= clock_timestamp() returning name""")
    return session.execute(statement, {"name": name, "seconds": seconds}).first() is not None


_SLOTS = text("""
insert into crm.enrichment_provider as p (name, next_slot)
values (:name, clock_timestamp() + make_interval(secs => :seconds))
    on conflict (name) do update
   set next_slot = greatest(p.next_slot, clock_timestamp()) + make_interval(secs => :seconds)
returning extract(epoch from next_slot - clock_timestamp()) - :seconds as wait""")


def take_slots(session: Session, name: str, seconds: float) -> float:
    """Reserve the next `seconds` of a provider's rate; return in how many seconds they begin."""
    return max(0.0, float(session.execute(_SLOTS, {"name": name, "seconds": seconds}).scalar_one()))
