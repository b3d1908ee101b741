"""What taking a mail that comes in promises."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from api.http.app import create_app
from bench.samples import mail as mail_samples
from db import access
from db.engine import begin
from db.mail import sources, suppression
from db.records import records
from producers.mail.inbound.classify import MAX_MAIL, read_mail
from producers.mail.inbound.imap import mailbox_of
from producers.mail.inbound.poll import poll_chunk
from producers.mail.inbound.receive import receive_mail
from tests import imapserver, vectors
from tests.sequences import Workspace
from worker.append import append_batch


def letter(
    space: Workspace,
    text: str = "Let us talk.",
    *,
    reference: bool = True,
    sender: str = "jo@acme.example",
    **headers: str,
) -> bytes:
    """A mail that answers the one sent."""
    sent = space.one("select message_id from crm.message")
    given = {
        "From": f"Jo Park <{sender}>",
        "To": "ana@v.example",
        "Subject": "Re: Renewal",
        "Message-ID": "<answer@acme.example>",
    }
    given |= {"Date": "Mon, 02 Nov 2026 10:00:00 +0100"} | (
        {"In-Reply-To": f"<{sent}>", "References": f"<{sent}>"} if reference else {}
    )
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in (given | headers).items()]
    return ("\r\n".join(lines) + f"\r\n\r\n{text}\r\n").encode()


def report(
    space: Workspace,
    action: str,
    status: str,
    diagnostic: str,
    *,
    recipient: str = "jo@acme.example",
    known: bool = True,
) -> bytes:
    """A delivery status notification."""
    sent = space.one("select message_id from crm.message") if known else "nobody@knows.example"
    return "\r\n".join(
        (
            "From: MAILER-DAEMON@mx.example",
            "Subject: Delivery report",
            f"Message-ID: <{action}-{status}@mx.example>",
            'Content-Type: multipart/report; report-type=delivery-status; boundary="b"',
            "",
            "--b",
            "Content-Type: text/plain",
            "",
            "About your mail.",
            "--b",
            "Content-Type: message/delivery-status",
            "",
            "Reporting-MTA: dns; mx.example",
            "",
            f"Final-Recipient: rfc822; {recipient}",
            f"Action: {action}",
            f"Status: {status}",
            f"Diagnostic-Code: smtp; {diagnostic}",
            "",
            "--b",
            "Content-Type: message/rfc822",
            "",
            f"Message-ID: <{sent}>",
            "Subject: Renewal",
            "",
            "Hi",
            "--b--",
        )
    ).encode()


def events(space: Workspace) -> list[tuple[Any, ...]]:
    append_batch(1000)
    query = """select type, contact_id, record_type, payload from activity.event
               where source in ('inbound', 'sequence') and type not in ('email.sent', 'sequence.enrolled')
                   order by seq"""
    return space.admin.execute(query).fetchall()


def types(space: Workspace) -> list[str]:
    return [row[0] for row in events(space)]


def blocked(space: Workspace, address: str = "jo@acme.example") -> list[str]:
    with begin("producer", space.tenant) as session:
        return list(suppression.check(session, space.tenant, address).reasons)


@vectors.extra
def test_every_real_mail_is_what_its_manifest_says(capsys: pytest.CaptureFixture[str]) -> None:
    data = mail_samples.folder()
    assert data is not None
    table = mail_samples.check_mails(data)
    assert sum(counts["mails"] for counts in table.values()) == 60
    # Two say "no such user" in the words of others that the collection calls hard: these it calls filtered.
    assert {name: counts["wrong"] for name, counts in table.items() if counts["wrong"]} == {
        "soft_bounce": 2
    }, capsys.readouterr().out


def test_a_reply_ends_the_sequence_and_keeps_what_was_written(space: Workspace) -> None:
    (taken,) = receive_mail(
        space.tenant, letter(space, "Let us talk.\r\n\r\nOn Mon, Ana wrote:\r\n> Hello Jo\r\n")
    )
    assert (taken["class"], taken["new"]) == ("reply", 1)
    kind, contact, record, payload = events(space)[0]
    assert (kind, contact, record) == ("email.replied", "jo", "thread")
    assert (payload["excerpt"], payload["step"], payload["from_name"]) == ("Let us talk.", 1, "Jo Park")
    assert [row[1:3] for row in space.enrolments()] == [("finished", "replied")]


def test_a_reply_from_another_address_is_found_by_its_references(space: Workspace) -> None:
    receive_mail(space.tenant, letter(space, sender="assistant@elsewhere.example"))
    assert events(space)[0][:2] == ("email.replied", "jo")
    assert [row[1:3] for row in space.enrolments()] == [("finished", "replied")]


def test_a_reply_that_lost_its_references_is_known_by_author_and_subject(space: Workspace) -> None:
    receive_mail(space.tenant, letter(space, reference=False))
    assert types(space)[0] == "email.replied"
    receive_mail(
        space.tenant, letter(space, reference=False, Subject="Something else", Message_ID="<2@acme.example>")
    )
    assert types(space)[-1] == "email.received"


@pytest.mark.parametrize(
    "sign",
    [
        {"Auto_Submitted": "auto-replied"},
        {"X_Autoreply": "yes"},
        {"Precedence": "auto_reply"},
        {"Subject": "Automatic reply: Renewal"},
    ],
)
def test_a_vacation_note_is_no_reply(space: Workspace, sign: dict[str, Any]) -> None:
    receive_mail(space.tenant, letter(space, "I am away.", **sign))
    assert types(space) == ["email.auto_replied"]
    assert [row[1] for row in space.enrolments()] == ["active"]


def test_a_hard_bounce_ends_the_sequence_and_suppresses(space: Workspace) -> None:
    receive_mail(space.tenant, report(space, "failed", "5.1.1", "550 5.1.1 User unknown"))
    kind, contact, _, payload = events(space)[0]
    assert (kind, contact, payload["bounce_type"], payload["status"]) == (
        "email.bounced",
        "jo",
        "hard",
        "5.1.1",
    )
    assert blocked(space) == ["hard_bounce"]
    assert [row[1:3] for row in space.enrolments()] == [("finished", "bounced")]


def test_a_delay_is_no_bounce_and_a_full_mailbox_is_soft(space: Workspace) -> None:
    receive_mail(space.tenant, report(space, "delayed", "4.2.2", "452 4.2.2 Mailbox full"))
    receive_mail(space.tenant, report(space, "failed", "5.2.2", "552 5.2.2 Mailbox full"))
    assert types(space) == ["email.deferred", "email.bounced"]
    assert events(space)[1][3]["bounce_type"] == "soft"
    assert blocked(space) == []
    assert [row[1] for row in space.enrolments()] == ["active"]


def test_a_report_about_a_stranger_is_kept_and_suppresses_nobody(space: Workspace) -> None:
    receive_mail(
        space.tenant,
        report(space, "failed", "5.1.1", "550 User unknown", recipient="ceo@rival.example", known=False),
    )
    assert events(space)[0][:3] == ("email.bounced", None, "message")
    assert blocked(space, "ceo@rival.example") == []


def test_a_complaint_suppresses_whom_the_mail_went_to_though_the_report_hides_it(space: Workspace) -> None:
    sent = space.one("select message_id from crm.message")
    raw = "\r\n".join(
        (
            "From: fbl@isp.example",
            "Subject: complaint",
            'Content-Type: multipart/report; report-type=feedback-report; boundary="b"',
            "",
            "--b",
            "Content-Type: text/plain",
            "",
            "A complaint.",
            "--b",
            "Content-Type: message/feedback-report",
            "",
            "Feedback-Type: abuse",
            "Version: 1",
            "",
            "--b",
            "Content-Type: message/rfc822",
            "",
            f"Message-ID: <{sent}>",
            "To: redacted",
            "",
            "Hi",
            "--b--",
        )
    )
    receive_mail(space.tenant, raw.encode())
    assert events(space)[0][:2] == ("email.complained", "jo")
    assert blocked(space) == ["complaint"]


def test_a_mail_taken_twice_is_stored_once(space: Workspace) -> None:
    raw = letter(space)
    assert [receive_mail(space.tenant, raw)[0]["new"] for _ in range(2)] == [1, 0]
    assert types(space).count("email.replied") == 1


@pytest.mark.parametrize(
    "raw",
    [
        b"\x00\xff" * 500,
        b"Content-Type: multipart/mixed; boundary=x\n\n",
        b"From: a\x00b@acme.example\nSubject: Re: x\n\nHi",
        b"From: \xff\xfe\nDate: never\nIn-Reply-To: <>\n\n",
        b"x" * 100_000,
    ],
)
def test_what_cannot_be_read_is_kept_all_the_same(tenant: int, raw: bytes) -> None:
    assert receive_mail(tenant, raw)[0]["new"] == 1


@pytest.mark.timeout(20)  # the square of any of these takes minutes or hours
@pytest.mark.parametrize("unit", ["\n", " \n", ">\n", "-- \n", "a", "<", "_", "<a@", "550 "])
@pytest.mark.parametrize("sender", ["jo", "mailer-daemon"])
def test_text_that_is_written_to_hurt_is_read_in_time(unit: str, sender: str) -> None:
    head = f"From: {sender}@acme.example\nSubject: Re: x\nIn-Reply-To: <a@b.example>\n\n"
    assert read_mail((head + "Yes\n" + unit * (200_000 // len(unit))).encode()).text.startswith("Yes")


def test_html_that_is_nested_to_hurt_is_read_as_its_words() -> None:
    deep = "<div>" * 20_000 + "Yes, on <b>Tuesday</b>"
    found = read_mail(f"From: jo@acme.example\nContent-Type: text/html\n\n{deep}".encode())
    assert found.text.split() == ["Yes,", "on", "Tuesday"]


def test_mail_is_taken_over_http_from_who_may_write(space: Workspace) -> None:
    key = access.new_key()
    with begin("producer", space.tenant) as session:
        access.add_key(session, space.tenant, key, "mail", {"write"}, "system")

    async def post(body: bytes, **headers: str) -> httpx.Response:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(create_app()), base_url="http://api.example"
        ) as client:
            return await client.post("/v1/inbound/email", content=body, headers=headers)

    ask: Callable[..., httpx.Response] = lambda body, **headers: asyncio.run(post(body, **headers))  # noqa: E731  # three calls below
    assert ask(letter(space)).status_code == 401
    answer = ask(letter(space), authorization=f"Bearer {key}")
    assert (answer.status_code, answer.json()[0]["class"]) == (200, "reply")
    assert ask(b" " * (MAX_MAIL + 1), authorization=f"Bearer {key}").status_code == 413


def test_a_mailbox_is_read_once_from_where_it_was_left(space: Workspace) -> None:
    with imapserver.running(
        imapserver.Folder(letter(space), b"From: x@y.example\r\nSubject: Hello\r\n\r\nHi\r\n")
    ) as folder:
        with begin("producer", space.tenant) as session:
            mailbox = mailbox_of(f"imap+plain://ana@127.0.0.1:{folder.port}/INBOX")
            sources.add(session, space.tenant, "imap", "box", secret="secret", mailbox=mailbox)
        assert poll_chunk() == {"done": 1}
        assert poll_chunk() == {}
        folder.mails.append(report(space, "failed", "5.1.1", "550 5.1.1 User unknown"))
        space.admin.execute("update crm.mail_source set due_at = now()")
        assert poll_chunk() == {"done": 1}
        folder.validity = 8  # the server numbered its mails anew
        space.admin.execute("update crm.mail_source set due_at = now()")
        assert poll_chunk() == {"done": 1}
    assert [kind for kind in types(space) if kind.startswith("email.")] == [
        "email.replied",
        "email.received",
        "email.bounced",
    ]


def test_a_mailbox_that_cannot_be_read_says_why_and_is_tried_again_later(space: Workspace) -> None:
    with imapserver.running(imapserver.Folder()) as folder:
        with begin("producer", space.tenant) as session:
            mailbox = mailbox_of(f"imap+plain://ana@127.0.0.1:{folder.port}")
            sources.add(session, space.tenant, "imap", "box", secret="wrong", mailbox=mailbox)
        assert poll_chunk() == {"failed": 1}
    failure, waits = space.admin.execute(
        "select failure, due_at > now() + interval '30 s' from crm.mail_source"
    ).fetchone() or ("", False)
    assert "wrong password" in failure
    assert waits
    assert "secret" not in failure


def test_a_contact_who_writes_first_is_kept_too(space: Workspace) -> None:
    with begin("producer", space.tenant) as session:
        records.upsert(session, space.tenant, [records.Contact(id="kim", email="kim@acme.example")])
    receive_mail(
        space.tenant, letter(space, reference=False, sender="kim@acme.example", Subject="Do you ship?")
    )
    assert events(space)[0][:3] == ("email.received", "kim", "message")
