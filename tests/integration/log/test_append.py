"""What the road from the outbox into the log promises."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from activity.event import Event
from db.engine import begin
from db.log.outbox import TAKE
from worker.append import append_batch
from worker.emit import emit
from worker.foreign import accept


def note(tenant: int, text: str = "hello", **fields: Any) -> Event:
    return Event(
        tenant_id=tenant,
        type="note.added",
        source="manual",
        actor="ana@example.com",
        account_id="acme",
        payload={"text": text},
        **fields,
    )


def log(admin: psycopg.Connection[Any], tenant: int) -> list[tuple[Any, ...]]:
    return admin.execute(
        "select seq, payload->>'text' from activity.event where tenant_id = %s order by seq", (tenant,)
    ).fetchall()


def test_a_committed_event_is_appended_with_the_next_number(
    admin: psycopg.Connection[Any], tenant: int
) -> None:
    for text in ("one", "two"):
        with begin("producer") as session:
            emit(session, note(tenant, text))
        assert append_batch(10) == {"appended": 1}
    assert log(admin, tenant) == [(1, "one"), (2, "two")]
    assert append_batch(10) == {}


def test_an_event_whose_transaction_rolled_back_never_happened(
    admin: psycopg.Connection[Any], tenant: int
) -> None:
    try:
        with begin("producer") as session:
            emit(session, note(tenant))
            raise RuntimeError
    except RuntimeError:
        pass
    assert append_batch(10) == {}
    assert log(admin, tenant) == []


def test_an_event_said_twice_is_stored_once_in_one_batch_and_across_batches(
    admin: psycopg.Connection[Any], tenant: int
) -> None:
    event = note(tenant)
    with begin("producer") as session:
        emit(session, [event, note(tenant, "other"), event, event])
    assert append_batch(10) == {"appended": 2, "duplicate": 2}
    with begin("producer") as session:
        emit(session, event)
    assert append_batch(10) == {"duplicate": 1}
    assert log(admin, tenant) == [(1, "hello"), (2, "other")]


def test_the_same_id_with_another_body_is_a_recorded_conflict(
    admin: psycopg.Connection[Any], tenant: int
) -> None:
    same = uuid4()
    with begin("producer") as session:
        emit(session, [note(tenant, "first", event_id=same), note(tenant, "second", event_id=same)])
    assert append_batch(10) == {"appended": 1, "conflict": 1}
    assert log(admin, tenant) == [(1, "first")]
    reasons = admin.execute("select reason from activity.rejected").fetchall()
    assert reasons == [("conflict: seq 1 has the same event_id and another body",)]


def test_two_tenants_may_use_the_same_event_id(
    admin: psycopg.Connection[Any], make_tenant: Callable[[], int]
) -> None:
    same, one, two = uuid4(), make_tenant(), make_tenant()
    with begin("producer") as session:
        emit(session, [note(one, event_id=same), note(two, event_id=same)])
    assert append_batch(10) == {"appended": 2}
    assert log(admin, one) == log(admin, two) == [(1, "hello")]


def test_a_poison_event_among_a_thousand_is_parked_and_the_others_are_stored(
    admin: psycopg.Connection[Any], tenant: int
) -> None:
    with begin("producer") as session:
        emit(session, [note(tenant, str(n)) for n in range(1000)])
    admin.execute("""update activity.outbox set doc = replace(doc::text, 'note.added', 'Note Added')::json
        where n = (select min(n) + 500 from activity.outbox)""")
    assert append_batch(1000) == {"appended": 999, "rejected": 1}
    assert [seq for seq, _ in log(admin, tenant)] == list(range(1, 1000))
    ((reason,),) = admin.execute("select reason from activity.rejected").fetchall()
    assert "type_is_dotted_words" in reason


def test_an_unknown_tenant_is_parked_with_the_reason(admin: psycopg.Connection[Any], tenant: int) -> None:
    with begin("producer") as session:
        emit(session, [note(tenant), note(999_999)])
    assert append_batch(10) == {"appended": 1, "rejected": 1}
    ((tenant_id, reason),) = admin.execute("select tenant_id, reason from activity.rejected").fetchall()
    assert tenant_id == 999_999
    assert "unknown tenant" in reason


def test_no_tenant_gives_more_than_its_share_of_a_batch(
    admin: psycopg.Connection[Any], make_tenant: Callable[[], int]
) -> None:
    flooding, quiet = make_tenant(), make_tenant()
    with begin("producer") as session:
        emit(session, [note(flooding, str(n)) for n in range(100)])
        emit(session, note(quiet))
    assert append_batch(80) == {"appended": 11}
    assert len(log(admin, quiet)) == 1


def test_a_message_from_a_foreign_program_is_checked_and_its_invalid_events_are_kept(
    admin: psycopg.Connection[Any], tenant: int
) -> None:
    good = {
        "tenant_id": tenant,
        "type": "note.added",
        "source": "crm",
        "account_id": "acme",
        "payload": {"text": "hi"},
    }
    assert (
        accept([[good, good | {"type": "note.addde"}, good | {"acount_id": "x"}]], {}, "message-1")
        == "1 emitted, 2 refused; "
    )
    assert append_batch(10) == {"appended": 1}
    reasons = [reason for (reason,) in admin.execute("select reason from activity.rejected order by id")]
    assert "did you mean 'note.added'" in reasons[0]
    assert "acount_id" in reasons[1]


def test_a_message_delivered_again_adds_nothing_though_its_events_have_no_ids(
    admin: psycopg.Connection[Any], tenant: int
) -> None:
    said = {
        "tenant_id": tenant,
        "type": "note.added",
        "source": "crm",
        "account_id": "acme",
        "payload": {"text": "hi"},
    }
    for message in ("message-1", "message-1", "message-2"):
        accept([[said, said]], {}, message)
    assert append_batch(100) == {"appended": 4, "duplicate": 2}


@pytest.mark.parametrize("broken", ["lone \ud800", float("nan"), 2**70, b"bytes".hex(), None])
def test_whatever_an_item_of_a_message_is_its_neighbours_are_said(
    admin: psycopg.Connection[Any], tenant: int, broken: Any
) -> None:
    good = {
        "tenant_id": tenant,
        "type": "note.added",
        "source": "crm",
        "account_id": "acme",
        "payload": {"text": "hi"},
    }
    items = [broken, good | {"payload": broken}, good | {"actor": broken}, good | {str(broken): 1}, good]
    assert accept([items], {}, "message-1") == "1 emitted, 4 refused; "
    assert admin.execute("select count(*) from activity.rejected").fetchone() == (4,)


def test_a_plan_made_while_the_outbox_is_empty_still_serves_a_flood(
    admin: psycopg.Connection[Any], environment: dict[str, str]
) -> None:
    with psycopg.connect(
        environment["ACTIVITY_DATABASE_URL"], user="activity_writer", password="writer-password"
    ) as writer:  # of a test
        plan = "\n".join(line for (line,) in writer.execute("explain " + TAKE, {"limit": 1000}))
    assert "Tid Scan on outbox" in plan
    assert "Index Scan using outbox_pkey" in plan
    assert "Seq Scan" not in plan
