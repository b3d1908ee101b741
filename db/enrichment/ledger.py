"""The ledger of calls to providers: which are under way, how they ended and what they cost; and the cache."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

from db.rows import as_rows


class Spend(NamedTuple):
    """A change of what a tenant's month has cost."""

    tenant_id: int
    month: date
    reserved: Decimal = Decimal(0)
    spent: Decimal = Decimal(0)
    calls: int = 0
    repeats: int = 0


_SPEND = text("""
insert into crm.enrichment_spend as s (tenant_id, month, reserved, spent, calls, repeats)
select tenant_id, month, sum(reserved), sum(spent), sum(calls), sum(repeats)
  from json_to_recordset(cast(:rows as json)) as r(tenant_id integer, month date, reserved numeric,
       spent numeric, calls bigint, repeats bigint)
 group by tenant_id, month order by tenant_id, month
    on conflict (tenant_id, month)
    do update set reserved = s.reserved + excluded.reserved, spent = s.spent + excluded.spent,
       calls = s.calls + excluded.calls, repeats = s.repeats + excluded.repeats""")


def add_spend(session: Session, changes: Iterable[Spend]) -> None:
    """Add changes to their tenants' months."""
    rows = [change._asdict() for change in changes]
    if rows:
        session.execute(_SPEND, {"rows": as_rows(rows)})


def committed(session: Session, tenants: Sequence[int], month: date) -> dict[int, Decimal]:
    """Return what each tenant has spent and reserved this month, locked until the transaction ends."""
    # The row must exist to be locked.
    add_spend(session, (Spend(tenant, month) for tenant in sorted(tenants)))
    query = text("""
        select tenant_id, spent + reserved as total from crm.enrichment_spend
         where tenant_id = any(:tenants) and month = :month order by tenant_id for update""")
    rows = session.execute(query, {"tenants": list(tenants), "month": month})
    return {row.tenant_id: row.total for row in rows}


class MonthlySpend(NamedTuple):
    """What a tenant's month has cost so far."""

    spent: Decimal = Decimal(0)
    reserved: Decimal = Decimal(0)
    calls: int = 0
    repeats: int = 0


def spend(session: Session, tenant: int, month: date) -> MonthlySpend:
    """Return a tenant's month."""
    query = text("""
        select spent, reserved, calls, repeats from crm.enrichment_spend
         where tenant_id = :tenant and month = :month""")
    row = session.execute(query, {"tenant": tenant, "month": month}).one_or_none()
    return MonthlySpend() if row is None else MonthlySpend._make(row)


class LedgerCall(NamedTuple):
    """A call as the ledger has it; `state` is calling, answered, failed, lost or cached."""

    pass_id: int
    provider: str
    attempt: int
    state: str
    cost: Decimal
    found: dict[str, object] | None
    reason: str | None
    ended_at: datetime


_LOSE = text("""
update crm.enrichment_call c set state = 'lost', reserved = 0, ended_at = clock_timestamp()
  from (select pass_id, provider, attempt, reserved from crm.enrichment_call
         where pass_id = any(:passes) and state = 'calling' for update) was
 where (c.pass_id, c.provider, c.attempt) = (was.pass_id, was.provider, was.attempt)
returning c.tenant_id, c.month, was.reserved""")
_CALLS = text(f"""
select {", ".join(LedgerCall._fields)} from crm.enrichment_call
 where pass_id = any(:passes) order by started_at""")


def take_over(session: Session, passes: Sequence[int]) -> list[LedgerCall]:
    """Return the calls that earlier holders of claimed passes made, in order.

    Those that were under way are lost from now on: how they ended is unknown.
    """
    lost = session.execute(_LOSE, {"passes": list(passes)}).all()
    add_spend(session, (Spend(row.tenant_id, row.month, reserved=-row.reserved) for row in lost))
    return [LedgerCall._make(row) for row in session.execute(_CALLS, {"passes": list(passes)})]


class CallStart(NamedTuple):
    """A call about to be made, or spared by the cache; `month` is whose budget it counts against."""

    pass_id: int
    tenant_id: int
    provider: str
    attempt: int
    state: str
    month: date
    reserved: Decimal = Decimal(0)
    found: Mapping[str, object] | None = None


