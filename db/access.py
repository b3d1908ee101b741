"""API keys: made, shown once, rotated, revoked, and looked up; and sessions that were ended.

Of a key only its SHA-256 is stored.
"""

import hashlib
import secrets
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from activity.errors import ActivityError

SCOPES = ("read", "write", "records", "contents")
_PREFIX = "act_"  # lets a secret scanner recognise a key
_COLUMNS = "id, tenant_id, name, scopes, actor, created_at, last_used_at, expires_at, revoked_at"
_ALIVE = "revoked_at is null and (expires_at is null or expires_at > clock_timestamp())"


class KeyNotFound(ActivityError):
    """No key of this workspace has this id."""


class ApiKey(NamedTuple):
    """An API key as it is kept; the key itself is known to its user alone."""

    id: int
    tenant_id: int
    name: str
    scopes: Sequence[str]
    actor: str
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None


def new_key() -> str:
    """Return a fresh key."""
    return _PREFIX + secrets.token_urlsafe(32)


def add_key(
    session: Session, tenant: int, key: str, name: str, scopes: Collection[str], actor: str = "system"
) -> ApiKey:
    """Keep a key. A key that is kept already stays as it is."""
    values = {
        "tenant": tenant,
        "name": name,
        "digest": _digest(key),
        "scopes": sorted(scopes),
        "actor": actor,
    }
    session.execute(
        text("""insert into crm.api_key (tenant_id, name, digest, scopes, actor)
                values (:tenant, :name, :digest, :scopes, :actor)
                on conflict do nothing"""),
        values,
    )
    return ApiKey(
        *session.execute(text(f"select {_COLUMNS} from crm.api_key where digest = :digest"), values).one()
    )


def rotate_key(session: Session, tenant: int, key_id: int, key: str, overlap: timedelta) -> ApiKey:
    """Keep a new key with the name, scopes and actor of an old one, which ends after `overlap`.

    Raises KeyNotFound.
    """
    old = session.execute(
        text(f"""update crm.api_key set expires_at = least(expires_at, clock_timestamp() + :overlap)
                  where tenant_id = :tenant and id = :id and {_ALIVE} returning {_COLUMNS}"""),
        {"tenant": tenant, "id": key_id, "overlap": overlap},
    ).one_or_none()
    known = _known(old, key_id)
    return add_key(session, tenant, key, known.name, known.scopes, known.actor)


def revoke_key(session: Session, tenant: int, key_id: int) -> ApiKey:
    """End a key now; servers notice within seconds. Raises KeyNotFound."""
    statement = f"""update crm.api_key set revoked_at = coalesce(revoked_at, clock_timestamp())
                     where tenant_id = :tenant and id = :id returning {_COLUMNS}"""
    return _known(session.execute(text(statement), {"tenant": tenant, "id": key_id}).one_or_none(), key_id)


def list_keys(session: Session, tenant: int) -> list[ApiKey]:
    """Return the keys of a workspace, the ended ones too, the newest first."""
    rows = session.execute(
        text(f"select {_COLUMNS} from crm.api_key where tenant_id = :tenant order by id desc limit 1000"),
        {"tenant": tenant},
    )
    return [ApiKey(*row) for row in rows]


def use_key(session: Session, key: str) -> ApiKey | None:
    """Return the live key that somebody shows, and note that it was used.

    In a transaction that sees every tenant.
    """
    return _use(session, "digest = :value", _digest(key))


def use_key_of_session(session: Session, key_id: int) -> ApiKey | None:
    """Return the live key that a session of the page was begun with, and note that it was used; as above."""
    return _use(session, "id = :value", key_id)


def sign_out(session: Session, session_id: UUID, ends_at: datetime) -> None:
    """Note that a session of the page was ended, until its cookie ends by itself."""
    session.execute(text("delete from crm.signed_out where ends_at < clock_timestamp()"))
    session.execute(
        text(
            "insert into crm.signed_out (session_id, ends_at) values (:id, :ends_at) on conflict do nothing"
        ),
        {"id": session_id, "ends_at": ends_at},
    )


def is_signed_out(session: Session, session_id: UUID) -> bool:
    """Return whether somebody ended this session."""
    found = session.execute(text("select 1 from crm.signed_out where session_id = :id"), {"id": session_id})
    return found.first() is not None


def _use(session: Session, which: str, value: bytes | int) -> ApiKey | None:
    # At most a write a minute: many requests use one key at the same time, and would wait for each other's
    # row. A standby takes none.
    to_note = """not pg_is_in_recovery()
        and (last_used_at is null or last_used_at < clock_timestamp() - interval '1 minute')"""
    row = session.execute(
        text(f"select {_COLUMNS}, {to_note} as to_note from crm.api_key where {which} and {_ALIVE}"),
        {"value": value},
    ).one_or_none()
    if row is None:
        return None
    *key, to_be_noted = row
    if to_be_noted:
        session.execute(
            text(f"""update crm.api_key set last_used_at = clock_timestamp()
                      where id = (select id from crm.api_key where id = :id and {to_note}
                                     for update skip locked)"""),
            {"id": row.id},
        )
    return ApiKey(*key)


def _known(row: Sequence[Any] | None, key_id: int) -> ApiKey:
    if row is None:
        raise KeyNotFound(f"this workspace has no live key {key_id}: `activity key list` shows them")
    return ApiKey(*row)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="surrogateescape")).digest()
