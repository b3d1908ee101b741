"""The mailboxes of a workspace: added, listed, paused and resumed. Passwords are settings, never here."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

from activity.address import canonical
from activity.errors import ActivityError


class MailboxNotFound(ActivityError):
    """No mailbox of the workspace has this address."""


class NewMailbox(NamedTuple):
    """A mailbox to store: its server and its limits."""

    address: str
    name: str
    host: str
    port: int
    security: str = "tls"  # tls, starttls or none
    username: str | None = None
    zone: str = "UTC"
    per_minute: int | None = None
    per_day: int | None = None
    spacing_seconds: float = 0
    jitter: float = 0.3


class MailboxStatus(NamedTuple):
    """A mailbox as an operator sees it."""

    id: int
    address: str
    host: str
    port: int
    security: str
    zone: str
    per_minute: int | None
    per_day: int | None
    spacing_seconds: float
    sent_today: int
    paused: bool
    paused_until: datetime | None
    paused_reason: str | None
    waiting: int


_COLUMNS = ", ".join(NewMailbox._fields)
_VALUES = ", ".join(f":{name}" for name in NewMailbox._fields)
_CHANGES = ", ".join(f"{name} = excluded.{name}" for name in NewMailbox._fields[1:])
_ADD = text(f"""
insert into crm.mailbox (tenant_id, {_COLUMNS}) values (:tenant, {_VALUES})
on conflict (tenant_id, address) do update set {_CHANGES} returning id""")


def add(session: Session, tenant: int, mailbox: NewMailbox) -> int:
    """Add a mailbox, or change the one with this address; return its id."""
    return int(session.execute(_ADD, {"tenant": tenant, **mailbox._asdict()}).scalar_one())


def find(session: Session, tenant: int, address: str) -> int:
    """Return the id of the mailbox with this address. Raises MailboxNotFound."""
    query = text("select id from crm.mailbox where tenant_id = :tenant and lower(address) = lower(:address)")
    found = session.scalar(query, {"tenant": tenant, "address": address})
    if found is None:
        raise MailboxNotFound(f"no mailbox {address!r}: `activity mailbox add` makes one")
    return int(found)


def addresses(session: Session, tenant: int) -> set[str]:
    """Return the workspace's own addresses, each in its one spelling."""
    query = text("select address from crm.mailbox where tenant_id = :tenant")
    return {canonical(address) for address in session.scalars(query, {"tenant": tenant})}


_LIST = text("""
select id, address, host, port, security, zone, per_minute, per_day, spacing_seconds,
       case when day = (clock_timestamp() at time zone zone)::date then day_count else 0 end,
       paused, paused_until, paused_reason,
       (select count(*) from crm.enrolment e where e.mailbox_id = m.id and e.state = 'active')
  from crm.mailbox m where tenant_id = :tenant order by address""")


def list_all(session: Session, tenant: int) -> list[MailboxStatus]:
    """Return the workspace's mailboxes by address."""
    return [MailboxStatus._make(row) for row in session.execute(_LIST, {"tenant": tenant})]


def pause(session: Session, tenant: int, mailbox: int, reason: str) -> None:
    """Pause a mailbox until a person resumes it."""
    statement = text("""
        update crm.mailbox set paused = true, paused_until = null, paused_reason = :reason
         where tenant_id = :tenant and id = :id""")
    session.execute(statement, {"tenant": tenant, "id": mailbox, "reason": reason[:500]})


_RESUME = text("""
update crm.mailbox set paused = false, paused_until = null, paused_reason = null, failures = 0
 where tenant_id = :tenant and id = :id""")
_WAKE = text("""
update crm.enrolment set due_at = clock_timestamp(), reason = null
 where tenant_id = :tenant and mailbox_id = :id and state = 'active'
   and (due_at is null or reason like 'mailbox paused:%')""")


def resume(session: Session, tenant: int, mailbox: int) -> None:
    """Let a mailbox send again: the enrollments that waited for it are due now."""
    values = {"tenant": tenant, "id": mailbox}
    session.execute(_RESUME, values)
    session.execute(_WAKE, values)


def limit_workspace(session: Session, tenant: int, per_minute: int | None, per_day: int | None) -> None:
    """Set what all mailboxes of a workspace may send together; None is no limit."""
    statement = text("""
        insert into crm.sending_limit (tenant_id, per_minute, per_day) values (:tenant, :minute, :day)
        on conflict (tenant_id) do update
           set per_minute = excluded.per_minute, per_day = excluded.per_day""")
    session.execute(statement, {"tenant": tenant, "minute": per_minute, "day": per_day})
