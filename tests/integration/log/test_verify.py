"""What a superuser does to the log is found."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from activity.event import Event
from db.engine import begin
from db.records.erasure import erase
from feed.export import export
from feed.verify import Checkpoint, verify
from tests.command import activity
from tests.tampering import rehash, rewind, unlock
from worker.append import append_batch
from worker.emit import emit


def note(tenant: int, **fields: Any) -> Event:
    given = {"type": "note.added", "payload": {"text": "said"}, "account_id": 'a"\\é'} | fields
    return Event(tenant_id=tenant, source="manual", **given)


def add(tenant: int, events: int, **fields: Any) -> None:
    with begin("producer") as session:
        emit(session, [note(tenant, **fields) for _ in range(events)])
    append_batch(events)


# An event as somebody would forge it: a copy of the last one under another number.
COPY = """insert into activity.event select (jsonb_populate_record(o, jsonb_build_object(
    'seq', %s, 'event_id', gen_random_uuid()))).* from activity.event o where seq = 10"""


@pytest.fixture
def filled(admin: psycopg.Connection[Any], tenant: int) -> int:
    add(tenant, 10)
    unlock(admin)
    return tenant


def faults(tenant: int, checkpoint: Checkpoint | None = None) -> str:
    return "; ".join(verify(tenant, [checkpoint] if checkpoint else []).faults)


def test_a_log_that_nobody_touched_is_whole(filled: int) -> None:
    report = verify(filled)
    assert (report.faults, report.events, report.seq) == ([], 10, 10)


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        ("update activity.event set actor = 'eve@example.com' where seq = 5", "chain broken at seq 5"),
        (
            "update activity.event set occurred_at = occurred_at - interval '1 day' where seq = 5",
            "chain broken at seq 5",
        ),
        ("update activity.event set hash = sha256('x') where seq = 5", "chain broken at seq 5"),
        ("delete from activity.event where seq = 5", "gap: seq 5 to 5 missing"),
        ("delete from activity.event where seq = 10", "the head says seq 10, the chain ends at 9"),
        ("update activity.head set hash = sha256('x')", "the head has another hash"),
        (
            "update activity.event set payload = '{}' where seq = 5",
            "payload of seq 5 is not the one that was recorded",
        ),
        (
            "update activity.event set payload = null, salt = null where seq in (2, 5, 6)",
            "names it; the content of seq 5 to 6 was taken out",
        ),
        ("update activity.event set recorded_at = 'infinity' where seq = 5", "chain broken at seq 5"),
        (COPY % 12, "seq 12 is beyond the head, which is at 10"),
        (
            "alter table activity.event drop constraint seq_counts_from_one; " + COPY % 0,
            "seq 0 is before the first number",
        ),
        ("delete from activity.head", "the log has no head"),
        ("delete from crm.tenant", "the workspace's own record is gone"),
    ],
)
def test_a_change_behind_the_triggers_is_found(
    admin: psycopg.Connection[Any], filled: int, statement: str, finding: str
) -> None:
    admin.execute(statement)
    assert finding in faults(filled)


def test_a_tail_cut_with_the_head_rewound_is_found_by_a_checkpoint_kept_outside(
    admin: psycopg.Connection[Any], filled: int
) -> None:
    before = verify(filled)
    kept = Checkpoint(filled, before.seq, before.hash)
    admin.execute("delete from activity.event where seq > 8")
    rewind(admin, filled)
    assert faults(filled) == ""
    assert "the log was cut" in faults(filled, kept)


def test_a_history_hashed_anew_is_found_by_a_checkpoint_kept_outside(
    admin: psycopg.Connection[Any], filled: int
) -> None:
    before = verify(filled)
    kept = Checkpoint(filled, before.seq, before.hash)
    admin.execute("update activity.event set actor = 'eve@example.com' where seq = 5")
    rehash(admin, filled, 4)
    assert faults(filled) == ""
    assert "history was rewritten" in faults(filled, kept)


def test_a_workspace_that_was_deleted_whole_is_missed_by_a_checkpoint_kept_outside(
    admin: psycopg.Connection[Any], filled: int, make_tenant: Callable[[], int], tmp_path: Path
) -> None:
    admin.execute("set session_replication_role = origin")
    other, kept = make_tenant(), tmp_path / "checkpoint.json"
    kept.write_text(activity("checkpoint"))
    admin.execute("delete from activity.event")
    admin.execute("delete from activity.head where tenant_id = %s", (filled,))
    admin.execute("set session_replication_role = replica")  # nothing refers to it any more
    admin.execute("delete from crm.tenant where id = %s", (filled,))
    out = activity("verify", "--checkpoint", kept, code=1)
    assert f"tenant {filled}: 0 events, NOT WHOLE" in out
    assert "the workspace is gone: the checkpoint saw seq 10" in out
    assert f"tenant {other}: 0 events, whole" in out
    assert f"there is no workspace {filled}" in activity("verify", "-t", filled, code=2)
    assert f"there is no workspace {filled}" in activity("checkpoint", "-t", filled, code=2)


def test_what_came_since_a_checkpoint_is_verified_alone_and_must_continue_it(
    admin: psycopg.Connection[Any], filled: int, tmp_path: Path
) -> None:
    kept = tmp_path / "checkpoint.json"
    kept.write_text(activity("checkpoint"))
    add(filled, 3)
    assert f"tenant {filled}: 3 events, whole" in activity("verify", "--since", kept)
    admin.execute("update activity.event set actor = 'eve@example.com' where seq = 5")
    assert f"tenant {filled}: 3 events, whole" in activity("verify", "--since", kept)
    admin.execute("update activity.event set payload = null, salt = null where seq = 12")
    assert "the content of seq 12 was taken out" in activity("verify", "--since", kept, code=1)
    admin.execute("update activity.event set hash = sha256('x') where seq = 11")
    assert "chain broken at seq 11" in activity("verify", "--since", kept, code=1)
    assert "use one of them" in activity("verify", "--since", kept, "--checkpoint", kept, code=2)


def test_an_epoch_that_is_another_than_the_checkpoints_is_told_and_no_fault(
    admin: psycopg.Connection[Any], filled: int, tmp_path: Path
) -> None:
    kept = tmp_path / "checkpoint.json"
    kept.write_text(activity("checkpoint"))
    admin.execute("update activity.head set epoch = gen_random_uuid()")
    assert "note: the epoch is another" in activity("verify", "--checkpoint", kept)


def test_erasures_of_before_they_named_events_are_taken_and_told_as_not_provable(
    admin: psycopg.Connection[Any], filled: int
) -> None:
    add(filled, 2, contact_id="jo")
    admin.execute("update activity.event set payload = null, salt = null where contact_id = 'jo'")
    assert "the content of seq 11 to 12 was taken out" in faults(filled)
    add(filled, 1, contact_id="jo", type="privacy.bodies_erased", payload={"events": 2})
    report = verify(filled)
    assert report.faults == []
    assert "2 events were emptied before revision 0030" in report.notes[0]
    admin.execute("update activity.event set payload = null, salt = null where seq = 4")
    assert faults(filled) == "the content of seq 4 was taken out: no erasure on record names it"


def test_an_erasure_names_each_event_that_it_emptied_and_no_other(
    admin: psycopg.Connection[Any], filled: int
) -> None:
    add(filled, 3, contact_id="jo")
    add(filled, 1)
    add(filled, 1, contact_id="jo")
    admin.execute("create temp table kept as select payload, salt from activity.event where seq = 13")
    for expected in ("11-13,15", ""):
        with begin("eraser") as session:
            erase(session, filled, "jo", uuid4(), "dpo@example.com", None, None)
        named = admin.execute("select payload ->> 'seqs' from activity.event order by seq desc limit 1")
        assert named.fetchone() == (expected,)
        assert verify(filled).faults == []
    admin.execute("update activity.event e set payload = k.payload, salt = k.salt from kept k where seq = 13")
    assert "seq 16 names seq 13 as erased, which has its content" in faults(filled)


def test_a_person_in_more_ranges_than_an_event_can_name_has_several_erasures(
    admin: psycopg.Connection[Any], tenant: int
) -> None:
    for _ in range(8):
        with begin("producer") as session:
            emit(session, [note(tenant, contact_id=f"p{n % 2}") for n in range(800)])
        append_batch(1000)
    with begin("eraser") as session:
        assert erase(session, tenant, "p0", uuid4(), "dpo@example.com", None, None) == 3200
    parts = admin.execute(
        "select (payload ->> 'events')::int from activity.event where source = 'erasure' order by seq"
    )
    assert parts.fetchall() == [(1500,), (1500,), (200,)]
    assert verify(tenant).faults == []


def test_verifying_reads_a_log_in_parts(tenant: int, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[int] = []
    fetchmany = psycopg.ServerCursor.fetchmany

    def counted(cursor: Any, size: int) -> Any:
        rows = fetchmany(cursor, size)
        fetched.append(len(rows))
        return rows

    add(tenant, 50)
    monkeypatch.setattr("db.log.audit._ROWS", 20)
    monkeypatch.setattr(psycopg.ServerCursor, "fetchmany", counted)
    assert verify(tenant).events == 50
    assert sum(1 for _ in export(tenant)) == 51
    assert fetched == [20, 20, 10, 0] * 2


def test_long_logs_are_verified_at_the_same_time_in_processes_of_their_own(
    filled: int,
    admin: psycopg.Connection[Any],
    make_tenant: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    admin.execute("set session_replication_role = origin")
    other, short = make_tenant(), make_tenant()
    add(other, 10)
    add(short, 1)
    admin.execute(
        "update activity.event set actor = 'eve@example.com' where tenant_id = %s and seq = 5", (other,)
    )
    monkeypatch.setattr("cli.log.verify._WORTH_A_PROCESS", 10)
    out = activity("verify", "--jobs", "2", code=1).splitlines()
    assert [line.split(", head")[0] for line in out] == [
        f"tenant {filled}: 10 events, whole",
        f"tenant {other}: 10 events, NOT WHOLE",
        "  chain broken at seq 5: the event is not the one that was recorded",
        f"tenant {short}: 1 events, whole",
    ]
