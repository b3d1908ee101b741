"""What a superuser can do to a log, and what `verify` says of it: the table of docs/security-tampering.md.

`ACTIVITY_WRITE_TAMPERING=1` writes the table as it was found.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import uuid4

import pytest

from activity.event import Event
from activity.proof.note import new_signer
from activity.settings import settings
from db.engine import begin
from db.records.erasure import erase
from feed.export import export, opened
from feed.export import verify as verify_export
from feed.verify import Checkpoint, Report, UnknownLog, verify
from producers.log.checkpoints import make_due, verifiers
from tests.tampering import Admin, rehash, rewind, unlock
from worker.append import append_batch
from worker.emit import emit

PAGE = Path(__file__).parents[3] / "docs" / "security-tampering.md"
RULE = "| --- | --- | --- | --- |\n"

AT_7 = "update activity.event set {} where tenant_id = $T and seq = 7"
COPY = """insert into activity.event select (jsonb_populate_record(o, jsonb_build_object(
    'seq', {}, 'event_id', gen_random_uuid()))).* from activity.event o where tenant_id = $T and seq = 9"""
DIGEST = "payload_sha256 = sha256(salt || convert_to({}, 'UTF8'))"
SWAP = (
    "update activity.event set seq = case seq when 6 then 7 else 6 end where tenant_id = $T and seq in (6, 7)"
)

Act = Callable[[Admin, int], object]


def does(*statements: str) -> Act:
    """Return an act that runs these statements, $T being the workspace."""
    return lambda admin, tenant: [admin.execute(one.replace("$T", str(tenant))) for one in statements]


def then(*acts: Act) -> Act:
    """Return one act of several."""
    return lambda admin, tenant: [act(admin, tenant) for act in acts]


def rehashed(admin: Admin, tenant: int) -> None:
    """Make the chain fit again from event 7 on."""
    rehash(admin, tenant, 6)


CUT = "delete from activity.event where tenant_id = $T and seq > 6"
EMPTY = "delete from activity.event where tenant_id = $T"
EDITED = AT_7.format("actor = 'eve@example.com'")

ACTS: dict[str, Act] = {
    "payload changed": does(AT_7.format("""payload = '{"text":"other"}'""")),
    "payload and its digest changed": does(AT_7.format("payload = '{}', " + DIGEST.format("'{}'"))),
    "payload and salt changed": does(AT_7.format("payload = '{}', salt = 'x'")),
    "a space put into the payload": does(AT_7.format("payload = (payload::text || ' ')::json")),
    "salt changed": does(AT_7.format("salt = sha256(salt)")),
    "digest changed": does(AT_7.format("payload_sha256 = sha256('x')")),
    "actor changed": does(EDITED),
    "source changed": does(AT_7.format("source = 'other'")),
    "type changed": does(AT_7.format("type = 'call.logged'")),
    "version changed": does(AT_7.format("version = 2")),
    "account changed": does(AT_7.format("account_id = 'other'")),
    "contact changed": does(AT_7.format("contact_id = 'other'")),
    "record changed": does(AT_7.format("record_type = 'deal', record_id = 'd1'")),
    "cause changed": does(AT_7.format("cause_id = gen_random_uuid()")),
    "event_id changed": does(AT_7.format("event_id = gen_random_uuid()")),
    "occurred_at changed": does(AT_7.format("occurred_at = occurred_at - interval '1 day'")),
    "recorded_at changed": does(AT_7.format("recorded_at = recorded_at - interval '1 day'")),
    "recorded_at set to infinity": does(AT_7.format("recorded_at = 'infinity'")),
    "hash changed": does(AT_7.format("hash = sha256('x')")),
    "an event deleted": does("delete from activity.event where tenant_id = $T and seq = 7"),
    "the first event deleted": does("delete from activity.event where tenant_id = $T and seq = 1"),
    "an event deleted, the gap closed": does(
        "delete from activity.event where tenant_id = $T and seq = 7",
        "update activity.event set seq = seq - 1 where tenant_id = $T and seq > 7",
    ),
    "two events exchanged": does("set constraints all deferred", SWAP),
    "an event put in from another workspace": does(
        "delete from activity.event where tenant_id = $T and seq = 7",
        "update activity.event set tenant_id = $T where tenant_id = 1 and seq = 7",
    ),
    "the tail cut": does(CUT),
    "the tail cut, the head moved back": then(does(CUT), rewind),
    "the head alone moved back": does(
        "update activity.head h set seq = 6, hash = (select hash from activity.event where tenant_id = $T "
        "and seq = 6) where tenant_id = $T"
    ),
    "the head's hash changed": does("update activity.head set hash = sha256('x') where tenant_id = $T"),
    "the head deleted": does("delete from activity.head where tenant_id = $T"),
    "all events deleted, the head set to the beginning": does(
        EMPTY, "update activity.head set seq = 0, hash = sha256('activity/v1') where tenant_id = $T"
    ),
    "an event changed, all hashes computed anew": then(does(EDITED), rehashed),
    "all of the log computed anew, an event of the beginning changed": then(
        does("update activity.event set actor = 'eve@example.com' where tenant_id = $T and seq = 2"),
        lambda admin, tenant: rehash(admin, tenant, 1),
    ),
    "content taken out by hand": does(AT_7.format("payload = null, salt = null")),
    "content put back that was erased": does(
        "update activity.event set payload = '{}', salt = 'x' where tenant_id = $T and seq = 2"
    ),
    "an erasure made to name another event": does(
        """update activity.event set payload = replace(payload::text, '"seqs":"2"', '"seqs":"2-3"')::json
            where tenant_id = $T and seq = 4""",
        "update activity.event set payload = null, salt = null where tenant_id = $T and seq = 3",
    ),
    "a row beyond the head": does(COPY.format(12)),
    "a row before the first": does(COPY.format(0)),
    "the workspace's record deleted": does("delete from crm.tenant where id = $T"),
    "the workspace deleted whole": does(
        EMPTY,
        "delete from activity.head where tenant_id = $T",
        "delete from activity.checkpoint where tenant_id = $T",
        "delete from crm.tenant where id = $T",
    ),
    "the epoch changed": does("update activity.head set epoch = gen_random_uuid() where tenant_id = $T"),
    "the stored tree changed": does("update activity.tree set hash = sha256('x') where tenant_id = $T"),
    "the stored checkpoints deleted": does("delete from activity.checkpoint where tenant_id = $T"),
    "rejected events deleted": does("delete from activity.rejected where tenant_id = $T"),
    "emitted events deleted before they were appended": does(
        "delete from activity.outbox where tenant_id = $T"
    ),
}

Lines = list[bytes]
AT_LINE_7: dict[str, Callable[[Lines], Lines]] = {
    "export: an event changed": lambda lines: [lines[7].replace(b'"acme"', b'"other"'), *lines[8:]],
    "export: a payload changed": lambda lines: [lines[7].replace(b"said", b"sold"), *lines[8:]],
    "export: a line taken out": lambda lines: lines[8:],
    "export: two lines exchanged": lambda lines: [lines[8], lines[7], *lines[9:]],
    "export: a line twice": lambda lines: [lines[7], *lines[7:]],
    "export: the end cut": lambda lines: [],
}


def add(tenants: Sequence[int], *contacts: str) -> None:
    """Append an event about each contact to each log."""
    for tenant in tenants:
        with begin("producer") as session:
            emit(session, [_note(tenant, contact) for contact in contacts])
        append_batch(100)


def _note(tenant: int, contact: str) -> Event:
    return Event(
        tenant_id=tenant,
        type="note.added",
        source="manual",
        account_id="acme",
        contact_id=contact,
        payload={"text": f"{contact} said"},
    )


def signed(admin: Admin) -> dict[int, Checkpoint]:
    """Make a checkpoint of each log; return what is kept of them elsewhere."""
    admin.execute("update activity.checkpoint set made_at = made_at - interval '1 day'")
    while make_due() != "0 checkpoints":
        pass
    rows = admin.execute(
        "select distinct on (tenant_id) tenant_id, note from activity.checkpoint "
        "order by tenant_id, size desc"
    ).fetchall()
    return {tenant: Checkpoint.of_note(note, verifiers(tenant)) for tenant, note in rows}


def verified(tenant: int, checkpoints: Sequence[Checkpoint]) -> Report | None:
    """Verify a log, unless nothing at all is left of it."""
    try:
        return verify(tenant, checkpoints)
    except UnknownLog:
        return None


def first(report: Report | None) -> str:
    """Return the first that a report says, or that it says nothing."""
    told = [*report.faults, *(f"note: {note}" for note in report.notes)] if report else []
    return next(iter(told), "not found")


def cells(admin: Admin, name: str, tenant: int, known: Sequence[Sequence[Checkpoint]]) -> list[str]:
    """Do it, and return what is said with each of these checkpoints."""
    if name in ACTS:
        ACTS[name](admin, tenant)
        return [first(verified(tenant, one)) for one in known]
    whole = list(export(tenant))
    lines = [*whole[:7], *AT_LINE_7[name](whole)]
    return [first(verify_export(opened(lines), one, lambda seq: None)) for one in known]


def test_what_a_superuser_does_is_found_or_named_as_beyond_proof(
    admin: Admin, make_tenant: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACTIVITY_CHECKPOINT_KEYS", new_signer("log.example").secret())
    settings.cache_clear()
    make_tenant()  # number 1, from which an event is moved
    tenants = {name: make_tenant() for name in (*ACTS, *AT_LINE_7)}
    every = [1, *tenants.values()]
    add(every, "jo", "ann", "jo")
    for tenant in every:
        with begin("eraser") as session:
            erase(session, tenant, "ann", uuid4(), "dpo@example.com", None, None)
    before = signed(admin)
    add(every, "jo", "jo", "jo", "jo", "jo", "jo")
    after = signed(admin)
    unlock(admin)
    for table in ("event", "head"):
        names = "select conname from pg_constraint where contype = 'c' and conrelid = %s::regclass"
        for (name,) in admin.execute(names, (f"activity.{table}",)).fetchall():
            admin.execute(f"alter table activity.{table} drop constraint {name}")
    admin.execute("alter table activity.event drop constraint event_pkey")
    rows = []
    for name, tenant in tenants.items():
        known: list[list[Checkpoint]] = [[], [before[tenant]], [before[tenant], after[tenant]]]
        rows.append(f"| {name} | {' | '.join(cells(admin, name, tenant, known))} |\n")
    table = "".join(rows)
    head, _, written = PAGE.read_text().partition(RULE)
    if os.environ.get("ACTIVITY_WRITE_TAMPERING"):
        PAGE.write_text(head + RULE + table)
    else:
        assert table == written
