"""Who may do what to the log: every role, every statement, the exact denial."""

from collections.abc import Callable, Iterator
from typing import Any, get_args

import psycopg
import pytest

from activity.event import Event
from activity.settings import Role
from db.engine import begin
from worker.append import append_batch
from worker.emit import emit

DENIED = "permission denied for table"
Connect = Callable[[str], psycopg.Connection[Any]]

CHANGES = {
    "update": "update activity.event set actor = 'x'",
    "delete": "delete from activity.event",
    "truncate": "truncate activity.event",
    "forged seq": "insert into activity.event (tenant_id, seq) values (1, 99)",
    "forged recorded_at": "insert into activity.event (recorded_at) values ('2001-01-01')",
    "copy in": "copy activity.event (seq) from stdin",
    "head moved": "update activity.head set seq = 0",
    "head deleted": "delete from activity.head",
    "rejected changed": "update activity.rejected set reason = 'x'",
    "outbox rewritten": "update activity.outbox set doc = '{}'",
    "inbox with a forged count": "insert into activity.inbox (doc, appended) values ('{}', 99)",
    "inbox read": "update activity.inbox set said = 0",
}
DDL = {
    "drop": ("drop table activity.event", "must be owner of table event"),
    "disable trigger": ("alter table activity.event disable trigger all", "must be owner of table event"),
    "new trigger": (
        "create trigger t before insert on activity.event execute function activity.refuse()",
        "permission denied",
    ),
    "new table": ("create table activity.mine (x int)", "permission denied for schema activity"),
    "temporary table": (
        "create temporary table mine (x int)",
        "permission denied to create temporary tables",
    ),
    "replica role": ("set session_replication_role = replica", "permission denied to set parameter"),
    "become owner": ("set role activity_owner", "permission denied to set role"),
    "call the trigger's function": ("select activity.append()", "permission denied for function append"),
    "erase": (
        "select activity.erase(1, 'c', gen_random_uuid(), 'system', 'x')",
        "permission denied for function erase",
    ),
}
READS = {
    "producer": ["activity.event", "activity.head", "activity.inbox", "activity.outbox", "activity.rejected"],
    "writer": [
        "activity.event",
        "activity.head",
        "activity.inbox",
        "activity.rejected",
        "activity.cursor",
        "crm.account",
    ],
    "reader": ["activity.inbox", "activity.outbox", "activity.cursor"],
    "auditor": ["activity.outbox", "activity.cursor", "crm.account"],
    "eraser": [
        "activity.event",
        "activity.head",
        "activity.inbox",
        "activity.outbox",
        "activity.rejected",
        "activity.cursor",
    ],
}


@pytest.fixture
def connect(environment: dict[str, str], tenant: int) -> Iterator[Connect]:
    with begin("producer") as session:
        emit(
            session,
            Event(
                tenant_id=tenant,
                type="note.added",
                source="manual",
                account_id="acme",
                contact_id="jo",
                payload={"text": "secret"},
            ),
        )
    append_batch(1)
    opened: list[psycopg.Connection[Any]] = []

    def open_as(role: str) -> psycopg.Connection[Any]:
        url = environment["ACTIVITY_DATABASE_URL"]
        opened.append(
            psycopg.connect(url, user=f"activity_{role}", password=f"{role}-password", autocommit=True)
        )
        return opened[-1]

    yield open_as
    for connection in opened:
        connection.close()


@pytest.mark.parametrize("role", get_args(Role))
def test_no_role_changes_the_log(connect: Connect, role: str) -> None:
    connection = connect(role)
    if role == "reader":
        connection.execute("set default_transaction_read_only = off")  # grants alone must hold it back
    for name, statement in CHANGES.items():
        with pytest.raises(psycopg.errors.InsufficientPrivilege) as denied:
            connection.execute(statement)
        assert DENIED in str(denied.value), name


@pytest.mark.parametrize("role", get_args(Role))
def test_no_role_changes_the_schema_or_borrows_rights(connect: Connect, role: str) -> None:
    connection = connect(role)
    if role == "reader":
        connection.execute("set default_transaction_read_only = off")
    for name, (statement, denial) in DDL.items():
        if name == "erase" and role == "eraser":
            continue
        with pytest.raises(psycopg.errors.InsufficientPrivilege) as denied:
            connection.execute(statement)
        assert denial in str(denied.value), name


@pytest.mark.parametrize("role", READS)
def test_no_role_reads_more_than_its_work_needs(connect: Connect, role: str) -> None:
    connection = connect(role)
    for table in READS[role]:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(f"select * from {table}")  # noqa: S608  # names of ours


def test_the_writer_has_one_privilege_on_the_log_and_sees_hashes(
    admin: psycopg.Connection[Any],
) -> None:
    rows = admin.execute("""
        select table_name, privilege_type, column_name from information_schema.column_privileges
         where grantee = 'activity_writer' and table_schema = 'activity' and table_name in ('event', 'head',
             'inbox')
        union all select table_name, privilege_type, null from information_schema.table_privileges
         where grantee = 'activity_writer' and table_schema = 'activity' and table_name in ('event', 'head',
             'inbox')""").fetchall()
    hashes = [("event", ("tenant_id", "seq", "hash")), ("head", ("tenant_id", "epoch", "seq", "hash"))]
    seen = {(table, "SELECT", column) for table, columns in hashes for column in columns}
    assert set(rows) == {("inbox", "INSERT", "doc"), *seen}


def test_the_writer_reads_no_payload_back(connect: Connect) -> None:
    writer = connect("writer")
    for statement in (
        "insert into activity.inbox (doc) values ('{}') returning batch_id",
        "insert into activity.inbox (doc) values ('{}') returning *",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            writer.execute(statement)


@pytest.mark.parametrize("replica", [False, True])
def test_even_the_owner_is_refused(admin: psycopg.Connection[Any], connect: Connect, replica: bool) -> None:
    if replica:
        admin.execute("set session_replication_role = replica")
    admin.execute("set role activity_owner")
    for statement in (
        "update activity.event set actor = 'x'",
        "delete from activity.event",
        "truncate activity.event",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="the log is append-only"):
            admin.execute(statement)


def test_a_reader_sees_the_tenant_it_names_and_nothing_without_one(
    connect: Connect, make_tenant: Callable[[], int], tenant: int
) -> None:
    reader, other = connect("reader"), make_tenant()
    seen = {}
    for named in (None, other, tenant):
        with reader.transaction():
            if named is not None:
                reader.execute("select set_config('activity.tenant', %s, true)", (str(named),))
            seen[named] = reader.execute("select count(*) from activity.event").fetchone()
    assert seen == {None: (0,), other: (0,), tenant: (1,)}
    with reader.transaction():
        reader.execute("select set_config('activity.tenant', '*', true)")
        assert reader.execute("select count(*) from activity.event").fetchone() == (0,)


def test_a_person_can_be_erased_and_the_chain_still_verifies(
    admin: psycopg.Connection[Any], connect: Connect, tenant: int
) -> None:
    from feed.verify import verify

    assert verify(tenant).faults == []
    erased = (
        connect("eraser")
        .execute("select activity.erase(%s, 'jo', gen_random_uuid(), 'dpo@example.com', 'asked')", (tenant,))
        .fetchone()
    )
    assert erased == (1,)
    rows = admin.execute(
        "select type, payload is null from activity.event where tenant_id = %s order by seq", (tenant,)
    ).fetchall()
    assert rows == [("note.added", True), ("privacy.bodies_erased", False)]
    report = verify(tenant)
    assert (report.faults, report.events, report.erased) == ([], 2, 1)
