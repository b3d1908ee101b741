"""Sending against a bare smtplib loop on the same mail server, and what a claim costs as enrolments wait.

smtplib     one connection, ready-made mails, sendmail after sendmail: no database, no gate, no template, no
            event, no PIPELINING
sends       one worker (this process), from due steps to sent mails and their email.sent: claim, gate, render,
            sign, two commits a mail
claim_ms    claiming 100 due steps, with all that the gate needs of them, among 1,000 and 1,000,000 waiting
            enrolments; the median of 20
"""

import os
import smtplib
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

import aiosmtpd.handlers
import psycopg
from aiosmtpd.smtp import SMTP, Envelope, Session

from bench.servers import servers, wait_until
from cli.dev.ports import free_port, is_free

ROUNDS = 4
SENDER = "ana@vendor.example"
LINES = "We have gone through your figures and have a proposal or two.\n" * 15


def run(events: int = 2000, only: str | None = None) -> dict[str, object]:
    """Send so many mails each way, in turns, and measure the claims; `only` is throughput or claim."""
    os.environ |= {"ACTIVITY_TRACKING_KEYS": "k1:a-secret-for-the-benchmark", "ACTIVITY_LOG_LEVEL": "warning"}
    figures: dict[str, object] = {"mails": events}
    with servers(1) as admin, _sink() as port:
        ((tenant,),) = admin.execute("select id from crm.tenant limit 1").fetchall()
        sequence = _sequence(tenant, port)
        if only in (None, "throughput"):
            figures |= _throughput(admin, tenant, sequence, port, events)
        if only in (None, "claim"):
            figures |= _claims(admin, tenant, sequence)
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in figures.items()}


class Sink(aiosmtpd.handlers.Sink):
    """Takes every mail, and offers PIPELINING, as most mail servers do."""

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, host: str, answer: list[str]
    ) -> list[str]:  # aiosmtpd's name
        """Greet."""
        session.host_name = host
        return [answer[0], "250-PIPELINING", *answer[1:]]


@contextmanager
def _sink() -> Iterator[int]:
    """Run a mail server in a process of its own that takes every mail and keeps none."""
    port = free_port()
    listen = ("--nosetuid", "--listen", f"127.0.0.1:{port}", "--class", "bench.sequences.Sink")
    with subprocess.Popen([sys.executable, "-m", "aiosmtpd", *listen]) as process:
        try:
            wait_until(lambda: not is_free(port), 20)
            yield port
        finally:
            process.terminate()


def _sequence(tenant: int, port: int) -> int:
    from db.engine import begin
    from db.sequences import mailboxes, sequences
    from producers.sequences.definition import EmailStep, SequenceDefinition, Variant

    html = (
        f"<p>Hello {{{{ contact.first_name }}}}</p><p>{LINES}</p><a "
        f'href="https://vendor.example/terms">The terms</a>'
    )
    variants = tuple(
        Variant(name=name, subject="Renewal for {{ contact.name }}", text="Hello,\n" + LINES, html=html)
        for name in "AB"
    )
    made = SequenceDefinition(name="Bench", mailbox=SENDER, steps=(EmailStep(variants=variants),))
    with begin("producer", tenant) as session:
        box = mailboxes.add(
            session, tenant, mailboxes.NewMailbox(SENDER, "Ana Ruiz", "127.0.0.1", port, "none")
        )
        return sequences.save(session, tenant, made.name, box, made.json, "system").id


def _throughput(
    admin: psycopg.Connection, tenant: int, sequence: int, port: int, mails: int
) -> dict[str, float]:
    from producers.sequences.sending.send import send_chunk

    each = mails // ROUNDS
    ours = bare = 0.0
    for turn in range(ROUNDS):
        _enrol(admin, tenant, sequence, range(turn * each, (turn + 1) * each))
        ready = _ready(admin, each)
        started = time.perf_counter()
        _smtplib_loop(port, ready)
        bare += time.perf_counter() - started
        started = time.perf_counter()
        while send_chunk():
            pass
        ours += time.perf_counter() - started
    ((sent,),) = admin.execute("select count(*) from crm.message where state = 'sent'").fetchall()
    assert sent == each * ROUNDS, f"{sent} of {each * ROUNDS} were sent"
    total = each * ROUNDS
    return {"sends_per_s": total / ours, "smtplib_per_s": total / bare, "ratio": bare / ours}


