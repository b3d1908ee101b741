"""`activity migrate`: the only thing that runs DDL.

Safe to run twice, and at the same time from several places.
"""

from typing import get_args

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.pool import NullPool

from activity.errors import ActivityError
from activity.settings import Role, settings
from db import roles
from db.engine import begin, database_url
from db.migrations import HERE, directory

_OLDEST_SERVER = 18
_LOCK = 0x61637469  # any fixed number: two migrations of one database wait for each other on it


class SchemaTooNew(ActivityError):
    """The database was migrated by a newer version of this program: upgrade the program."""


class ServerTooOld(ActivityError):
    """The database's server lacks what the schema is made of."""


def migrate(*, admin_url: str | None = None) -> str:
    """Bring the database to this version's schema, set the configured passwords, return its revision.

    The login needs CREATEROLE and CREATE on the database; it need not be a superuser.
    """
    url = database_url() if admin_url is None else admin_url
    with create_engine(url, poolclass=NullPool, hide_parameters=True).connect() as connection:
        _refuse_older_server(connection)
        connection.execute(text("select pg_advisory_lock(:key)"), {"key": _LOCK})
        connection.commit()  # the lock is the session's; the migration gets a transaction of its own
        config = _config(connection)
        scripts = directory(config)
        _refuse_newer(connection, scripts)
        passwords = _passwords()
        with connection.begin():  # before anything is made here
            settable = roles.refuse_others_passwords(connection, make_url(url), passwords)
            roles.mend(connection)
        _upgrade(config, scripts)
        with connection.begin():
            roles.mend(connection)
            for role in settable:
                roles.set_password(connection, role, passwords[role])
        return str(MigrationContext.configure(connection, opts=_OPTIONS).get_current_revision())


def _refuse_older_server(connection: Connection) -> None:
    version = str(connection.execute(text("show server_version")).scalar_one())
    if int(version.partition(".")[0].partition("beta")[0]) < _OLDEST_SERVER:
        raise ServerTooOld(
            f"the database's server is PostgreSQL {version}: {_OLDEST_SERVER} or later is needed, "
            "name one in ACTIVITY_DATABASE_URL"
        )


def _passwords() -> dict[str, str]:
    found = {role: getattr(settings(), f"{role}_password") for role in get_args(Role)}
    return {role: password.get_secret_value() for role, password in found.items() if password is not None}


def at_and_newest() -> tuple[str | None, str | None]:
    """Return the revision that the database is at, and the one that this program is made for."""
    with begin("reader") as session:
        at = MigrationContext.configure(session.connection(), opts=_OPTIONS).get_current_revision()
        return at, directory(_config(session.connection())).get_current_head()


_OPTIONS: dict[str, object] = {"version_table": "activity_version"}


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(HERE))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _upgrade(config: Config, scripts: ScriptDirectory) -> None:
    # What alembic.command.upgrade does, with our own directory of scripts.
    with EnvironmentContext(
        config, scripts, fn=lambda at, _: scripts._upgrade_revs("head", at), destination_rev="head"
    ):
        scripts.run_env()


def _refuse_newer(connection: Connection, scripts: ScriptDirectory) -> None:
    known = {script.revision for script in scripts.walk_revisions()}
    at = MigrationContext.configure(connection, opts=_OPTIONS).get_current_revision()
    connection.rollback()
    if at is not None and at not in known:
        newest = scripts.get_current_head()
        raise SchemaTooNew(
            f"the database is at revision {at}, this program knows up to {newest}: upgrade the program, the "
            f"schema is never taken back"
        )
