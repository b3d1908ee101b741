"""The ledger of calls to providers: what is under way, what was answered and what it cost; the cache, and how each provider is doing."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from db.rows import as_rows

_LOSE = text("""
update crm.enrichment_call c set state = 'lost', reserved = 0, ended_at = clock_timestamp()
  from (select pass_id, provider, attempt, reserved from crm.enrichment_call
         where pass_id = any(:passes) and state = 'calling' for update) was
 where (c.pass_id, c.provider, c.attempt) = (was.pass_id, was.provider, was.attempt)
returning c.tenant_id, c.month, was.reserved""")


def take_over(session: Session, passes: Sequence[int]) -> Sequence[Row[Any]]:
    """Return the calls that earlier holders of claimed passes made, in order; those under way then are lost: their end is not known."""
    lost = session.execute(_LOSE, {"passes": list(passes)}).all()
    add_spend(session, (Spend(row.tenant_id, row.month, reserved=-row.reserved) for row in lost))
    return session.execute(
        text("select * from crm.enrichment_call where pass_id = any(:passes) order by started_at"),
        {"passes": list(passes)},
    ).all()


_START = text("""
insert into crm.enrichment_call (pass_id, provider, attempt, tenant_id, state, month, reserved, found, ended_at)
select pass_id, provider, attempt, tenant_id, state, month, reserved, found, case when state = 'cached' then clock_timestamp() end
  from json_to_recordset(cast(:rows as json)) as r(pass_id bigint, provider text, attempt smallint, tenant_id integer, state text,
       month date, reserved numeric, found jsonb)""")


def start(session: Session, calls: Sequence[Mapping[str, Any]]) -> None:
    """Write down calls before they are made ('calling'), or that the cache made them unnecessary ('cached', with what it holds)."""
    session.execute(_START, {"rows": as_rows(calls)})


_END = text("""
update crm.enrichment_call c
   set state = r.state, reserved = 0, cost = r.cost, tries = r.tries, found = r.found, reason = r.reason, ended_at = clock_timestamp()
  from json_to_recordset(cast(:rows as json)) as r(pass_id bigint, provider text, attempt smallint, state text, cost numeric,
       tries smallint, found jsonb, reason text)
 where (c.pass_id, c.provider, c.attempt) = (r.pass_id, r.provider, r.attempt)""")


def end(session: Session, calls: Sequence[Mapping[str, Any]]) -> None:
    """Book how calls ended: 'answered' with what was found and its cost, or 'failed' with the reason."""
    session.execute(_END, {"rows": as_rows(calls)})


def forget(session: Session, pass_id: int, provider: str, attempt: int) -> None:
    """Strike out a call that was written down and then not made."""
    session.execute(
        text(
            "delete from crm.enrichment_call where pass_id = :pass and provider = :provider and attempt = :attempt"
        ),
        {"pass": pass_id, "provider": provider, "attempt": attempt},
    )


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
  from json_to_recordset(cast(:rows as json)) as r(tenant_id integer, month date, reserved numeric, spent numeric, calls bigint,
       repeats bigint)
 group by tenant_id, month order by tenant_id, month
    on conflict (tenant_id, month) do update set reserved = s.reserved + excluded.reserved, spent = s.spent + excluded.spent,
       calls = s.calls + excluded.calls, repeats = s.repeats + excluded.repeats""")


def add_spend(session: Session, changes: Iterable[Spend]) -> None:
    """Add changes to their tenants' months."""
    rows = [change._asdict() for change in changes]
    if rows:
        session.execute(_SPEND, {"rows": as_rows(rows)})


def committed(session: Session, tenants: Sequence[int], month: date) -> dict[int, Decimal]:
    """Return what each tenant has spent and reserved this month, and let nobody else change it until the transaction ends."""
    add_spend(
        session, (Spend(tenant, month) for tenant in sorted(tenants))
    )  # the row must be there to be locked
    query = text("""select tenant_id, spent + reserved as total from crm.enrichment_spend
                     where tenant_id = any(:tenants) and month = :month order by tenant_id for update""")
    return {
        row.tenant_id: row.total for row in session.execute(query, {"tenants": list(tenants), "month": month})
    }


class Month(NamedTuple):
    """What a tenant's month has cost by now."""

    spent: Decimal = Decimal(0)
    reserved: Decimal = Decimal(0)
    calls: int = 0
    repeats: int = 0


def spend(session: Session, tenant: int, month: date) -> Month:
    """Return a tenant's month."""
    query = text(
        "select spent, reserved, calls, repeats from crm.enrichment_spend where tenant_id = :tenant and month = :month"
    )
    row = session.execute(query, {"tenant": tenant, "month": month}).one_or_none()
    return Month(*row) if row else Month()


