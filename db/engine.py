"""Connections: one pool for each role of this process, and transactions that say whose rows they may see.

Every process logs in as the role of the work it does, never as the owner; each role's password is a setting.
"""

import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal

import psycopg
import structlog
from psycopg.pq import ExecStatus
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError
from sqlalchemy.orm import Session

from activity.errors import SettingMissing
from activity.settings import Role, settings
from db.connection import BoundedConnection

log = structlog.get_logger()

EVERY_TENANT: Final = "*"

# Seconds after which a silent server is given up: longer than the role's own statement_timeout lets an answer
# take. An erasure or a proof may take long, and the kernel's keepalives still notice a host that is gone.
_BOUND_S: dict[Role, float] = {"producer": 60, "writer": 35, "reader": 20, "auditor": 900, "eraser": 900}
_RENEW_EVERY_S = 5.0
_engines: dict[Role, Engine] = {}
_DIALECT = PGDialect_psycopg()  # type: ignore[no-untyped-call]  # as SQLAlchemy has it


def database_url() -> URL:
    """Return the configured database, with the driver named and whatever credentials it came with."""
    return _url("database_url")


def _url(setting: Literal["database_url", "reader_url"]) -> URL:
    try:
        return make_url(settings().required(setting)).set(drivername="postgresql+psycopg")
    except ArgumentError:  # its text would show the URL, and with it a password
        raise SettingMissing(
            f"ACTIVITY_{setting.upper()} is not a URL: write postgresql://host:5432/database"
        ) from None


def role_url(role: Role) -> URL:
    """Return the URL for the login of `role`: of the database, or of its standby where readers have one."""
    password = getattr(settings(), f"{role}_password")
    url = _url("reader_url") if role == "reader" and settings().reader_url else database_url()
    return url.set(username=f"activity_{role}", password=password.get_secret_value() if password else None)


def engine(role: Role) -> Engine:
    """Return this process's pool for `role`: none of its connections waits for the server without an end."""
    # Threads that ask at once get the same, without a lock that a fork could leave held: a pool is empty at
    # first.
    return _engines.get(role) or _engines.setdefault(role, _made(role))


def _made(role: Role) -> Engine:
    pool = _Pool(role)
    made = create_engine(
        # For the name of the dialect alone: _Pool.connect makes the connections.
        role_url(role).set(query={}),
        creator=pool.connect,
        pool_size=settings().database_pool,
        max_overflow=settings().database_pool,
        pool_timeout=10,
        hide_parameters=True,
    )
    event.listen(made, "checkout", pool.check)
    return made


class _Pool:
    """How the connections of one role are made, and when they are too old to be given to anybody."""

    def __init__(self, role: Role) -> None:
        self._role: Role = role
        self._renewed = 0.0

    def connect(self) -> BoundedConnection:
        connection = BoundedConnection.connect(**_connect_options(self._role))
        connection.made_at = time.monotonic()
        connection.bound_s = _BOUND_S[self._role]
        connection.when_slow = self.renew
        return connection

    def renew(self) -> None:
        """Have all connections replaced before their next use: where one is half-open, so are the others."""
        if time.monotonic() - self._renewed > _RENEW_EVERY_S:
            self._renewed = time.monotonic()
            log.warning("database_slow", role=self._role)

    def check(self, connection: BoundedConnection, record: object, proxy: object) -> None:
        """Have a connection replaced that is too old, or that a restarted server cut."""
        if connection.made_at < self._renewed or _is_cut(connection):
            raise DisconnectionError


def _connect_options(role: Role) -> dict[str, Any]:
    """Return what a connection of the role is made with; the URL is stronger than our defaults."""
    given = settings()
    url = role_url(role)
    usual: dict[str, Any] = {
        "connect_timeout": given.database_connect_s,
        "tcp_user_timeout": given.database_unacknowledged_s * 1000,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "application_name": f"activity {role}",
    }
    stated: dict[str, object] = _DIALECT.create_connect_args(url)[1]  # type: ignore[no-untyped-call]  # as above
    options = usual | stated
    return options | {"prepare_threshold": _prepare_threshold(options.get("prepare_threshold"))}


def _prepare_threshold(stated: str | None) -> int | None:
    """Return after how many executions a statement is prepared. None: never, for a pooler by transaction."""
    if stated is None:
        return 5 if settings().database_prepare else None
    if stated.isdecimal():
        return int(stated)
    if stated.lower() == "none":
        return None
    raise SettingMissing("ACTIVITY_DATABASE_URL: prepare_threshold is a number, or none")


def _is_cut(connection: BoundedConnection) -> bool:
    """Return whether the server closed the connection: its socket tells, so the server need not be asked."""
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    if not waiting.poll(0):
        return False
    try:
        connection.execute("select 1")
        connection.rollback()
    except psycopg.Error:
        return True
    return False


def forget_connections() -> None:
    """Drop every pool without closing its sockets: for a child process, whose parent still uses them."""
    _drop_pools(close=False)


def close_connections() -> None:
    """Close what the pools hold, and drop them: the next use reads the settings anew."""
    _drop_pools(close=True)


def _drop_pools(*, close: bool) -> None:
    while _engines:
        _engines.popitem()[1].dispose(close=close)


@contextmanager
def begin(role: Role, tenant: int | str | None = None) -> Iterator[Session]:
    """Open a transaction as `role` that sees the rows of `tenant`; commit at its end, or roll back.

    Workers that claim work of all workspaces name EVERY_TENANT.
    """
    with Session(engine(role)) as session, session.begin():
        if tenant is not None:
            _name_tenant(session, EVERY_TENANT if tenant == EVERY_TENANT else str(int(tenant)))
        yield session


def _name_tenant(session: Session, tenant: str) -> None:
    """Begin the session's transaction and name its tenant, in one message: every request does this."""
    try:
        answers = driver(session).ask(
            f"begin; select set_config('activity.tenant', '{tenant}', true)".encode()
        )
        if answers[-1].status == ExecStatus.TUPLES_OK:
            return
    except psycopg.Error:
        pass
    # The connection is gone: SQLAlchemy finds that out, and raises it in its way.
    session.execute(text("select set_config('activity.tenant', :tenant, true)"), {"tenant": tenant})


def is_standby(session: Session) -> bool:
    """Return whether the session's server takes no writes: it follows another."""
    return bool(session.scalar(text("select pg_is_in_recovery()")))


def driver(session: Session) -> BoundedConnection:
    """Return the driver's connection in the session's transaction.

    What is done by the thousand is faster without SQLAlchemy around it.
    """
    return raw(session.connection())


def raw(connection: Connection) -> BoundedConnection:
    """Return the driver's connection beneath SQLAlchemy's."""
    beneath = connection.connection.driver_connection
    assert isinstance(beneath, BoundedConnection)
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
