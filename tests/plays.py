"""A workspace that playbook tests play in."""

from collections import Counter
from typing import Any
from uuid import UUID

import psycopg

from activity.event import Event
from db.engine import begin
from db.records import records
from db.records.records import Account, Contact, Member, Opportunity
from db.sequences import sequences
from producers.playbooks import operate
from producers.playbooks.advance import advance_batch
from producers.playbooks.start import handle
from producers.playbooks.tasks import FOLLOWER
from worker.append import append_batch
from worker.emit import emit
from worker.follow import follow_once

Rows = list[tuple[Any, ...]]


class World:
    """A workspace with playbooks in it, moved on by hand."""

    def __init__(self, admin: psycopg.Connection[Any], tenant: int) -> None:
        self.admin = admin
        self.tenant = tenant
        with begin("producer", tenant) as session:
            records.upsert(
                session, tenant, [Member(email="ana@vendor.example", manager_email="bo@vendor.example")]
            )
            records.upsert(
                session,
                tenant,
                [Account(id="acme", name="Acme", owner_email="ana@vendor.example", fields={"tier": "gold"})],
            )
            records.upsert(
                session,
                tenant,
                [Contact(id="jo", account_id="acme", name="Jo Park", email="jo@acme.example")],
            )
            records.upsert(
                session, tenant, [Opportunity(id="deal", account_id="acme", name="Renewal", stage="Proposal")]
            )

    def play(self, source: str) -> int:
        """Save and enable a playbook and return its id."""
        with begin("producer", self.tenant) as session:
            saved, program = operate.save(session, self.tenant, source, "ana@vendor.example")
            operate.enable(session, self.tenant, program.name, "ana@vendor.example")
        return saved.id

    def add_sequence(self, name: str) -> None:
        """Add a sequence of one mail, and the mailbox that sends it."""
        add = """insert into crm.mailbox (tenant_id, address, host, port, security)
                 values (%s, 'ana@vendor.example', '127.0.0.1', 25, 'none') returning id"""
        [(mailbox,)] = self.sql(add, self.tenant)
        with begin("producer", self.tenant) as session:
            sequences.save(session, self.tenant, name, mailbox, '{"steps":[]}', "ana@vendor.example")

    def say(self, type: str = "signal.detected", payload: dict[str, Any] | None = None, **about: Any) -> UUID:
        """Emit an event about Acme and return its id."""
        said = {"signal": "pricing_page_visited"} if payload is None else payload
        event = Event(
            tenant_id=self.tenant, type=type, source="api", payload=said, **({"account_id": "acme"} | about)
        )
        with begin("producer") as session:
            emit(session, event)
        return event.event_id

    def follow(self) -> None:
        """Append and follow, and let no run advance."""
        while append_batch(1000) or follow_once(FOLLOWER, handle):
            pass

    def settle(self) -> None:
        """Append, follow and advance until nothing moves."""
        while append_batch(1000) or follow_once(FOLLOWER, handle) or advance_batch():
            pass

    def pass_time(self) -> None:
        """Let every wait be over."""
        self.admin.execute("update playbook.run set due_at = now() where due_at is not null")

    def sql(self, statement: str, *values: Any) -> Rows:
        """Return what the superuser sees."""
        return self.admin.execute(statement.encode(), values or None).fetchall()

    def types(self) -> Counter[str]:
        """Return how many events of each type the log holds."""
        return Counter(dict(self.sql("select type, count(*) from activity.event group by type")))

    def states(self) -> list[str]:
        """Return the states of the runs in the order of their starts."""
        return [state for (state,) in self.sql("select state from playbook.run order by id")]


def playbook(steps: str, head: str = "", trigger: str = "event: signal.detected", name: str = "Play") -> str:
    """Return a definition with these steps."""
    return f"name: {name}\ntrigger:\n  {trigger}\n{head}\nsteps:\n{steps}\n"
