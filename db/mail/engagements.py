"""Opens and clicks as the log holds them, to be judged again. Read as the role reader."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session


class Engagement(NamedTuple):
    """An open or a click, what was known of it, and its latest verdict."""

    seq: int
    event_id: UUID
    type: str
    account_id: str | None
    contact_id: str | None
    record_id: str | None
    occurred_at: datetime
    user_agent: str | None
    provider_machine: bool | None
    seconds: float | None
    method: str | None
    referrer: str | None
    url: str | None
    machine: bool | None
    rule: str | None
    delivered_at: datetime | None


_PAGE = text("""
select e.seq, e.event_id, e.type, e.account_id, e.contact_id, e.record_id, e.occurred_at,
       e.payload ->> 'user_agent',
       cast(e.payload ->> 'provider_machine' as boolean),
       cast(e.payload ->> 'seconds_since_delivery' as double precision),
       e.payload ->> 'method', e.payload ->> 'referrer', e.payload ->> 'url',
       cast(case when v.seq is null then e.payload ->> 'machine' else v.payload ->> 'machine' end as boolean),
       case when v.seq is null then e.payload ->> 'machine_rule' else v.payload ->> 'rule' end,
       d.delivered_at
  from activity.event e
  left join lateral (
    select c.seq, c.payload from activity.event c
     where c.tenant_id = e.tenant_id and c.cause_id = e.event_id and c.type = 'event.classified'
     order by c.seq desc limit 1) v on true
  left join crm.mail_delivery d
    on d.tenant_id = e.tenant_id and d.recipient = lower(e.payload ->> 'recipient')
   and d.message_id = trim(both '<>' from e.payload ->> 'message_id')
 where e.tenant_id = :tenant and e.type in ('email.opened', 'email.clicked') and e.payload is not null
   and e.seq > :after
 order by e.seq limit :limit""")


def page(session: Session, tenant: int, after: int, limit: int) -> list[Engagement]:
    """Return the opens and clicks that follow number `after`; those whose content was erased are left out."""
    rows = session.execute(_PAGE, {"tenant": tenant, "after": after, "limit": limit})
    return [Engagement(*row) for row in rows]
