"""What taking a provider's report promises."""

import asyncio
import base64
import hmac
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from activity.settings import settings
from api.http.app import create_app
from bench.samples import mail as mail_samples
from bench.samples import webhooks
from db.engine import begin
from db.mail import reports, sources, suppression
from db.records import records
from producers.mail.reclassify import judge_all
from tests import vectors
from tests.sequences import Workspace
from worker.append import append_batch

Post = Callable[..., httpx.Response]
KEY = "a-signing-key"


@pytest.fixture
def post(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Post:
    """A function that posts a body to the API."""
    app = create_app()

    async def request(path: str, body: bytes, headers: dict[str, str]) -> httpx.Response:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://api.example"
        ) as client:
            return await client.post(path, content=body, headers=headers)

    return lambda path, body, **headers: asyncio.run(
        request(path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    )


def add(tenant: int, provider: str, secret: str | None = None, **more: Any) -> str:
    with begin("producer", tenant) as session:
        sources.add(session, tenant, provider, public_id := uuid4().hex, secret=secret, **more)
    return f"/v1/webhooks/{provider}/{public_id}"


def mailgun(event: str, age_s: float = 0, key: str = KEY, **fields: Any) -> bytes:
    """A report as Mailgun signs it."""
    stamp, token = str(int(time.time() - age_s)), uuid4().hex
    signature = hmac.new(key.encode(), (stamp + token).encode(), "sha256").hexdigest()
    data = {
        "event": event,
        "id": uuid4().hex,
        "timestamp": time.time(),
        "recipient": "jo@acme.example",
        **fields,
    }
    return json.dumps(
        {"signature": {"timestamp": stamp, "token": token, "signature": signature}, "event-data": data}
    ).encode()


def said(admin: psycopg.Connection[Any], tenant: int) -> list[dict[str, Any]]:
    """Every event that the workspace's log holds, in order."""
    append_batch(1000)
    names = ("type", "contact_id", "account_id", "record_type", "record_id", "payload", "event_id", "source")
    query = (
        "select type, contact_id, account_id, record_type, record_id, payload, event_id, source from "
        "activity.event"
    )
    rows = admin.execute(f"{query} where tenant_id = %s order by seq", (tenant,)).fetchall()
    return [dict(zip(names, row, strict=True)) for row in rows]


@vectors.extra
def test_every_real_request_makes_the_events_it_should_or_is_refused_and_twice_adds_nothing(
    admin: psycopg.Connection[Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = mail_samples.folder()
    assert data is not None
    webhooks.pin_certificates(data, tmp_path)
    monkeypatch.setenv("ACTIVITY_SNS_CERTIFICATES", str(tmp_path))
    settings.cache_clear()
    table = asyncio.run(webhooks.check_webhooks(create_app(), data, admin))
    assert sum(counts["samples"] for counts in table.values()) == 210
    assert {name: counts["wrong"] for name, counts in table.items() if counts["wrong"]} == {}, (
        capsys.readouterr().out
    )


def test_a_forged_or_stale_report_is_refused_and_nothing_is_stored(
    admin: psycopg.Connection[Any], tenant: int, post: Post
) -> None:
    path = add(tenant, "mailgun", KEY)
    true = mailgun("delivered")
    assert (
        post(path, true.replace(b"jo@acme", b"xx@acme").replace(b'"token": "', b'"token": "0')).status_code
        == 401
    )
    assert post(path, mailgun("delivered", key="another")).status_code == 401
    assert post(path, mailgun("delivered", age_s=400)).status_code == 401
    assert post(path, mailgun("delivered", age_s=-400)).status_code == 401
    assert post(path, b"{}").status_code == 401
    assert admin.execute("select count(*) from crm.mail_seen").fetchone() == (0,)
    assert said(admin, tenant) == []
    assert post(path, true).json() == {"new": 1, "repeated": 0, "unknown": 0}


def test_an_address_that_no_source_has_answers_404(tenant: int, post: Post) -> None:
    path = add(tenant, "mailgun", KEY)
    assert post("/v1/webhooks/mailgun/nobody-knows-it", mailgun("delivered")).status_code == 404
    assert post(path.replace("mailgun", "sendgrid"), mailgun("delivered")).status_code == 404


def test_a_request_larger_than_the_limit_is_refused_before_it_is_read(tenant: int, post: Post) -> None:
    assert post(add(tenant, "mailgun", KEY), b" " * 5_000_001).status_code == 413


def test_a_body_that_is_authentic_and_unreadable_is_told_so(tenant: int, post: Post) -> None:
    assert post(add(tenant, "postmark"), b"not json").status_code == 400


def test_while_a_secret_is_rotated_both_are_taken_and_later_only_the_new_one(tenant: int, post: Post) -> None:
    path = add(tenant, "mailgun", KEY)
    public_id = path.rpartition("/")[2]
    with begin("producer", tenant) as session:
        sources.rotate(session, tenant, public_id, "new", overlap_s=3600)
    assert [post(path, mailgun("delivered", key=key)).status_code for key in (KEY, "new")] == [200, 200]
    with begin("producer", tenant) as session:
        sources.rotate(session, tenant, public_id, "newer", overlap_s=0)
    assert [post(path, mailgun("delivered", key=key)).status_code for key in (KEY, "new", "newer")] == [
        401,
        401,
        200,
    ]


def test_credentials_stand_in_for_a_signature(tenant: int, post: Post) -> None:
    body = json.dumps({"RecordType": "Delivery", "Recipient": "jo@acme.example", "MessageID": "m"}).encode()
    basic = add(tenant, "postmark", "basic:ana:pass:word")
    good = base64.b64encode(b"ana:pass:word").decode()
    assert post(basic, body).status_code == 401
    assert post(basic, body, authorization=f"Basic {good[:-4]}").status_code == 401
    assert post(basic, body, authorization=f"Basic {good}").status_code == 200
    header = add(tenant, "postmark", "header:X-Token:s3cret")
    assert post(header, body, x_token="s3cre").status_code == 401
    assert post(header, body, x_token="s3cret").status_code == 200


def test_a_signature_is_checked_over_the_very_bytes(tenant: int, post: Post) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    path = add(tenant, "sendgrid", base64.b64encode(public).decode())
    body, stamp = (
        b'[{"event":"delivered",  "email":"jo@acme.example","sg_event_id":"1"}]\r\n',
        str(int(time.time())),
    )
    signature = base64.b64encode(key.sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))).decode()
    proof = {
        "x_twilio_email_event_webhook_signature": signature,
        "x_twilio_email_event_webhook_timestamp": stamp,
    }
    assert post(path, body.rstrip(), **proof).status_code == 401
    assert post(path, body, **proof).status_code == 200


def test_a_report_sent_many_times_at_once_is_stored_once(
    admin: psycopg.Connection[Any], tenant: int, environment: dict[str, str]
) -> None:
    path, body = add(tenant, "mailgun", KEY), mailgun("complained")

    async def at_once() -> list[httpx.Response]:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(create_app()), base_url="http://api.example"
        ) as client:
            return list(await asyncio.gather(*(client.post(path, content=body) for _ in range(10))))

    answers = asyncio.run(at_once())
    assert {answer.status_code for answer in answers} == {200}
    assert sum(answer.json()["new"] for answer in answers) == 1
    assert [event["type"] for event in said(admin, tenant)] == ["email.complained"]


