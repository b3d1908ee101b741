"""The roles of a deployment: what each must be, and which other database of the cluster uses them.

Roles belong to the whole cluster. They may have been made by somebody else, with rights that undo row-level
security, and they may be another deployment's too, which a new password would lock out.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Final, NamedTuple

import psycopg
from psycopg import sql
from sqlalchemy import URL, Connection, text
from sqlalchemy.exc import DBAPIError

from activity.errors import ActivityError

# Acknowledged is durable, for who emits as for who appends; and the append trigger counts on the isolation.
_OF_ALL = {"synchronous_commit": "on", "default_transaction_isolation": "read committed"}
_SETTINGS: Final[Mapping[str, Mapping[str, str]]] = {
    "producer": _OF_ALL | {"statement_timeout": "55s", "idle_in_transaction_session_timeout": "5min"},
    # A stuck append must not hold a workspace's head.
    # A plan made while the outbox is empty must serve a flood.
    "writer": _OF_ALL
    | {
        "lock_timeout": "5s",
        "statement_timeout": "30s",
        "idle_in_transaction_session_timeout": "10s",
        "enable_seqscan": "off",
        "enable_bitmapscan": "off",
    },
    "reader": _OF_ALL | {"statement_timeout": "15s", "default_transaction_read_only": "on"},
    "auditor": _OF_ALL,
    "eraser": _OF_ALL,
    "owner": {},
    "emitter": {},
}
_FLAGS = ("superuser", "createrole", "createdb", "replication", "bypassrls")
_FOUND = text("""
  select r.rolname as name, r.rolcanlogin as login,
         array[r.rolsuper, r.rolcreaterole, r.rolcreatedb, r.rolreplication, r.rolbypassrls] as flags,
         array(select g.roleid::regrole::text from pg_auth_members g where g.member = r.oid) as groups,
         coalesce((select s.setconfig from pg_db_role_setting s
                    where s.setrole = r.oid and s.setdatabase = 0), '{}') as settings,
         coalesce((select s.setconfig from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase
                    where s.setrole = r.oid and d.datname = current_database()), '{}') as here,
         quote_ident(current_database()) as database
    from pg_roles r where r.rolname = any(:names) order by r.rolname
""")
_OTHER_DATABASES = text("""
  select distinct d.datname from pg_shdepend s join pg_database d on d.oid = s.dbid
   where s.refclassid = 'pg_authid'::regclass and d.datname <> current_database()
     and s.refobjid in (select oid from pg_roles where rolname = any(:names))
   order by 1
""")


class RolesUnfit(ActivityError):
    """Roles of the deployment may do what they must not, or lack a setting that its promises rest on."""


class RolesInUse(ActivityError):
    """Another database of the cluster uses the roles with other passwords, which new ones would lock out."""


class RoleFault(NamedTuple):
    """What is wrong with a role, and the statement that mends it."""

    role: str
    text: str
    remedy: str


def faults(connection: Connection) -> list[RoleFault]:
    """Return what is wrong with the roles that there are. Any login may ask."""
    names = [f"activity_{name}" for name in _SETTINGS]
    rows = connection.execute(_FOUND, {"names": names}).all()
    return [fault for row in rows for fault in _faults(*row)]


def _faults(
    name: str,
    login: bool,
    flags: list[bool],
    groups: list[str],
    settings: list[str],
    here: list[str],
    database: str,
) -> Iterator[RoleFault]:
    wrong = [flag for flag, is_set in zip(_FLAGS, flags, strict=True) if is_set]
    if wrong:
        given = " ".join(f"no{flag}" for flag in wrong)
        yield RoleFault(name, f"it has {' and '.join(wrong)}", f"alter role {name} {given}")
    for group in groups:
        yield RoleFault(name, f"it is a member of {group}", f"revoke {group} from {name}")
    kind = name.removeprefix("activity_")
    if login is (kind in ("owner", "emitter")):
        yield RoleFault(
            name, f"it can{'' if login else 'not'} log in", f"alter role {name} {'no' * login}login"
        )
    of_role, of_database = (dict(one.split("=", 1) for one in config) for config in (settings, here))
    for setting, value in _SETTINGS[kind].items():
        if of_role.get(setting) != value:
            yield RoleFault(name, f"{setting} is not {value}", f"alter role {name} set {setting} = '{value}'")
        if of_database.get(setting, value) != value:
            reset = f"alter role {name} in database {database} reset {setting}"
            yield RoleFault(name, f"{setting} is {of_database[setting]} in this database", reset)


def mend(connection: Connection) -> None:
    """Bring the roles to what they must be. Raises RolesUnfit with what a superuser has to run."""
    for fault in faults(connection):
        # Another database's migration may do the same, and a login may lack the right: what is left tells.
        with suppress(DBAPIError), connection.begin_nested():
            connection.execute(text(fault.remedy))
    if left := faults(connection):
        wrong = "; ".join(f"{fault.role}: {fault.text}" for fault in left)
        remedy = "; ".join(fault.remedy for fault in left)
        raise RolesUnfit(f"roles are not what they must be ({wrong}). Have a superuser run: {remedy};")


def refuse_others_passwords(connection: Connection, url: URL, passwords: Mapping[str, str]) -> set[str]:
    """Return the roles whose passwords may be set: all, or none where another database uses the roles.

    There each password given must be the one in use. Raises RolesInUse.
    """
    names = [f"activity_{name}" for name in _SETTINGS]
    others = list(connection.execute(_OTHER_DATABASES, {"names": names}).scalars())
    if not others:
        return set(passwords)
    locked_out = [role for role, password in passwords.items() if not _lets_in(url, role, password)]
    if locked_out:
        raise RolesInUse(
            f"the roles of this cluster are in use by the database {', '.join(others)}, with other"
            f" passwords for {', '.join(locked_out)}: give those, or use another cluster"
        )
    return set()


def _lets_in(url: URL, role: str, password: str) -> bool:
    login = url.set(drivername="postgresql", username=f"activity_{role}", password=password)
    try:
        psycopg.connect(login.render_as_string(hide_password=False), connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def set_password(connection: Connection, role: str, password: str) -> None:
    """Set a role's password."""
    # DDL takes no parameters, so the driver quotes the literal; not through SQLAlchemy, whose errors show the
    # statement.
    statement = sql.SQL("alter role {} password {}").format(
        sql.Identifier(f"activity_{role}"), sql.Literal(password)
    )
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.execute(statement)
