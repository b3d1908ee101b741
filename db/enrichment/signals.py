"""When signal rules fired, and the events that they count."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import text
from sqlalchemy.orm import Session

from db.engine import begin

_FIRE = text("""
insert into crm.signal_fired as f (tenant_id, rule, kind, record_id, fired_at)
values (:tenant, :rule, :kind, :record, :at)
    on conflict (tenant_id, rule, kind, record_id) do update set fired_at = excluded.fired_at
 where excluded.fired_at >= f.fired_at + make_interval(secs => :seconds)
returning rule""")


def fire(
    session: Session, tenant: int, rule: str, kind: str, record: str, at: datetime, window: timedelta
) -> bool:
    """Return whether a rule may fire for a record at this moment, and remember that it did.

    Of all callers, one in each window gets true.
    """
    about = {"tenant": tenant, "rule": rule, "kind": kind, "record": record}
    values = about | {"at": at, "seconds": window.total_seconds()}
    return session.execute(_FIRE, values).first() is not None


_COUNT = {
    kind: text(f"""
select count(*) from activity.event
 where tenant_id = :tenant and {kind}_id = :record and occurred_at > :since and occurred_at <= :until
   and type = any(:types) and (not :human or payload->>'machine' is distinct from 'true')
   and not exists (select from jsonb_each_text(cast(:payload as jsonb)) w
                    where lower(coalesce(payload->>w.key, '')) <> lower(w.value))""")
    for kind in ("account", "contact")
}


def count_events(
    tenant: int,
    kind: str,
    record: str,
    types: Sequence[str],
    since: datetime,
    until: datetime,
    *,
    human: bool,
    payload: Mapping[str, str],
) -> int:
    """Count a record's events of these types after `since` and up to `until`.

    With `human`, events that a machine made do not count; each named field of the payload must hold its text.
    """
    values = {
        "tenant": tenant,
        "record": record,
        "types": list(types),
        "since": since,
        "until": until,
        "human": human,
        "payload": msgspec.json.encode(dict(payload)).decode(),
    }
    with begin("reader", tenant) as session:
        return int(session.execute(_COUNT[kind], values).scalar_one())
