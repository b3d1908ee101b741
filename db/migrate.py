"""`activity migrate`: the only thing that runs DDL.

Safe to run twice, and at the same time from several places.
"""

from typing import Any, get_args

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from activity.errors import ActivityError
from activity.settings import Role, settings
from db.engine import begin, database_url
from db.migrations import HERE, directory

_LOCK = 0x61637469  # any fixed number: two migrations of one database wait for each other on it


class SchemaTooNew(ActivityError):
    """The database was migrated by a newer version of this program: upgrade the program."""


def migrate(*, admin_url: str | None = None) -> str:
    """Bring the database to this version's schema, set the configured passwords, return its revision.

    The login needs CREATEROLE and CREATE on the database; it need not be a superuser.
    """
    url = database_url() if admin_url is None else admin_url
    with create_engine(url, poolclass=NullPool, hide_parameters=True).connect() as connection:
        connection.execute(text("select pg_advisory_lock(:key)"), {"key": _LOCK})
        connection.commit()  # the lock is the session's; the migration gets a transaction of its own
        config = _config(connection)
        scripts = directory(config)
        _refuse_newer(connection, scripts)
        _upgrade(config, scripts)
        with connection.begin():
            _set_passwords(connection)
        return str(MigrationContext.configure(connection, opts=_OPTIONS).get_current_revision())


def at_and_newest() -> tuple[str | None, str | None]:
    """Return the revision that the database is at, and the one that this program is made for."""
    with begin("reader") as session:
        at = MigrationContext.configure(session.connection(), opts=_OPTIONS).get_current_revision()
        return at, directory(_config(session.connection())).get_current_head()


_OPTIONS: dict[str, Any] = {"version_table": "activity_version"}


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


def _set_passwords(connection: Connection) -> None:
    # DDL takes no parameters, so the driver quotes the literal; not through SQLAlchemy, whose errors show the
    # statement.
    for role in get_args(Role):
        password = getattr(settings(), f"{role}_password")
        if password is not None:
            statement = sql.SQL("alter role {} password {}").format(
                sql.Identifier(f"activity_{role}"), sql.Literal(password.get_secret_value())
            )
            driver = connection.connection.driver_connection
            assert driver is not None
            driver.execute(statement)
