"""The Celery task that sends. It may run twice, or at the same time in many workers."""

from producers.sequences.sending.send import send_chunk
from worker.celery import app
from worker.drain import drain

TASK = "sequence.send"


@app.task(name=TASK)  # type: ignore[untyped-decorator]  # celery has no types
def send_due() -> str:
    """Send every mail that is due and may go."""
    return drain(TASK, send_chunk)
