"""Connections: one pool for each role of this process, and transactions that say whose rows they may see.

Every process logs in as the role of the work it does, never as the owner; the passwords are settings, one a role.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Final, get_args

from sqlalchemy import URL, Engine, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session

from activity.errors import SettingMissing
from activity.settings import Role, settings

EVERY_TENANT: Final = "*"


def database_url() -> URL:
    """Return the configured database, with the driver named and whatever credentials it came with."""
    try:
        return make_url(settings().required("database_url")).set(drivername="postgresql+psycopg")
    except ArgumentError:  # its text would show the URL, and with it a password
        raise SettingMissing("ACTIVITY_DATABASE_URL is not a URL: write postgresql://host:5432/database") from None


def role_url(role: Role) -> URL:
    """Return the database's URL for the login of `role`."""
    password = getattr(settings(), f"{role}_password")
    return database_url().set(username=f"activity_{role}", password=password.get_secret_value() if password else None)


@cache
def engine(role: Role) -> Engine:
    """Return this process's pool for `role`."""
    # A connection that a restarted server cut is noticed before use; the append task does without, since its next tick tries again.
    return create_engine(role_url(role), pool_pre_ping=role != "writer", pool_size=10, hide_parameters=True)


def forget_connections() -> None:
    """Drop every pool without closing its sockets: for a child process, whose parent still uses them."""
    if settings().database_url:
        for role in get_args(Role):
            engine(role).dispose(close=False)
    engine.cache_clear()


@contextmanager
def begin(role: Role, tenant: int | str | None = None) -> Iterator[Session]:
    """Open a transaction as `role` that sees the rows of `tenant` (or EVERY_TENANT, for workers); commit at its end, or roll back."""
    with Session(engine(role)) as session, session.begin():
        if tenant is not None:
            session.execute(text("select set_config('activity.tenant', :tenant, true)"), {"tenant": str(tenant)})
        yield session
