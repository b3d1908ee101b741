"""A workspace with a mailbox on a real mail server.

A few verbs, so that a test of sequences reads as its promise.
"""

from typing import Any

import psycopg

from db.engine import begin
from db.records import records
from db.sequences import sequences
from db.sequences.due import Due
from db.sequences.limits import Mailbox
from producers.sequences import enroll
from producers.sequences.definition import EmailStep, SequenceDefinition, Step, Variant
from producers.sequences.sending.send import send_chunk
from worker.append import append_batch

Row = tuple[Any, ...]


def mail(subject: str = "", text: str = "Hello {{ contact.first_name }}") -> EmailStep:
    return EmailStep(
        variants=(
            Variant(
                subject=subject, text=text, html='<p>Hi</p><a href="https://v.example/p?a=1&amp;b=2">see</a>'
            ),
        )
    )


class Workspace:
    """One workspace with a mailbox on the sink: a few verbs, so that a test reads as its promise."""

    def __init__(self, admin: psycopg.Connection[Any], tenant: int, port: int) -> None:
        self.admin, self.tenant = admin, tenant
        self.mailbox = self.one(
            """insert into crm.mailbox (tenant_id, address, name, host, port, security)
               values (%s, 'ana@v.example', 'Ana', '127.0.0.1', %s, 'none') returning id""",
            tenant,
            port,
        )

    def one(self, query: str, *values: Any) -> Any:
        row = self.admin.execute(query, values).fetchone()
        return row and row[0]

    def sequence(self, *steps: Step, **more: Any) -> int:
        made = SequenceDefinition(name=f"S{len(steps)}", mailbox="ana@v.example", steps=steps, **more)
        with begin("producer", self.tenant) as session:
            return sequences.save(
                session, self.tenant, made.name, self.mailbox, made.json, "ana@v.example"
            ).id

    def enroll(self, sequence: int, *contacts: str, **more: Any) -> None:
        with begin("producer", self.tenant) as session:
            people = [
                records.Contact(id=name, name=f"{name.title()} Park", email=f"{name}@acme.example", **more)
                for name in contacts
            ]
            records.upsert(session, self.tenant, people)
            for name in contacts:
                enroll(session, self.tenant, sequence, name, by="ana@v.example")

    def send(self) -> dict[str, int]:
        """Send all that is due, as the worker's task does."""
        tally: dict[str, int] = {}
        while done := send_chunk():
            tally = {word: tally.get(word, 0) + done.get(word, 0) for word in {*tally, *done}}
        return tally

    def due(self) -> None:
        """Let time pass until what waits is due."""
        self.admin.execute("update crm.enrolment set due_at = now() where due_at is not null")

    def enrolments(self) -> list[Row]:
        return self.admin.execute(
            "select contact_id, state, reason, step, sent from crm.enrolment order by id"
        ).fetchall()

    def messages(self) -> list[Row]:
        return self.admin.execute(
            "select contact_id, step, state, reason from crm.message order by contact_id, step"
        ).fetchall()

    def events(self, *types: str) -> list[Row]:
        while append_batch(1000):
            pass
        query = (
            "select type, contact_id, payload->>'step', payload->>'reason' from activity.event where "
            "type = any(%s) order by seq"
        )
        return self.admin.execute(query, (list(types),)).fetchall()


def due(**fields: Any) -> Due:
    known: dict[str, Any] = dict.fromkeys(Due._fields)
    known |= {
        "id": 1,
        "tenant_id": 1,
        "sequence_id": 1,
        "version": 1,
        "mailbox_id": 1,
        "step": 1,
        "attempt": 0,
        "sent": 0,
        "fence": 1,
    }
    known |= {
        "sequence": "S",
        "sequence_paused": False,
        "contact_id": "c",
        "contact_name": "Jo Park",
        "email": "jo@acme.example",
    }
    return Due(**(known | {"fields": {}, "gone": False, "earlier": ()} | fields))


def box(**fields: Any) -> Mailbox:
    known: dict[str, Any] = dict.fromkeys(Mailbox._fields)
    known |= {
        "id": 1,
        "tenant_id": 1,
        "address": "ana@v.example",
        "name": "Ana",
        "zone": "UTC",
        "paused": False,
        "recent": (),
        "day_count": 0,
    }
    return Mailbox(**(known | fields))
