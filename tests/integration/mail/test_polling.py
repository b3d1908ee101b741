"""A source is worked on under a lease of its own; what a worker does after it lost it does not count."""

from typing import Any

import psycopg
import pytest

from db.claim import claim
from db.engine import EVERY_TENANT, begin
from db.mail import sources
from producers.mail.inbound import imap
from producers.mail.inbound.poll import poll_chunk
from tests import imapserver

LETTER = b"From: x@y.example\r\nSubject: Hello\r\n\r\nHi\r\n"


def _add_mailbox(tenant: int, name: str, port: int) -> None:
    with begin("producer", tenant) as session:
        mailbox = imap.mailbox_of(f"imap+plain://ana@127.0.0.1:{port}")
        sources.add(session, tenant, "imap", name, secret="secret", mailbox=mailbox)


def _let_another_worker_claim(admin: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on the lease ends, and another worker claims the source, while a mail is fetched."""
    fetch = imap.fetch

    def fetch_slowly(server: Any, uid: int) -> bytes | None:
        admin.execute("update crm.mail_source set due_at = now()")
        with begin("producer", EVERY_TENANT) as session:
            claim(session, sources.SOURCES, 10)
        return fetch(server, uid)

    monkeypatch.setattr(imap, "fetch", fetch_slowly)


def test_a_source_is_claimed_alone_so_that_another_waits_for_no_lease(
    admin: psycopg.Connection[Any], tenant: int
) -> None:
    with imapserver.running(imapserver.Folder(LETTER)) as folder:
        for name in ("box-1", "box-2"):
            _add_mailbox(tenant, name, folder.port)
        assert poll_chunk() == {"done": 1}
        due = admin.execute("select count(*) from crm.mail_source where due_at <= now()").fetchone()
        assert due == (1,)
        assert poll_chunk() == {"done": 1}


def test_a_mail_that_is_read_after_the_lease_was_lost_is_left_to_the_new_holder(
    admin: psycopg.Connection[Any], tenant: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with imapserver.running(imapserver.Folder(LETTER)) as folder:
        _add_mailbox(tenant, "box", folder.port)
        with monkeypatch.context() as patched:
            _let_another_worker_claim(admin, patched)
            assert poll_chunk() == {"lost": 1}
        assert admin.execute("select last_uid, failures from crm.mail_source").fetchone() == (0, 0)
        assert admin.execute("select count(*) from activity.outbox").fetchone() == (0,)
        admin.execute("update crm.mail_source set due_at = now()")
        assert poll_chunk() == {"done": 1}
        assert admin.execute("select last_uid from crm.mail_source").fetchone() == (1,)


def test_each_mail_that_is_read_renews_the_lease(
    admin: psycopg.Connection[Any], tenant: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[Any] = []
    fetch = imap.fetch

    def fetch_late(server: Any, uid: int) -> bytes | None:
        left.append(admin.execute("select due_at > now() + interval '1 min' from crm.mail_source").fetchone())
        admin.execute("update crm.mail_source set due_at = now() + interval '1 s'")  # almost over
        return fetch(server, uid)

    monkeypatch.setattr(imap, "fetch", fetch_late)
    with imapserver.running(imapserver.Folder(LETTER, LETTER + b"2", LETTER + b"3")) as folder:
        _add_mailbox(tenant, "box", folder.port)
        assert poll_chunk() == {"done": 1}
    assert left == [(True,)] * 3
