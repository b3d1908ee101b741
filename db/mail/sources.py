"""What comes back: the sources of reports with their secrets, what was seen, and whom a report is about. A transaction names its tenant."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.orm import Session

from activity.errors import ActivityError
from db.claim import Claimed, Queue


@dataclass(frozen=True)
class ClaimedSource(Claimed):
    """An inbound source that is to be polled or confirmed."""

    public_id: str
    mailbox: dict[str, Any] | None
    uid_validity: int | None
    last_uid: int
    confirm_url: str | None
    failures: int


SOURCES = Queue("crm.mail_source", ClaimedSource)


class SourceUnknown(ActivityError):
    """No source has this id."""


class SourceTaken(ActivityError):
    """Another source has this id."""


class Source(NamedTuple):
    """Where reports come from. `secrets` are those that are valid now."""

    id: int
    tenant_id: int
    provider: str
    public_id: str
    name: str
    unsigned: bool
    tolerance_s: int
    url: str | None
    mailbox: Mapping[str, Any] | None
    heard_at: datetime | None
    failure: str | None
    due_at: datetime | None
    secrets: Sequence[str]


_SOURCE = """
select s.id, s.tenant_id, s.provider, s.public_id, s.name, s.unsigned, s.tolerance_s, s.url, s.mailbox, s.heard_at, s.failure, s.due_at,
  array(select k.secret from crm.mail_secret k
         where k.source_id = s.id and (k.expires_at is null or k.expires_at > clock_timestamp()) order by k.id desc)
  from crm.mail_source s"""


def source(session: Session, public_id: str) -> Source | None:
    """Return the source with this id, in a transaction that sees every tenant; or None."""
    row = session.execute(
        text(f"{_SOURCE} where s.public_id = :public_id"), {"public_id": public_id}
    ).one_or_none()
    return None if row is None else Source(*row)


def sources(session: Session, tenant: int) -> list[Source]:
    """Return the workspace's sources, the oldest first."""
    return [
        Source(*row)
        for row in session.execute(
            text(f"{_SOURCE} where s.tenant_id = :tenant order by s.id"), {"tenant": tenant}
        )
    ]


def add_source(
    session: Session,
    tenant: int,
    provider: str,
    public_id: str,
    *,
    name: str = "",
    secret: str | None = None,
    tolerance_s: int = 300,
    url: str | None = None,
    mailbox: Mapping[str, Any] | None = None,
) -> None:
    """Add a source; without a secret it is unsigned. A mailbox is read from now on. Raises SourceTaken."""
    statement = text("""insert into crm.mail_source (tenant_id, provider, public_id, name, unsigned, tolerance_s, url, mailbox, due_at)
      values (:tenant, :provider, :public_id, :name, :unsigned, :tolerance_s, :url, cast(:mailbox as jsonb),
              case when cast(:mailbox as jsonb) is not null then clock_timestamp() end)
      on conflict (public_id) do nothing returning id""")
    values = {
        "tenant": tenant,
        "provider": provider,
        "public_id": public_id,
        "name": name,
        "tolerance_s": tolerance_s,
        "url": url,
    }
    kept = msgspec.json.encode(mailbox).decode() if mailbox else None
    row = session.execute(statement, values | {"unsigned": secret is None, "mailbox": kept}).first()
    if row is None:
        raise SourceTaken(f"there is a source {public_id!r}: choose another id, or rotate its secret")
    if secret is not None:
        _add_secret(session, tenant, row.id, secret)


def rotate(session: Session, tenant: int, public_id: str, secret: str, keep_old_s: int) -> None:
    """Add a secret; the earlier ones are valid for so many seconds more. Raises SourceUnknown."""
    found = _of_tenant(session, tenant, public_id)
    statement = text("""update crm.mail_secret set expires_at = least(expires_at, clock_timestamp() + make_interval(secs => :seconds))
                        where source_id = :source""")
    session.execute(statement, {"source": found, "seconds": keep_old_s})
    session.execute(text("update crm.mail_source set unsigned = false where id = :source"), {"source": found})
    _add_secret(session, tenant, found, secret)


