"""Whatever a mail makes its reader raise, it is set aside with the reason and the next one is read."""

from contextlib import suppress
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.engine import begin
from db.mail import sources, unreadable
from producers.mail.inbound import classify
from producers.mail.inbound.classify import UnreadableMail, read_mail
from producers.mail.inbound.imap import mailbox_of
from producers.mail.inbound.poll import poll_chunk
from producers.mail.inbound.receive import receive_mail
from tests import imapserver
from tests.command import activity

LETTER = b"From: x@y.example\r\nSubject: Hello\r\n\r\nHi\r\n"
NESTED = b"".join(
    b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(1000)
)
HOSTILE = {
    "charset undefined": b"Content-Type: text/plain; charset=undefined\r\n\r\nx",
    "charset idna": b"Content-Type: text/plain; charset=idna\r\n\r\n\xff..x",
    "charset punycode": b"Content-Type: text/plain; charset=punycode\r\n\r\n\xff-\xfe",
    "charset hex": b"Content-Type: text/plain; charset=hex\r\n\r\nabc",
    "charset with NUL": b'Content-Type: text/plain; charset="a\x00b"\r\n\r\nx',
    "charset utf-7": b"Content-Type: text/plain; charset=utf-7\r\n\r\n+2AA-",
    "parentheses": b"From: " + b"(" * 5000 + b"\r\n\r\nx",
    "a report without From": b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n"
    b"\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; a\r\n\r\n--b--\r\n",
    "a raw byte in From": b"From: M\xfcller <mailer-daemon@x.example>\r\nSubject: Undeliverable\r\n\r\nx",
    "nested parts": NESTED,
    "an odd file name": b"Content-Type: text/plain\r\nContent-Disposition: inline; filename*=x\r\n\r\nx",
}


@pytest.mark.parametrize("mail", HOSTILE)
def test_a_mailbox_goes_on_behind_a_hostile_mail(
    admin: psycopg.Connection[Any], tenant: int, mail: str
) -> None:
    with imapserver.running(imapserver.Folder(HOSTILE[mail], LETTER)) as folder:
        with begin("producer", tenant) as session:
            box = mailbox_of(f"imap+plain://ana@127.0.0.1:{folder.port}/INBOX")
            sources.add(session, tenant, "imap", "box", secret="secret", mailbox=box)
        assert poll_chunk() == {"done": 1}
    assert admin.execute("select last_uid from crm.mail_source").fetchone() == (2,)
    docs = admin.execute("select doc->'payload'->>'subject' from activity.outbox").fetchall()
    assert ("Hello",) in docs


def test_a_mail_whose_reading_raises_is_kept_and_shown(
    tenant: int, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    def raises(_: bytes) -> None:
        raise RecursionError

    monkeypatch.setattr(classify, "_read", raises)
    (result,) = receive_mail(tenant, LETTER)
    assert result["class"] == "unreadable"
    with begin("reader", tenant) as session:
        (kept,) = unreadable.list_all(session, tenant)
        assert unreadable.raw(session, tenant, kept.id) == LETTER
    assert "RecursionError" in kept.reason
    assert "RecursionError" in activity("source", "unreadable", "--tenant", tenant)
    assert "no unreadable mail" in activity("source", "unreadable", 4711, "--tenant", tenant, code=2)


HEADERS = st.sampled_from(
    [
        b"From",
        b"To",
        b"Subject",
        b"Content-Type",
        b"Content-Disposition",
        b"References",
        b"Date",
        b"X-Failed-Recipients",
    ]
)
VALUES = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [
            b"text/plain; charset=undefined",
            b"multipart/report; boundary=b",
            b"=?utf-8?q?=00?=",
            b"(" * 400,
            b"<>",
            b'"',
            b"message/rfc822",
        ]
    ),
)
MAILS = st.tuples(st.lists(st.tuples(HEADERS, VALUES), max_size=6), st.binary(max_size=200))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(MAILS)
def test_reading_raises_one_error_and_no_other(mail: tuple[list[tuple[bytes, bytes]], bytes]) -> None:
    headers, body = mail
    raw = b"".join(name + b": " + value + b"\r\n" for name, value in headers) + b"\r\n" + body
    with suppress(UnreadableMail):
        assert read_mail(raw).identity
