"""The Celery task that sends. It may run twice, or at the same time in many workers."""

from activity.settings import settings
from db.claim import is_due
from db.engine import EVERY_TENANT, begin
from db.sequences import due, messages
from producers.sequences.sending.send import send_chunk
from worker.celery import app
from worker.drain import drain
from worker.process.clock import Sweep, look_for

TASK = "sequence.send"


@app.task(name=TASK)  # type: ignore[untyped-decorator]  # celery has no types
def send_due() -> str:
    """Send every mail that is due and may go."""
    return drain(TASK, send_chunk)


def _is_mail_due() -> bool:
    lease_s = settings().send_lease_s
    with begin("producer", EVERY_TENANT) as session:
        return is_due(session, due.queue(lease_s)) or messages.has_undecided(session, lease_s)


look_for(Sweep(TASK, send_due, _is_mail_due))
