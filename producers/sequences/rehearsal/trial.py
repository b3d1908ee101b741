"""One of a sequence's mails to a contact, sent to somebody else, to see it in a mail program."""

import asyncio

import structlog
from sqlalchemy.orm import Session

from activity.errors import ActivityError
from db.mail import suppression
from db.sequences.limits import Mailbox
from producers.sequences.mail import ComposedMail
from producers.sequences.rehearsal.preview import composed, rehearse
from producers.sequences.sending.smtp import Connection, Dropped, Refused, ServerDown, Undecided

log = structlog.get_logger()


class StepNotFound(ActivityError):
    """The sequence has no mail at this step, or none that can be written."""


class TrialFailed(ActivityError):
    """The mail server did not accept a trial."""


def send_trial(session: Session, tenant: int, sequence: str, contact: str, step: int, to: str) -> str:
    """Send a step's mail, as the contact would get it, to another address; return the server's answer.

    It counts as nobody's mail: no enrollment moves, no limit is used up, and its links count no visits.
    Raises SequenceNotFound, ContactNotFound, StepNotFound and TrialFailed.
    """
    rehearsal = rehearse(session, tenant, sequence, contact)
    if refusal := suppression.check(session, tenant, to).refusal():
        raise TrialFailed(f"{to} is not written to: {refusal}")
    to_you = rehearsal._replace(due=rehearsal.due._replace(email=to))
    _, mail, problem = next((one for one in composed(to_you) if one[0].step == step), (None, None, None))
    if mail is None:
        found = problem or "no mail is at this step, or one before it cannot be written"
        raise StepNotFound(f"step {step} of {sequence!r}: {found}; see `activity sequence preview`")
    answer = asyncio.run(_send(rehearsal.box, mail))
    log.info("trial_sent", tenant_id=tenant, sequence=sequence, step=step, answer=answer)
    return answer


async def _send(box: Mailbox, mail: ComposedMail) -> str:
    connection = Connection(box)
    try:
        await connection.begin(mail)
        return await connection.end()
    except (ServerDown, Refused, Dropped, Undecided) as error:
        raise TrialFailed(f"the mail server did not accept it: {error}") from None
    finally:
        await connection.close()