def _enrol(admin: psycopg.Connection, tenant: int, sequence: int, numbers: range) -> None:
    from db.engine import begin
    from producers.sequences import enroll_many

    _contacts(admin, tenant, numbers)
    with begin("producer", tenant) as session:
        enroll_many(session, tenant, sequence, [f"c{n}" for n in numbers], by="system")


def _contacts(admin: psycopg.Connection, tenant: int, numbers: range) -> None:
    admin.execute(
        """insert into crm.contact (tenant_id, id, name, email)
           select %s, 'c' || n, 'Jo Park ' || n, 'c' || n || '@acme.example'
             from generate_series(%s::int, %s) n""",
        (tenant, numbers.start, numbers.stop - 1),
    )


def _ready(admin: psycopg.Connection, count: int) -> list[tuple[str, bytes]]:
    """Return mails as our engine would write them, addressed and ready."""
    from db.engine import EVERY_TENANT, begin
    from producers.sequences.mail import compose
    from producers.sequences.sending.claim import claim_chunk

    with begin("producer", EVERY_TENANT) as session:
        chunk = claim_chunk(session, count)
        ready = [compose(out, chunk.boxes[key]) for key, outs in chunk.mails.items() for out in outs]
        session.rollback()  # claimed by nobody: it was for the samples
    return [(mail.recipient, mail.content) for mail in ready]


def _smtplib_loop(port: int, ready: list[tuple[str, bytes]]) -> None:
    with smtplib.SMTP("127.0.0.1", port) as smtp:
        for recipient, content in ready:
            smtp.sendmail(SENDER, [recipient], content)


def _claims(admin: psycopg.Connection, tenant: int, sequence: int) -> dict[str, float]:
    admin.execute("truncate crm.enrolment, crm.message")
    figures, waiting = {}, 0
    for name, count in (("claim_ms_1k", 1_000), ("claim_ms_1m", 1_000_000)):
        _wait(admin, tenant, sequence, range(waiting, count))
        waiting = count
        figures[name] = median(_claim_ms(admin, at) for at in range(20))
    return figures


def _wait(admin: psycopg.Connection, tenant: int, sequence: int, numbers: range) -> None:
    admin.execute(
        """insert into crm.enrolment (tenant_id, sequence_id, version, contact_id, mailbox_id, due_at,
            enrolled_by)
           select s.tenant_id, s.id, s.version, 'w' || n, s.mailbox_id,
               now() + interval '1 day' + n * interval '1 second', 'system'
             from crm.sequence s, generate_series(%s::int, %s) n where s.id = %s""",
        (numbers.start, numbers.stop - 1, sequence),
    )
    admin.execute("analyze crm.enrolment")


def _claim_ms(admin: psycopg.Connection, turn: int) -> float:
    from db.engine import EVERY_TENANT, begin
    from db.sequences.due import claim_due

    admin.execute(
        "update crm.enrolment set due_at = now() where contact_id = any(%s)",
        ([f"w{turn % 10 * 100 + n}" for n in range(100)],),
    )
    with begin("producer", EVERY_TENANT) as session:
        started = time.perf_counter()
        dues = claim_due(session, 60, 100)
        spent = (time.perf_counter() - started) * 1000
    assert len(dues) == 100
    admin.execute(
        "update crm.enrolment set due_at = now() + interval '1 day' where id = any(%s)",
        ([due.id for due in dues],),
    )
    return spent


if __name__ == "__main__":
    import json

    print(json.dumps(run()))
