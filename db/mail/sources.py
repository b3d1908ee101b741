"""The inbound sources of reports and replies, with their secrets.

Every function but `find` is for a transaction that names the tenant of its source.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec
from sqlalchemy import text
from sqlalchemy.orm import Session

from activity.errors import ActivityError
from db.claim import Claimed, Queue


@dataclass(frozen=True)
class ClaimedSource(Claimed):
    """An inbound source that is to be polled or confirmed."""

    public_id: str
    mailbox: dict[str, object] | None
    uid_validity: int | None
    last_uid: int
    confirm_url: str | None
    failures: int


# Longer than opening a mailbox takes at worst, in six steps of 20 s; each mail that is read renews it.
SOURCES = Queue("crm.mail_source", ClaimedSource, lease=timedelta(minutes=3))


class MailSourceNotFound(ActivityError):
    """No source has this id."""


class MailSourceConflict(ActivityError):
    """Another source has this id."""


class MailSource(NamedTuple):
    """Where reports come from. `secrets` are those that are valid now, the newest first."""

    id: int
    tenant_id: int
    provider: str
    public_id: str
    name: str
    unsigned: bool
    tolerance_s: int
    url: str | None
    mailbox: Mapping[str, object] | None
    last_received_at: datetime | None
    failure: str | None
    due_at: datetime | None
    secrets: Sequence[str]


_SOURCE = """
select s.id, s.tenant_id, s.provider, s.public_id, s.name, s.unsigned, s.tolerance_s, s.url, s.mailbox,
       s.heard_at, s.failure, s.due_at,
       array(select k.secret from crm.mail_secret k
              where k.source_id = s.id and (k.expires_at is null or k.expires_at > clock_timestamp())
              order by k.id desc)
  from crm.mail_source s"""


def find(session: Session, public_id: str) -> MailSource | None:
    """Return the source with this id, in a transaction that sees every tenant; or None."""
    statement = text(f"{_SOURCE} where s.public_id = :public_id")
    row = session.execute(statement, {"public_id": public_id}).one_or_none()
    return None if row is None else MailSource(*row)


def list_all(session: Session, tenant: int) -> list[MailSource]:
    """Return the workspace's sources, the oldest first."""
    statement = text(f"{_SOURCE} where s.tenant_id = :tenant order by s.id")
    return [MailSource(*row) for row in session.execute(statement, {"tenant": tenant})]


_ADD = text("""
insert into crm.mail_source
  (tenant_id, provider, public_id, name, unsigned, tolerance_s, url, mailbox, due_at)
values (:tenant, :provider, :public_id, :name, :unsigned, :tolerance_s, :url, cast(:mailbox as jsonb),
        case when cast(:mailbox as jsonb) is not null then clock_timestamp() end)
on conflict (public_id) do nothing returning id""")


def add(
    session: Session,
    tenant: int,
    provider: str,
    public_id: str,
    *,
    name: str = "",
    secret: str | None = None,
    tolerance_s: int = 300,
    url: str | None = None,
    mailbox: object | None = None,
) -> None:
    """Add a source; without a secret it is unsigned. A mailbox is read from now on.

    Raises MailSourceConflict.

    `mailbox` is anything that JSON can hold an object of.
    """
    values = {
        "tenant": tenant,
        "provider": provider,
        "public_id": public_id,
        "name": name,
        "unsigned": secret is None,
        "tolerance_s": tolerance_s,
        "url": url,
        "mailbox": msgspec.json.encode(mailbox).decode() if mailbox else None,
    }
    row = session.execute(_ADD, values).first()
    if row is None:
        raise MailSourceConflict(f"there is a source {public_id!r}: choose another id, or rotate its secret")
    if secret is not None:
        _add_secret(session, tenant, row.id, secret)


def rotate(session: Session, tenant: int, public_id: str, secret: str, overlap_s: int) -> None:
    """Add a secret; the earlier ones are valid for at most `overlap_s` seconds more.

    Raises MailSourceNotFound.
    """
    found = _of_tenant(session, tenant, public_id)
    statement = text("""
        update crm.mail_secret
           set expires_at = least(expires_at, clock_timestamp() + make_interval(secs => :seconds))
         where source_id = :source""")
    session.execute(statement, {"source": found, "seconds": overlap_s})
    session.execute(text("update crm.mail_source set unsigned = false where id = :source"), {"source": found})
    _add_secret(session, tenant, found, secret)


def remove(session: Session, tenant: int, public_id: str) -> None:
    """Remove a source with its secrets and counts; what it reported stays. Raises MailSourceNotFound."""
    found = _of_tenant(session, tenant, public_id)
    session.execute(text("delete from crm.mail_source where id = :source"), {"source": found})


def _of_tenant(session: Session, tenant: int, public_id: str) -> int:
    statement = text("select id from crm.mail_source where tenant_id = :tenant and public_id = :public_id")
    found: int | None = session.scalar(statement, {"tenant": tenant, "public_id": public_id})
    if found is None:
        raise MailSourceNotFound(f"no source {public_id!r}: `activity source list` shows those there are")
    return found


def _add_secret(session: Session, tenant: int, source_id: int, secret: str) -> None:
    statement = text("""
        insert into crm.mail_secret (tenant_id, source_id, secret) values (:tenant, :source, :secret)""")
    session.execute(statement, {"tenant": tenant, "source": source_id, "secret": secret})


def mark_received(session: Session, source_id: int) -> None:
    """Note that the source reported; at most once a second, so that reports do not wait for each other."""
    statement = text("""
        update crm.mail_source set heard_at = clock_timestamp()
         where id = (select id from crm.mail_source
                      where id = :source
                        and (heard_at is null or heard_at < clock_timestamp() - interval '1 s')
                        for update skip locked)""")
    session.execute(statement, {"source": source_id})


def confirm_later(session: Session, source_id: int, url: str) -> None:
    """Have a subscription confirmed by a visit to an address that this engine composed."""
    statement = text("""
        update crm.mail_source set confirm_url = :url, due_at = clock_timestamp() where id = :source""")
    session.execute(statement, {"source": source_id, "url": url})


def mark_confirmed(session: Session, source_id: int) -> None:
    """Forget the address: it was visited."""
    statement = text("update crm.mail_source set confirm_url = null, failure = null where id = :source")
    session.execute(statement, {"source": source_id})


def mark_read(session: Session, source_id: int, uid_validity: int, uid: int) -> None:
    """Store how far a mailbox is read."""
    statement = text("""
        update crm.mail_source set uid_validity = :validity, last_uid = :uid, heard_at = clock_timestamp()
         where id = :source""")
    session.execute(statement, {"source": source_id, "validity": uid_validity, "uid": uid})


def mark_failed(session: Session, source_id: int, why: str) -> None:
    """Store why a mailbox could not be read, or a subscription not be confirmed."""
    statement = text("update crm.mail_source set failures = failures + 1, failure = :why where id = :source")
    session.execute(statement, {"source": source_id, "why": why})


def mark_recovered(session: Session, source_id: int) -> None:
    """Forget earlier failures."""
    statement = text("""
        update crm.mail_source set failures = 0, failure = null where id = :source and failures > 0""")
    session.execute(statement, {"source": source_id})
