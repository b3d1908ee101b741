"""What a superuser does to the log is found."""

from typing import Any

import psycopg
import pytest

from activity.event import Event
from db.engine import begin
from feed.verify import Checkpoint, verify
from worker.append import append_batch
from worker.emit import emit


@pytest.fixture
def filled(admin: psycopg.Connection[Any], tenant: int) -> int:
    with begin("producer") as session:
        emit(
            session,
            [
                Event(
                    tenant_id=tenant,
                    type="note.added",
                    source="manual",
                    account_id='a"\\é',
                    payload={"text": str(n)},
                )
                for n in range(10)
            ],
        )
    append_batch(10)
    admin.execute("set session_replication_role = replica")
    for trigger in ("no_delete", "no_truncate", "no_update_but_erasure"):
        admin.execute(f"alter table activity.event disable trigger {trigger}")
    return tenant


def faults(tenant: int, checkpoint: Checkpoint | None = None) -> str:
    return "; ".join(verify(tenant, checkpoint).faults)


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
            (
                "alter table activity.event drop constraint payload_matches_digest; "
                "update activity.event set payload = '{}' where seq = 5"
            ),
            "payload of seq 5 is not the one that was recorded",
        ),
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
    admin.execute(
        "update activity.head h set seq = 8, hash = e.hash from activity.event e where e.seq = 8 and "
        "h.tenant_id = e.tenant_id"
    )
    assert faults(filled) == ""
    assert "the log was cut" in faults(filled, kept)


def test_a_history_hashed_anew_is_found_by_a_checkpoint_kept_outside(
    admin: psycopg.Connection[Any], filled: int
) -> None:
    before = verify(filled)
    kept = Checkpoint(filled, before.seq, before.hash)
    admin.execute("update activity.event set actor = 'eve@example.com' where seq = 5")
    admin.execute("""
        with recursive chain as (
          select seq, hash from activity.event where seq = 4
          union all
          select e.seq, sha256(c.hash || activity.header(account_id, actor, cause_id, contact_id, event_id,
              occurred_at, payload_sha256,
                 record_id, record_type,
                 recorded_at, e.seq, source, tenant_id, type, version)) from chain c join activity.event e
                     on e.seq = c.seq + 1)
        update activity.event e set hash = c.hash from chain c where c.seq = e.seq""")
    admin.execute(
        "update activity.head h set hash = e.hash from activity.event e where e.seq = 10 and h.tenant_id = "
        "e.tenant_id"
    )
    assert faults(filled) == ""
    assert "history was rewritten" in faults(filled, kept)
