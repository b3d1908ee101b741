"""A proof of one event convinces whoever has a key and no access, and no other proof does."""

import json
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from activity.event import Event
from activity.proof.note import new_signer
from activity.settings import settings
from db.engine import begin, role_url
from db.records.erasure import erase
from producers.log.checkpoints import make_due
from tests.command import activity
from tests.recording import record

VERIFIER = Path(__file__).parents[3] / "docs/examples/verify_proof.py"
Json = dict[str, Any]
Admin = psycopg.Connection[Any]


@pytest.fixture
def events(tenant: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of 300 events of a log with a checkpoint."""
    monkeypatch.setenv("ACTIVITY_CHECKPOINT_KEYS", new_signer("log.example").secret())
    settings.cache_clear()
    ids = add(tenant, 300)
    make_due()
    return ids


def add(tenant: int, count: int) -> list[str]:
    """Let the log grow; return the ids of its new events."""
    said = [
        Event(
            tenant_id=tenant,
            type="note.added",
            source="manual",
            contact_id=f"jo{n}",
            account_id='a"\\é',
            payload={"text": f"Zoë said {n}"},
        )
        for n in range(count)
    ]
    record(*said)
    return [str(event.event_id) for event in said]


def verified(proof: Json, key: str, folder: Path) -> tuple[int, str]:
    """What a stranger's program says of a proof: its exit code and its words."""
    file = folder / "proof.json"
    file.write_text(json.dumps(proof))
    done = subprocess.run(
        [sys.executable, "-I", VERIFIER, file, key], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def changed(value: Any) -> Iterator[Any]:
    """What somebody could put in a value's place."""
    if isinstance(value, str):
        yield "x" + value
        yield value[:-1] + ("0" if not value.endswith("0") else "1")
    elif isinstance(value, int):
        yield value + 1
    elif value is None:
        yield "x"
    elif isinstance(value, list):
        yield value[:-1]
        yield [*value, value[-1]]
        yield value[::-1]


def test_each_event_is_proved_to_somebody_who_has_the_key_alone(
    events: list[str], send: Callable[..., httpx.Response], tenant: int, tmp_path: Path
) -> None:
    key = activity("checkpoint-key", "--tenant", tenant).strip()
    for number in (1, 2, 128, 255, 256, 257, 299, 300):
        answer = send("GET", f"/v1/events/{events[number - 1]}/proof")
        assert answer.headers["cache-control"] == "private, no-store"
        proof = answer.json()
        assert proof == json.loads(activity("prove", events[number - 1], "--tenant", tenant))
        code, out = verified(proof, key, tmp_path)
        assert code == 0, out
        assert f"log.example/{tenant} signed that the log log.example/{tenant} holds 300 events" in out
        assert f"event {events[number - 1]} is number {number} of them" in out
        assert f'its content is {{"text":"Zoë said {number - 1}"}}' in out
        assert len(proof["path"]) * 32 <= 9 * 32


def test_a_proof_that_was_changed_anywhere_proves_nothing(
    events: list[str], tenant: int, tmp_path: Path
) -> None:
    key = activity("checkpoint-key", "--tenant", tenant).strip()
    proof = json.loads(activity("prove", events[77], "--tenant", tenant))
    others = [
        {**deepcopy(proof), name: other}
        for name in ("payload", "salt", "previous", "path", "checkpoint")
        for other in changed(proof[name])
    ]
    others += [
        {**deepcopy(proof), "event": {**proof["event"], name: other}}
        for name, value in proof["event"].items()
        for other in changed(value)
    ]
    others += [{**proof, "event": {**proof["event"], "extra": 1}}, {**proof, "path": []}, {}]
    assert len(others) > 35
    stranger = runpy.run_path(str(VERIFIER))
    for other in others:
        with pytest.raises((ValueError, KeyError, TypeError, stranger["InvalidSignature"])):
            stranger["verify"](other, [key])
    assert verified({}, key, tmp_path) == (1, "not proved: 'proof'\n")
    other_key = str(new_signer(f"log.example/{tenant}").verifier())
    assert "none of these keys has signed" in verified(proof, other_key, tmp_path)[1]


def test_an_erased_event_is_proved_without_its_content(
    events: list[str], tenant: int, tmp_path: Path
) -> None:
    key = activity("checkpoint-key", "--tenant", tenant).strip()
    with begin("eraser") as session:
        erase(session, tenant, "jo7", uuid4(), "dpo@example.com", None, None)
    proof = json.loads(activity("prove", events[7], "--tenant", tenant))
    assert (proof["payload"], proof["salt"]) == (None, None)
    code, out = verified(proof, key, tmp_path)
    assert (code, "nothing is proved of it" in out) == (0, True)


def test_what_no_checkpoint_holds_is_not_provable_yet(
    events: list[str], tenant: int, send: Callable[..., httpx.Response]
) -> None:
    later = Event(tenant_id=tenant, type="note.added", source="manual", account_id="a", payload={"text": "x"})
    record(later)
    answer = send("GET", f"/v1/events/{later.event_id}/proof")
    assert (answer.status_code, answer.json()["detail"][:42]) == (
        404,
        "no signed checkpoint holds seq 301 yet: as",
    )
    assert "no signed checkpoint" in activity("prove", later.event_id, "--tenant", tenant, code=2)
    unknown = send("GET", f"/v1/events/{events[0][:-4]}0000/proof")
    assert (unknown.status_code, "has no event" in unknown.json()["detail"]) == (404, True)


def test_the_checkpoint_is_fetched_from_the_api(
    events: list[str], tenant: int, send: Callable[..., httpx.Response], make_tenant: Callable[[], int]
) -> None:
    note = activity("checkpoint", "--signed", "--tenant", tenant)
    assert send("GET", "/v1/checkpoint").json() == {"note": note, "consistency": []}


def test_a_newer_checkpoint_is_proved_to_continue_an_older_one_and_no_other_one_is(
    events: list[str], send: Callable[..., httpx.Response], tenant: int, admin: Admin, tmp_path: Path
) -> None:
    key = activity("checkpoint-key", "--tenant", tenant).strip()
    older = send("GET", "/v1/checkpoint").json()
    add(tenant, 77)
    admin.execute("update activity.checkpoint set made_at = made_at - interval '1 hour'")
    make_due()
    newer = send("GET", "/v1/checkpoint?since=300").json()
    assert 0 < len(newer["consistency"]) * 32 <= 640
    files = [tmp_path / "newer.json", tmp_path / "older.json"]
    for file, one in zip(files, (newer, older), strict=True):
        file.write_text(json.dumps(one))
    done = subprocess.run(
        [sys.executable, "-I", VERIFIER, *files, key], capture_output=True, text=True, check=True
    )
    assert "holds 377 events, of which the first 300 are as they were" in done.stdout
    stranger = runpy.run_path(str(VERIFIER))
    paths = [
        *changed(newer["consistency"]),
        *([*newer["consistency"][:-1], x] for x in changed(newer["consistency"][-1])),
    ]
    for other in paths:
        with pytest.raises(ValueError, match=r"continue|length|hex"):
            stranger["verify_continues"]({**newer, "consistency": other}, older, [key])
    with pytest.raises(ValueError, match="does not continue"):
        stranger["verify_continues"]({**older, "consistency": []}, newer, [key])
    assert send("GET", "/v1/checkpoint?since=378").status_code == 404


def test_a_reader_has_the_salt_of_an_event_it_may_read_and_no_other(
    events: list[str], tenant: int, make_tenant: Callable[[], int]
) -> None:
    other = make_tenant()
    url = role_url("reader").render_as_string(hide_password=False).replace("+psycopg", "")
    with psycopg.connect(url) as reader:
        found = []
        for named in (tenant, other):
            reader.execute("select set_config('activity.tenant', %s, true)", (str(named),))
            row = reader.execute("select activity.salt(%s, 1) is not null", (tenant,)).fetchone()
            found.append(row)
        assert found == [(True,), (False,)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("select salt from activity.event")
