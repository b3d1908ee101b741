"""What somebody does to a log who holds the whole database, and knows how its hashes are made."""

from typing import Any

import psycopg

Admin = psycopg.Connection[Any]

_REHASH = """
with recursive chain as (
  select tenant_id, seq, hash from activity.event where tenant_id = %(tenant)s and seq = %(after)s
  union all
  select e.tenant_id, e.seq, sha256(c.hash || activity.header(account_id, actor, cause_id, contact_id,
         event_id, occurred_at, payload_sha256, record_id, record_type, recorded_at, e.seq, source,
         e.tenant_id, type, version))
    from chain c join activity.event e on e.tenant_id = c.tenant_id and e.seq = c.seq + 1)
update activity.event e set hash = c.hash from chain c where c.tenant_id = e.tenant_id and c.seq = e.seq"""


def unlock(admin: Admin) -> None:
    """Switch off what keeps even a superuser from changing the log by mistake."""
    admin.execute("set session_replication_role = replica")
    for trigger in ("no_delete", "no_truncate", "no_update_but_erasure"):
        admin.execute(f"alter table activity.event disable trigger {trigger}")


def rehash(admin: Admin, tenant: int, after: int) -> None:
    """Compute all hashes after this number anew, and the head's."""
    admin.execute(_REHASH, {"tenant": tenant, "after": after})
    rewind(admin, tenant)


def rewind(admin: Admin, tenant: int) -> None:
    """Have the head say where the events end now."""
    admin.execute(
        "update activity.head h set seq = e.seq, hash = e.hash from (select seq, hash from activity.event "
        "where tenant_id = %s order by seq desc limit 1) e where h.tenant_id = %s",
        (tenant, tenant),
    )