def remove(session: Session, tenant: int, public_id: str) -> None:
    """Remove a source with its secrets and counts; what it reported stays. Raises SourceUnknown."""
    session.execute(
        text("delete from crm.mail_source where id = :source"),
        {"source": _of_tenant(session, tenant, public_id)},
    )


def _of_tenant(session: Session, tenant: int, public_id: str) -> int:
    statement = text("select id from crm.mail_source where tenant_id = :tenant and public_id = :public_id")
    found: int | None = session.scalar(statement, {"tenant": tenant, "public_id": public_id})
    if found is None:
        raise SourceUnknown(f"no source {public_id!r}: `activity source list` shows those there are")
    return found


def _add_secret(session: Session, tenant: int, source_id: int, secret: str) -> None:
    statement = text(
        "insert into crm.mail_secret (tenant_id, source_id, secret) values (:tenant, :source, :secret)"
    )
    session.execute(statement, {"tenant": tenant, "source": source_id, "secret": secret})


def heard(session: Session, source_id: int) -> None:
    """Note that the source reported; at most once a second, so that reports do not wait for each other."""
    statement = text("""update crm.mail_source set heard_at = clock_timestamp()
                        where id = (select id from crm.mail_source where id = :source
                                     and (heard_at is null or heard_at < clock_timestamp() - interval '1 s') for update skip locked)""")
    session.execute(statement, {"source": source_id})


def confirm_later(session: Session, source_id: int, url: str) -> None:
    """Have a subscription confirmed by a visit to an address that we made."""
    session.execute(
        text("update crm.mail_source set confirm_url = :url, due_at = clock_timestamp() where id = :source"),
        {"source": source_id, "url": url},
    )


def confirmed(session: Session, source_id: int) -> None:
    """Forget the address: it was visited."""
    session.execute(
        text("update crm.mail_source set confirm_url = null, failure = null where id = :source"),
        {"source": source_id},
    )


def unseen(session: Session, tenant: int, ids: Collection[UUID]) -> set[UUID]:
    """Mark reports as seen, and return those that were not before. A transaction that sees the same one waits for this one's end."""
    statement = text("""insert into crm.mail_seen (tenant_id, event_id) select :tenant, id from unnest(cast(:ids as uuid[])) id order by id
                        on conflict do nothing returning event_id""")
    return set(session.scalars(statement, {"tenant": tenant, "ids": sorted(ids)}))


def count_unknown(session: Session, tenant: int, source_id: int, kind: str, number: int) -> None:
    """Count reports of a kind that we do not know."""
    statement = text("""insert into crm.mail_unknown as u (tenant_id, source_id, kind, count) values (:tenant, :source, :kind, :number)
                        on conflict (source_id, kind) do update set count = u.count + excluded.count, last_at = clock_timestamp()""")
    session.execute(
        statement,
        {"tenant": tenant, "source": source_id, "kind": kind[:200].replace("\x00", ""), "number": number},
    )


def unknown_kinds(session: Session, tenant: int) -> list[tuple[str, str, int]]:
    """Return (source, kind, how many) of the reports that we do not know."""
    statement = text("""select s.public_id, u.kind, u.count from crm.mail_unknown u join crm.mail_source s on s.id = u.source_id
                        where u.tenant_id = :tenant order by 1, 2""")
    return [(row[0], row[1], row[2]) for row in session.execute(statement, {"tenant": tenant})]


class Sent(NamedTuple):
    """A mail of ours that a report is about."""

    message_id: str
    recipient: str
    contact_id: str
    account_id: str | None
    thread_id: str
    sequence: str
    sequence_id: int
    step: int
    variant: str
    subject: str | None
    sent_at: datetime | None


class Contact(NamedTuple):
    """A person, by address."""

    contact_id: str
    account_id: str | None


_SENT = """
select m.message_id, lower(m.recipient), m.contact_id, m.account_id, m.thread_id, s.name, s.id, m.step, m.variant, m.subject, m.sent_at
  from crm.message m join crm.sequence s on s.id = m.sequence_id where m.tenant_id = :tenant"""


def sent_by_id(session: Session, tenant: int, ids: Iterable[str]) -> dict[str, Sent]:
    """Return our mails by their Message-ID headers, given and returned without < and >."""
    found = session.execute(
        text(f"{_SENT} and m.message_id = any(:ids)"), {"tenant": tenant, "ids": sorted(set(ids))}
    )
    return {row[0]: Sent(*row) for row in found}


