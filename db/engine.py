"""Connections: one pool for each role of this process, and transactions that say whose rows they may see.

Every process logs in as the role of the work it does, never as the owner; the passwords are settings, one a role.
"""

import select
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Final, get_args

import psycopg
from psycopg.pq import ExecStatus
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError
from sqlalchemy.orm import Session

from activity.errors import SettingMissing
from activity.settings import Role, settings

EVERY_TENANT: Final = "*"


def database_url() -> URL:
    """Return the configured database, with the driver named and whatever credentials it came with."""
    try:
        return make_url(settings().required("database_url")).set(drivername="postgresql+psycopg")
    except ArgumentError:  # its text would show the URL, and with it a password
        raise SettingMissing(
            "ACTIVITY_DATABASE_URL is not a URL: write postgresql://host:5432/database"
        ) from None


def role_url(role: Role) -> URL:
    """Return the database's URL for the login of `role`."""
    password = getattr(settings(), f"{role}_password")
    return database_url().set(
        username=f"activity_{role}", password=password.get_secret_value() if password else None
    )


@cache
def engine(role: Role) -> Engine:
    """Return this process's pool for `role`."""
    made = create_engine(role_url(role), pool_size=10, hide_parameters=True)
    event.listen(made, "checkout", _notice_if_cut)
    return made


def _notice_if_cut(connection: psycopg.Connection, record: object, proxy: object) -> None:
    """Have a connection replaced that a restarted server cut: that is told to its socket, so the server need not be asked each time."""
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    if waiting.poll(0):
        try:
            connection.execute("select 1")
            connection.rollback()
        except psycopg.Error as error:
            raise DisconnectionError from error


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
            _name_tenant(session, EVERY_TENANT if tenant == EVERY_TENANT else str(int(tenant)))
        yield session


def _name_tenant(session: Session, tenant: str) -> None:
    """Begin the session's transaction and say whose rows it may see, in one message to the server: every request does this."""
    answer = driver(session).pgconn.exec_(
        f"begin; select set_config('activity.tenant', '{tenant}', true)".encode()
    )
    if (
        answer.status != ExecStatus.TUPLES_OK
    ):  # the connection is gone: SQLAlchemy finds that out, and says so in its way
        session.execute(text("select set_config('activity.tenant', :tenant, true)"), {"tenant": tenant})


def driver(session: Session) -> psycopg.Connection:
    """Return the driver's connection in the session's transaction: what is done by the thousand is faster without SQLAlchemy's wrapping."""
    return raw(session.connection())


def raw(connection: Connection) -> psycopg.Connection:
    """Return the driver's connection beneath SQLAlchemy's."""
    beneath = connection.connection.driver_connection
    assert isinstance(beneath, psycopg.Connection)
    return beneath


@contextmanager
def driver_errors() -> Iterator[None]:
    """Raise what the driver raises as SQLAlchemy does: whoever calls knows one kind of error."""
    try:
        yield
    except psycopg.Error as error:
        raise DBAPIError.instance(
            "by the driver", None, error, psycopg.Error, hide_parameters=True
        ) from error