class Cached(NamedTuple):
    """An answer that was kept."""

    found: dict[str, Any]
    obtained_at: datetime


_CACHED = text("""
select c.* from crm.enrichment_cache c join json_to_recordset(cast(:rows as json)) as r(tenant_id integer, provider text, key text)
    on (c.tenant_id, c.provider, c.key) = (r.tenant_id, r.provider, r.key) where c.expires_at > clock_timestamp()""")
_KEEP = text("""
insert into crm.enrichment_cache as c (tenant_id, provider, key, found, obtained_at, expires_at)
select distinct on (tenant_id, provider, key) tenant_id, provider, key, found, obtained_at, obtained_at + make_interval(secs => seconds)
  from json_to_recordset(cast(:rows as json)) as r(tenant_id integer, provider text, key text, found jsonb, obtained_at timestamptz,
       seconds float8)
 order by tenant_id, provider, key, obtained_at desc
    on conflict (tenant_id, provider, key) do update set found = excluded.found, obtained_at = excluded.obtained_at,
       expires_at = excluded.expires_at""")


def cached(session: Session, keys: Iterable[tuple[int, str, str]]) -> dict[tuple[int, str, str], Cached]:
    """Return the answers that are kept for these (tenant, provider, key)."""
    rows = as_rows({"tenant_id": tenant, "provider": provider, "key": key} for tenant, provider, key in keys)
    found = session.execute(_CACHED, {"rows": rows})
    return {(row.tenant_id, row.provider, row.key): Cached(row.found, row.obtained_at) for row in found}


def keep(session: Session, answers: Sequence[Mapping[str, Any]]) -> None:
    """Keep answers, each for its `seconds`."""
    session.execute(_KEEP, {"rows": as_rows(answers)})


def providers(session: Session) -> Sequence[Row[Any]]:
    """Return how every provider is doing, by name: failures in a row, open_until while its breaker is open, reason, failed_at."""
    return session.execute(
        text(
            "select name, failures, open_until, reason, failed_at from crm.enrichment_provider order by name"
        )
    ).all()


def register(session: Session, names: Sequence[str]) -> None:
    """Make the rows of providers that were never seen."""
    session.execute(
        text(
            "insert into crm.enrichment_provider (name) select unnest(cast(:names as text[])) on conflict (name) do nothing"
        ),
        {"names": sorted(names)},
    )


_REPORT = text("""
update crm.enrichment_provider p set failures = p.failures + r.failures, reason = r.reason, failed_at = clock_timestamp(),
       open_until = case when p.failures + r.failures >= r.threshold then clock_timestamp() + make_interval(secs => r.seconds) end
  from json_to_recordset(cast(:rows as json)) as r(name text, failures integer, threshold integer, seconds float8, reason text)
 where p.name = r.name""")


def report_failures(session: Session, reports: Sequence[Mapping[str, Any]]) -> None:
    """Count failures in a row: name, failures, reason, and the threshold from which the breaker is open for `seconds`."""
    session.execute(_REPORT, {"rows": as_rows(reports)})


def report_success(session: Session, names: Sequence[str]) -> None:
    """Close the breakers of providers that answered."""
    session.execute(
        text(
            "update crm.enrichment_provider set failures = 0, open_until = null where name = any(:names) and failures > 0"
        ),
        {"names": list(names)},
    )


def probe(session: Session, name: str, seconds: float) -> bool:
    """Say whether this caller is the one that may try an open provider again; for so many seconds nobody else is."""
    query = text("""update crm.enrichment_provider set open_until = clock_timestamp() + make_interval(secs => :seconds)
                     where name = :name and open_until <= clock_timestamp()""")
    done: Any = session.execute(query, {"name": name, "seconds": seconds})
    return bool(done.rowcount)


_SLOTS = text("""
insert into crm.enrichment_provider as p (name, next_slot) values (:name, clock_timestamp() + make_interval(secs => :seconds))
    on conflict (name) do update set next_slot = greatest(p.next_slot, clock_timestamp()) + make_interval(secs => :seconds)
returning extract(epoch from next_slot - clock_timestamp()) - :seconds as wait""")


def take_slots(session: Session, name: str, seconds: float) -> float:
    """Reserve the next `seconds` of a provider's rate for this caller; return in how many seconds they begin."""
    return max(0.0, float(session.execute(_SLOTS, {"name": name, "seconds": seconds}).scalar_one()))