def test_a_report_is_durable_before_it_is_answered(
    admin: psycopg.Connection[Any], tenant: int, post: Post
) -> None:
    assert post(add(tenant, "mailgun", KEY), mailgun("delivered")).status_code == 200
    assert admin.execute("select count(*) from activity.outbox").fetchone() == (1,)


def test_a_kind_that_nobody_knows_is_taken_and_counted(tenant: int, post: Post) -> None:
    path = add(tenant, "mailgun", KEY)
    assert [
        post(path, mailgun(name)).json()["unknown"] for name in ("teleported", "teleported", "delivered")
    ] == [1, 1, 0]
    with begin("producer", tenant) as session:
        assert reports.unknown_kinds(session, tenant) == [(path.rpartition("/")[2], "teleported", 2)]


def test_what_is_about_nobody_is_kept_and_shown_as_such(
    admin: psycopg.Connection[Any], tenant: int, post: Post
) -> None:
    post(add(tenant, "mailgun", KEY), mailgun("opened", message={"headers": {"message-id": "m1@x.example"}}))
    (event,) = said(admin, tenant)
    assert (event["contact_id"], event["account_id"], event["record_type"], event["record_id"]) == (
        None,
        None,
        "message",
        "<m1@x.example>",
    )
    assert "matched_by" not in event["payload"]


def test_the_contact_is_found_by_address_whatever_its_case(
    admin: psycopg.Connection[Any], tenant: int, post: Post
) -> None:
    with begin("producer", tenant) as session:
        records.upsert(session, tenant, [records.Account(id="acme", name="Acme")])
        records.upsert(
            session, tenant, [records.Contact(id="jo", email="Jo@Acme.example", account_id="acme")]
        )
    post(add(tenant, "mailgun", KEY), mailgun("delivered", recipient="jo@ACME.example"))
    (event,) = said(admin, tenant)
    assert (event["contact_id"], event["account_id"], event["payload"]["matched_by"]) == (
        "jo",
        "acme",
        "address",
    )


@pytest.fixture
def space(space: Workspace) -> Workspace:
    """It has read all that its log holds."""
    said(space.admin, space.tenant)
    return space


