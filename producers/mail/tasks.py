"""The Celery task of inbound mail."""

from db.claim import is_due
from db.engine import EVERY_TENANT, begin
from db.mail.sources import SOURCES
from producers.mail.inbound.poll import EVERY, poll_chunk
from worker.celery import app
from worker.drain import drain
from worker.process.clock import Sweep, look_for

__all__ = ["EVERY", "TASK", "poll_due"]

TASK = "webhook.poll"


@app.task(name=TASK)  # type: ignore[untyped-decorator]  # celery has no types
def poll_due() -> str:
    """Read the mailboxes that are due, and confirm subscriptions."""
    return drain(TASK, poll_chunk)


def _is_source_due() -> bool:
    with begin("producer", EVERY_TENANT) as session:
        return is_due(session, SOURCES)


# A mailbox of fifty mails may take long, and the servers are others'.
look_for(Sweep(TASK, poll_due, _is_source_due, every_s=5, bound_s=1800))
