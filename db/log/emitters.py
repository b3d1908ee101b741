"""Which logins may emit, and nothing else, for which workspace: programs that share the database."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

from activity.errors import ActivityError


class EmitterConflict(ActivityError):
    """The login emits for another workspace already."""


class Emitter(NamedTuple):
    """A login of PostgreSQL that may emit for one workspace."""

    login: str
    tenant_id: int
    created_at: datetime


def allow(session: Session, tenant: int, login: str) -> None:
    """Let a login emit for this workspace; a member of activity_emitter. Raises EmitterConflict."""
    statement = text("""
        insert into activity.emitter as e (login, tenant_id) values (:login, :tenant)
            on conflict (login) do update set tenant_id = e.tenant_id returning tenant_id
    """)
    if session.execute(statement, {"login": login, "tenant": tenant}).scalar_one() != tenant:
        raise EmitterConflict(f"{login!r} emits for another workspace: make a login for each")


def forbid(session: Session, tenant: int, login: str) -> bool:
    """Take that right back, from its next statement on; return whether the login had it."""
    statement = text(
        "delete from activity.emitter where login = :login and tenant_id = :tenant returning true"
    )
    return bool(session.scalar(statement, {"login": login, "tenant": tenant}))


def list_all(session: Session, tenant: int) -> list[Emitter]:
    """Return the logins that may emit for this workspace."""
    statement = text(
        "select login::text, tenant_id, created_at from activity.emitter where tenant_id = :tenant order by 1"
    )
    return [Emitter(*row) for row in session.execute(statement, {"tenant": tenant})]