def message_id(space: Workspace) -> str:
    return str(space.one("select message_id from crm.message"))


def about(space: Workspace) -> dict[str, Any]:
    return {"message": {"headers": {"message-id": message_id(space)}}}


def test_a_report_finds_its_thread_and_step_by_message_id(space: Workspace, post: Post) -> None:
    post(
        add(space.tenant, "mailgun", KEY), mailgun("opened", recipient="someone@else.example", **about(space))
    )
    event = said(space.admin, space.tenant)[-1]
    thread = space.one("select thread_id from crm.message")
    assert (event["contact_id"], event["record_type"], event["record_id"]) == ("jo", "thread", thread)
    named = {name: event["payload"][name] for name in ("sequence", "step", "subject", "matched_by")}
    assert named == {"sequence": "S3", "step": 1, "subject": "Renewal", "matched_by": "message_id"}


def test_a_report_without_a_message_id_finds_its_thread_by_address(space: Workspace, post: Post) -> None:
    post(add(space.tenant, "mailgun", KEY), mailgun("opened"))
    event = said(space.admin, space.tenant)[-1]
    assert (event["contact_id"], event["payload"]["step"], event["payload"]["matched_by"]) == (
        "jo",
        1,
        "address",
    )


def test_that_our_own_mail_was_sent_is_not_said_again(space: Workspace, post: Post) -> None:
    post(add(space.tenant, "mailgun", KEY), mailgun("accepted", **about(space)))
    assert [event["type"] for event in said(space.admin, space.tenant)].count("email.sent") == 1


def blocked(space: Workspace) -> list[str]:
    with begin("producer", space.tenant) as session:
        return list(suppression.check(session, space.tenant, "jo@acme.example").reasons)


@pytest.mark.parametrize(
    ("event", "fields", "reasons", "state"),
    [
        ("failed", {"severity": "permanent", "reason": "bounce"}, ["hard_bounce"], ("finished", "bounced")),
        ("complained", {}, ["complaint"], ("finished", "complained")),
        ("unsubscribed", {}, ["unsubscribed"], ("finished", "unsubscribed")),
        ("failed", {"severity": "temporary"}, [], ("active", None)),
        ("delivered", {}, [], ("active", None)),
    ],
)
def test_what_a_report_means_is_drawn_at_once(
    space: Workspace,
    post: Post,
    event: str,
    fields: dict[str, Any],
    reasons: list[str],
    state: tuple[str, str | None],
) -> None:
    post(add(space.tenant, "mailgun", KEY), mailgun(event, **fields, **about(space)))
    assert blocked(space) == reasons
    assert [row[1:3] for row in space.enrolments()] == [state]


def test_soft_bounces_count_to_a_limit_and_a_delivery_begins_anew(space: Workspace, post: Post) -> None:
    path = add(space.tenant, "brevo")

    def report(name: str, number: int) -> None:
        body = {
            "event": name,
            "email": "jo@acme.example",
            "ts_event": 1_760_000_000 + number,
            "message-id": f"<{message_id(space)}>",
        }
        assert post(path, json.dumps(body).encode()).json()["new"] == 1

    for number in range(4):
        report("soft_bounce", number)
    report("delivered", 5)
    for number in range(10, 14):
        report("soft_bounce", number)
    assert blocked(space) == []
    report("soft_bounce", 20)
    assert blocked(space) == ["soft_bounces"]


def test_every_open_is_kept_with_its_verdict_and_a_later_verdict_is_appended(
    space: Workspace, post: Post
) -> None:
    path, now = add(space.tenant, "mailgun", KEY), time.time()
    person: dict[str, Any] = {
        "client-info": {
            "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
        }
    }
    apple: dict[str, Any] = {"client-info": {"bot": "apple"}}
    post(path, mailgun("opened", timestamp=now + 3600, **person, **about(space)))
    post(path, mailgun("opened", timestamp=now + 7200, **apple, **about(space)))
    opens = [event for event in said(space.admin, space.tenant) if event["type"] == "email.opened"]
    assert [event["payload"]["machine"] for event in opens] == [False, True]
    assert sum(sum(part.values()) for part in judge_all(space.tenant)) == 2  # judged, none changed
    post(path, mailgun("delivered", timestamp=now + 3598, **about(space)))
    said(space.admin, space.tenant)
    assert [dict(part) for part in judge_all(space.tenant)] == [{"judged": 2, "changed": 1}]
    verdicts = [
        event["payload"] for event in said(space.admin, space.tenant) if event["type"] == "event.classified"
    ]
    assert [(one["event_id"], one["machine"], one["rule"]) for one in verdicts] == [
        (str(opens[0]["event_id"]), True, "within 10 s of delivery")
    ]
    assert [dict(part) for part in judge_all(space.tenant)] == [{"judged": 2, "changed": 0}]