_START = text("""
insert into crm.enrichment_call
       (pass_id, provider, attempt, tenant_id, state, month, reserved, found, ended_at)
select pass_id, provider, attempt, tenant_id, state, month, reserved, found,
       case when state = 'cached' then clock_timestamp() end
  from json_to_recordset(cast(:rows as json)) as r(pass_id bigint, provider text, attempt smallint,
       tenant_id integer, state text, month date, reserved numeric, found jsonb)""")


def start(session: Session, calls: Iterable[CallStart]) -> None:
    """Record calls before they are made ('calling'), or that the cache spared them ('cached')."""
    if rows := [call._asdict() for call in calls]:
        session.execute(_START, {"rows": as_rows(rows)})


class CallEnd(NamedTuple):
    """How a call ended; `tries` counts its requests, `found` is None where it failed."""

    pass_id: int
    provider: str
    attempt: int
    state: str
    cost: Decimal
    tries: int
    found: Mapping[str, object] | None
    reason: str | None


_END = text("""
update crm.enrichment_call c
   set state = r.state, reserved = 0, cost = r.cost, tries = r.tries, found = r.found, reason = r.reason,
       ended_at = clock_timestamp()
  from json_to_recordset(cast(:rows as json)) as r(pass_id bigint, provider text, attempt smallint,
       state text, cost numeric, tries smallint, found jsonb, reason text)
 where (c.pass_id, c.provider, c.attempt) = (r.pass_id, r.provider, r.attempt)""")


def end(session: Session, calls: Iterable[CallEnd]) -> None:
    """Record how calls ended: 'answered' with what was found and its cost, or 'failed' with the reason."""
    session.execute(_END, {"rows": as_rows(call._asdict() for call in calls)})


def forget(session: Session, pass_id: int, provider: str, attempt: int) -> None:
    """Delete a call that was recorded and then not made."""
    statement = text("""
        delete from crm.enrichment_call
         where pass_id = :pass and provider = :provider and attempt = :attempt""")
    session.execute(statement, {"pass": pass_id, "provider": provider, "attempt": attempt})


class CachedAnswer(NamedTuple):
    """An answer in the cache."""

    found: dict[str, object]
    obtained_at: datetime


class CacheEntry(NamedTuple):
    """An answer to cache for `seconds`."""

    tenant_id: int
    provider: str
    key: str
    found: Mapping[str, object]
    obtained_at: datetime
    seconds: float


_CACHED = text("""
select tenant_id, provider, key, found, obtained_at
  from crm.enrichment_cache
  join json_to_recordset(cast(:rows as json)) as r(tenant_id integer, provider text, key text)
       using (tenant_id, provider, key)
 where expires_at > clock_timestamp()""")
_CACHE = text("""
insert into crm.enrichment_cache as c (tenant_id, provider, key, found, obtained_at, expires_at)
select distinct on (tenant_id, provider, key)
       tenant_id, provider, key, found, obtained_at, obtained_at + make_interval(secs => seconds)
  from json_to_recordset(cast(:rows as json)) as r(tenant_id integer, provider text, key text, found jsonb,
       obtained_at timestamptz, seconds float8)
 order by tenant_id, provider, key, obtained_at desc
    on conflict (tenant_id, provider, key)
    do update set found = excluded.found, obtained_at = excluded.obtained_at,
       expires_at = excluded.expires_at""")


def cached(
    session: Session, keys: Iterable[tuple[int, str, str]]
) -> dict[tuple[int, str, str], CachedAnswer]:
    """Return the cached answers of these (tenant, provider, key)."""
    rows = as_rows({"tenant_id": tenant, "provider": provider, "key": key} for tenant, provider, key in keys)
    found = session.execute(_CACHED, {"rows": rows})
    return {(row.tenant_id, row.provider, row.key): CachedAnswer(row.found, row.obtained_at) for row in found}


def cache(session: Session, answers: Iterable[CacheEntry]) -> None:
    """Cache answers, each for its own time; of two with one key, the newer."""
    if rows := [answer._asdict() for answer in answers]:
        session.execute(_CACHE, {"rows": as_rows(rows)})
