"""What a person does to a sequence's mails by hand. Each is recorded with who did it."""

from sqlalchemy.orm import Session

from activity.errors import ActivityError
from activity.validation import check_actor
from db.sequences import messages
from db.sequences.messages import SequenceMessage
from producers.sequences import events
from worker.emit import emit


class UnknownMailNotFound(ActivityError):
    """No mail with this Message-ID is in the state `unknown`."""


def settle(session: Session, tenant: int, message_id: str, *, sent: bool, by: str) -> SequenceMessage:
    """Record whether the mail server accepted a mail that became `unknown`; it is not sent again.

    `by` is the e-mail address of the person who found out. Raises InvalidEvent for another text, and
    UnknownMailNotFound.
    """
    check_actor(by)
    message = messages.settle(session, tenant, message_id, "sent" if sent else "skipped", f"settled by {by}")
    if message is None:
        raise UnknownMailNotFound(
            f"no mail {message_id} is unknown: `activity sequence status --unknown` lists those that are"
        )
    emit(session, events.settled(message, by))
    return message