def sent_to(session: Session, tenant: int, addresses: Iterable[str]) -> dict[str, Sent]:
    """Return the last mail of ours to each of some addresses, in small letters."""
    each = text(f"""select l.* from unnest(cast(:addresses as text[])) a cross join lateral
      ({_SENT} and lower(m.recipient) = a and m.state in ('sent', 'unknown', 'bounced') order by m.id desc limit 1) l""")
    return {
        row[1]: Sent(*row)
        for row in session.execute(each, {"tenant": tenant, "addresses": sorted(set(addresses))})
    }


def contacts_by_address(session: Session, tenant: int, addresses: Iterable[str]) -> dict[str, Contact]:
    """Return the contact of each of some addresses, in small letters; of several with one address the one that came first."""
    statement = text("""select distinct on (lower(email)) lower(email), id, account_id from crm.contact
                        where tenant_id = :tenant and lower(email) = any(:addresses) order by lower(email), created_at, id""")
    found = session.execute(statement, {"tenant": tenant, "addresses": sorted(set(addresses))})
    return {row[0]: Contact(row[1], row[2]) for row in found}


def delivered(session: Session, tenant: int, arrivals: Mapping[tuple[str, str], datetime]) -> None:
    """Keep when mails arrived, by (message id, address); the earliest counts."""
    if not arrivals:
        return
    statement = text("""insert into crm.mail_delivery as d (tenant_id, message_id, recipient, delivered_at)
      select :tenant, * from unnest(cast(:ids as text[]), cast(:addresses as text[]), cast(:moments as timestamptz[]))
      on conflict (tenant_id, message_id, recipient) do update set delivered_at = excluded.delivered_at
        where excluded.delivered_at < d.delivered_at""")
    keys = sorted(arrivals)
    columns = {
        "ids": [key[0] for key in keys],
        "addresses": [key[1] for key in keys],
        "moments": [arrivals[key] for key in keys],
    }
    session.execute(statement, {"tenant": tenant} | columns)


def delivered_at(session: Session, tenant: int, ids: Iterable[str]) -> dict[tuple[str, str], datetime]:
    """Return when mails arrived, by (message id, address)."""
    statement = text(
        "select message_id, recipient, delivered_at from crm.mail_delivery where tenant_id = :tenant and message_id = any(:ids)"
    )
    found = session.execute(statement, {"tenant": tenant, "ids": sorted(set(ids))})
    return {(row[0], row[1]): row[2] for row in found}


def read_to(session: Session, source_id: int, uid_validity: int, uid: int) -> None:
    """Keep how far a mailbox is read."""
    statement = text(
        "update crm.mail_source set uid_validity = :validity, last_uid = :uid, heard_at = clock_timestamp() where id = :source"
    )
    session.execute(statement, {"source": source_id, "validity": uid_validity, "uid": uid})


def failed(session: Session, source_id: int, why: str) -> None:
    """Keep why a mailbox could not be read, or a subscription not be confirmed."""
    session.execute(
        text("update crm.mail_source set failures = failures + 1, failure = :why where id = :source"),
        {"source": source_id, "why": why},
    )


def recovered(session: Session, source_id: int) -> None:
    """Forget earlier failures."""
    session.execute(
        text("update crm.mail_source set failures = 0, failure = null where id = :source and failures > 0"),
        {"source": source_id},
    )


def soft_bounced(session: Session, tenant: int, addresses: Iterable[str]) -> set[str]:
    """Return which of some addresses, in small letters, have soft bounces that count."""
    statement = text(
        "select address from crm.soft_bounce where tenant_id = :tenant and address = any(:addresses)"
    )
    return set(session.scalars(statement, {"tenant": tenant, "addresses": sorted(set(addresses))}))


def enrolled(session: Session, tenant: int, contacts: Iterable[str]) -> set[str]:
    """Return which of some contacts are on their way through a sequence."""
    statement = text(
        "select distinct contact_id from crm.enrolment where tenant_id = :tenant and contact_id = any(:contacts) and state = 'active'"
    )
    return set(session.scalars(statement, {"tenant": tenant, "contacts": sorted(set(contacts))}))
