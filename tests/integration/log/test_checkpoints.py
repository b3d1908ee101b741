"""Signed checkpoints are made as a log grows, kept elsewhere, witnessed, and find what a superuser did."""

from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import httpx
import psycopg
import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from activity.event import Event
from activity.proof.merkle import verify_consistency
from activity.proof.note import SignedPlace, new_signer, opened
from activity.settings import settings
from db.engine import begin, role_url
from db.log import tree
from producers.http import Answer
from producers.log.checkpoints import is_due, make_due, verifiers
from tests.command import activity
from tests.recording import record
from tests.tampering import Admin, rehash, unlock


@pytest.fixture
def folder(environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the checkpoints are written, with a key set that signs them."""
    monkeypatch.setenv("ACTIVITY_CHECKPOINT_KEYS", new_signer("log.example").secret())
    monkeypatch.setenv("ACTIVITY_CHECKPOINT_DIR", str(tmp_path / "away"))
    settings.cache_clear()
    return tmp_path / "away"


def add(tenant: int, events: int) -> None:
    record(
        *(
            Event(
                tenant_id=tenant,
                type="note.added",
                source="manual",
                account_id="acme",
                payload={"text": str(n)},
            )
            for n in range(events)
        )
    )


def grown(admin: Admin, tenant: int, events: int) -> str:
    """Let the log grow and an hour pass; return the checkpoint's file."""
    add(tenant, events)
    admin.execute("update activity.checkpoint set made_at = made_at - interval '1 hour'")
    assert is_due()
    assert make_due() == "1 checkpoints"
    assert not is_due(), "it has only now been made"
    return activity("checkpoint", "--signed", "--tenant", tenant)


def test_a_log_that_grows_gets_a_signed_checkpoint_each_hour_in_a_folder_elsewhere(
    folder: Path, tenant: int, admin: Admin
) -> None:
    assert not is_due(), "there is nothing in the log"
    note = grown(admin, tenant, 3)
    assert (folder / str(tenant) / "3.note").read_text() == note
    place = SignedPlace.read(opened(note, verifiers(tenant))[0])
    assert (place.origin, place.size) == (f"log.example/{tenant}", 3)
    add(tenant, 1)
    assert not is_due(), "the hour is not over"
    grown(admin, tenant, 1)
    assert sorted(file.name for file in (folder / str(tenant)).iterdir()) == ["3.note", "5.note"]
    assert f"tenant {tenant}: 5 events, whole" in activity("verify", "--checkpoint", folder)
    assert f"tenant {tenant}: 0 events, whole" in activity("verify", "--since", folder)


def test_a_checkpoint_is_posted_to_an_address_and_an_address_that_fails_stops_nothing(
    folder: Path, tenant: int, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    posted: list[tuple[str, bytes]] = []

    def answering(status: int) -> Callable[..., Answer]:
        def send(method: str, url: str, *, content: bytes, **_: object) -> Answer:
            posted.append((url, content))
            return Answer(status, httpx.Headers(), b"", url)

        return send

    monkeypatch.setenv("ACTIVITY_CHECKPOINT_URL", "https://elsewhere.example/notes")
    settings.cache_clear()
    for status, events in ((201, 2), (500, 1)):
        monkeypatch.setattr("producers.log.checkpoints.send", answering(status))
        note = grown(admin, tenant, events)
        assert posted.pop() == ("https://elsewhere.example/notes", note.encode())


def test_two_checkpoints_are_proved_to_be_of_one_log_by_a_few_hundred_bytes(
    folder: Path, tenant: int, admin: Admin
) -> None:
    notes = [grown(admin, tenant, events) for events in (700, 500)]
    old, new = (SignedPlace.read(opened(note, verifiers(tenant))[0]) for note in notes)
    assert admin.execute("select level, count(*) from activity.tree group by 1").fetchall() == [(1, 4)]
    with begin("reader", tenant) as session:
        path = tree.tree(session, tenant).consistency(old.size, new.size)
    verify_consistency(old.size, new.size, old.root, new.root, path)
    assert len(path) * 32 < 640


def test_what_was_rewritten_is_located_between_two_checkpoints_and_a_forged_one_is_refused(
    folder: Path, tenant: int, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        grown(admin, tenant, 4)
    key = activity("checkpoint-key", "--tenant", tenant).strip()
    unlock(admin)
    admin.execute("update activity.event set actor = 'eve@example.com' where seq = 6")
    rehash(admin, tenant, 5)
    assert "whole" in activity("verify")
    monkeypatch.setenv("ACTIVITY_CHECKPOINT_KEYS", "")
    settings.cache_clear()
    out = activity("verify", "--checkpoint", folder, "--key", key, code=1)
    assert "seq 8 has another hash than the checkpoint; what was changed lies in seq 5 to 8" in out
    forged = folder / str(tenant) / "8.note"
    forged.write_text(forged.read_text().replace("chain ", "chain 00", 1))
    assert f"{forged} is not a checkpoint" in activity("verify", "--checkpoint", folder, "--key", key, code=2)
    other = str(new_signer(f"log.example/{tenant}").verifier())
    refused = activity("verify", "--checkpoint", folder / str(tenant) / "4.note", "--key", other, code=2)
    assert "no known key has signed the note" in refused


def test_what_was_signed_once_is_never_contradicted_by_a_later_signature(
    folder: Path, tenant: int, admin: Admin
) -> None:
    grown(admin, tenant, 300)
    admin.execute("update activity.tree set hash = sha256('x')")
    add(tenant, 1)
    admin.execute("update activity.checkpoint set made_at = made_at - interval '1 hour'")
    with structlog.testing.capture_logs() as logs:
        assert make_due() == "0 checkpoints"
    assert [one["event"] for one in logs] == ["checkpoint_failed"]
    assert "does not continue its checkpoint at 300" in logs[0]["error"]
    admin.execute("update activity.head set epoch = gen_random_uuid()")
    assert make_due() == "1 checkpoints", "a restored log begins anew, and its checkpoints say so"


def test_a_log_that_lacks_events_gets_no_checkpoint(folder: Path, tenant: int, admin: Admin) -> None:
    add(tenant, 300)
    admin.execute("alter table activity.event disable trigger no_delete")
    admin.execute("delete from activity.event where seq = 7")
    assert make_due() == "0 checkpoints"
    assert admin.execute("select count(*) from activity.checkpoint").fetchone() == (0,)


def test_a_witness_signs_beside_us_what_is_really_ours(
    folder: Path, tenant: int, admin: Admin, tmp_path: Path
) -> None:
    note = grown(admin, tenant, 2)
    text = note[: note.index("\n\n") + 1]
    secret, seen_at = Ed25519PrivateKey.generate(), 1_800_000_000
    public = secret.public_key().public_bytes_raw()
    id_ = sha256(b"witness.example\n\x04" + public).digest()[:4]
    key = f"witness.example+{id_.hex()}+{b64encode(bytes([4]) + public).decode()}"

    def cosigned(text: str) -> str:
        signature = secret.sign(f"cosignature/v1\ntime {seen_at}\n{text}".encode())
        material = b64encode(id_ + seen_at.to_bytes(8) + signature).decode()
        return f"{text}\n— witness.example {material}\n"

    file = tmp_path / "cosigned"
    for _ in range(2):
        file.write_text(cosigned(text))
        assert "signed by witness.example" in activity("witness", file, "--key", key)
        both = activity("checkpoint", "--signed", "--tenant", tenant)
        assert both == note + cosigned(text)[len(text) + 1 :]
        assert (folder / str(tenant) / "2.note").read_text() == both
    assert "whole" in activity("verify", "--checkpoint", folder, "--key", key)
    file.write_text(cosigned(text.replace("\n2\n", "\n3\n")))
    assert "has this text" in activity("witness", file, "--key", key, code=2)
    file.write_text(note)
    assert "no known key has signed the note" in activity("witness", file, "--key", key, code=2)


def test_a_new_key_signs_beside_the_old_one_until_that_is_left_out(
    folder: Path, tenant: int, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = activity("checkpoint-key", "--tenant", tenant).strip()
    fresh = activity("checkpoint-key", "log.example").strip()
    both = f"{fresh},{settings().required('checkpoint_keys')}"
    monkeypatch.setenv("ACTIVITY_CHECKPOINT_KEYS", both)
    settings.cache_clear()
    grown(admin, tenant, 2)
    keys = activity("checkpoint-key", "--tenant", tenant).split()
    assert keys[1] == old
    for key in keys:
        assert "whole" in activity("verify", "--checkpoint", folder, "--key", key)


def test_who_makes_checkpoints_sees_hashes_and_nothing_that_an_event_says(tenant: int) -> None:
    add(tenant, 1)
    url = role_url("writer").render_as_string(hide_password=False).replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as writer:
        assert writer.execute("select seq, length(hash) from activity.event").fetchall() == [(1, 32)]
        for column in ("payload", "salt", "payload_sha256", "actor", "contact_id", "type"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                writer.execute(f"select {column} from activity.event")  # noqa: S608  # a name of ours


def test_without_a_key_no_checkpoint_is_due(tenant: int, monkeypatch: pytest.MonkeyPatch) -> None:
    add(tenant, 1)
    assert not is_due()
    assert make_due() == "no keys"
