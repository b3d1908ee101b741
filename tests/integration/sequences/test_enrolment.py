"""What enrolling promises."""

from typing import Any

import psycopg
import pytest

from db.engine import begin
from db.records import records
from db.sequences import sequences
from producers.sequences import ContactNotFound, EnrollmentConflict, enroll, stop
from worker.append import append_batch


@pytest.fixture
def sequence_id(admin: psycopg.Connection[Any], tenant: int) -> int:
    row = admin.execute(
        """insert into crm.mailbox (tenant_id, address, host, port, security)
           values (%s, 'ana@v.example', '127.0.0.1', 25, 'none') returning id""",
        (tenant,),
    ).fetchone()
    assert row is not None
    with begin("producer", tenant) as session:
        records.upsert(
            session,
            tenant,
            [
                records.Contact(id=name, name=name.title(), email=f"{name}@acme.example")
                for name in ("jo", "kim")
            ],
        )
        return sequences.save(session, tenant, "Renewals", row[0], '{"steps":[]}', "ana@v.example").id


def events(admin: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    append_batch(100)
    return admin.execute(
        "select type, contact_id, payload->>'reason', record_type from activity.event order by seq"
    ).fetchall()


def test_a_contact_goes_through_a_sequence_once(
    admin: psycopg.Connection[Any], tenant: int, sequence_id: int
) -> None:
    for expected in (int, type(None)):
        with begin("producer", tenant) as session:
            assert isinstance(enroll(session, tenant, sequence_id, "jo", by="ana@v.example"), expected)
    with begin("producer", tenant) as session, pytest.raises(EnrollmentConflict):
        enroll(session, tenant, sequence_id, "jo", by="ana@v.example", on_duplicate="refuse")
    assert events(admin) == [("sequence.enrolled", "jo", None, "sequence")]


def test_a_contact_that_does_not_exist_is_refused(tenant: int, sequence_id: int) -> None:
    with begin("producer", tenant) as session, pytest.raises(ContactNotFound):
        enroll(session, tenant, sequence_id, "nobody", by="system")


def test_stopping_ends_every_enrolment_of_the_contact_once_with_its_reason(
    admin: psycopg.Connection[Any], tenant: int, sequence_id: int
) -> None:
    with begin("producer", tenant) as session:
        for contact in ("jo", "kim"):
            enroll(session, tenant, sequence_id, contact, by="system")
        assert [stop(session, tenant, "jo", "replied") for _ in range(2)] == [1, 0]
    assert events(admin)[2:] == [("sequence.finished", "jo", "replied", "sequence")]
    assert admin.execute("select contact_id from crm.enrolment where due_at is not null").fetchall() == [
        ("kim",)
    ]
