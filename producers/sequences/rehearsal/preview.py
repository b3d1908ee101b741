"""A sequence's mails to one contact, as they would go now. Nothing is sent, and nothing is recorded."""

from collections.abc import Iterator, Sequence
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import NamedTuple

from sqlalchemy.orm import Session

from activity.settings import settings
from db.mail import suppression
from db.records import records
from db.records.records import Account, Contact, ContactNotFound
from db.sequences import limits, sequences
from db.sequences.due import Due, Earlier
from db.sequences.limits import Mailbox
from db.sequences.sequences import SequenceRow
from producers.sequences import tracking
from producers.sequences.definition import EmailStep, SequenceDefinition, load
from producers.sequences.mail import ComposedMail, InvalidAddress, Outgoing, compose, message_id, thread_id
from producers.sequences.templates import InvalidTemplate
from producers.sequences.tracking import Target

_CLIPPED = 102_000  # bytes after which Gmail hides the rest of a mail


class MailPreview(NamedTuple):
    """One step's mail. `problem` is why it could not be sent; `warnings` are what a person should look at."""

    step: int
    variant: str
    subject: str = ""
    text: str = ""
    html: str | None = None
    problem: str | None = None
    warnings: Sequence[str] = ()


class SequencePreview(NamedTuple):
    """What a contact would get. `refusal` is why the gate would let nothing pass now."""

    contact: str
    recipient: str | None
    refusal: str | None
    mails: Sequence[MailPreview]


class Rehearsal(NamedTuple):
    """A sequence and a contact, with all that its mails are made of."""

    due: Due
    definition: SequenceDefinition
    box: Mailbox


def preview(session: Session, tenant: int, sequence: str, contact: str) -> SequencePreview:
    """Return a sequence's mails as a contact would get them.

    Raises SequenceNotFound, ContactNotFound, and SettingMissing without ACTIVITY_TRACKING_KEYS.
    """
    rehearsal = rehearse(session, tenant, sequence, contact)
    email, opt_in = rehearsal.due.email, rehearsal.definition.consent == "opt_in"
    refusal = (
        suppression.check(session, tenant, email).refusal(opt_in=opt_in) if email else "no e-mail address"
    )
    return SequencePreview(contact, email, refusal, list(_mails(rehearsal)))


def rehearse(session: Session, tenant: int, sequence: str, contact: str) -> Rehearsal:
    """Return what a sequence's mails to a contact are made of.

    Raises SequenceNotFound and ContactNotFound.
    """
    row = sequences.find(session, tenant, sequence)
    person = records.get(session, tenant, Contact, contact)
    if person is None:
        raise ContactNotFound(f"no contact {contact!r}: add it first")
    account = records.get(session, tenant, Account, person.account_id) if person.account_id else None
    box = limits.read_mailbox(session, row.mailbox_id)
    definition = load(sequences.definition(session, row.id, row.version))
    return Rehearsal(_due(tenant, row, person, account), definition, box)


def composed(rehearsal: Rehearsal) -> Iterator[tuple[Outgoing, ComposedMail | None, str | None]]:
    """Yield each step's mail as if those before it had been sent, or why it cannot be written.

    After one that cannot nothing follows: it ends the enrollment.
    """
    due, definition, box = rehearsal
    for number, step in enumerate(definition.steps, 1):
        if not isinstance(step, EmailStep):
            continue
        variant = step.variant(due.sequence_id, number, due.contact_id)
        ids = message_id(due.tenant_id, 0, number, box.address), thread_id(due.tenant_id, 0)
        out = Outgoing(due, definition, variant, number, 0, *ids)
        try:
            mail = compose(out, box)
        except (InvalidTemplate, InvalidAddress) as error:
            yield out, None, str(error)
            return
        yield out, mail, None
        due = due._replace(earlier=(*due.earlier, Earlier(number, "sent", out.message_id, mail.subject)))


def _mails(rehearsal: Rehearsal) -> Iterator[MailPreview]:
    for out, mail, problem in composed(rehearsal):
        yield MailPreview(out.step, out.variant.name, problem=problem) if mail is None else _shown(out, mail)


def _shown(out: Outgoing, mail: ComposedMail) -> MailPreview:
    message = message_from_bytes(mail.content, _class=EmailMessage, policy=default)
    bodies = (message.get_body((kind,)) for kind in ("plain", "html"))
    texts = [str(part.get_content()) for part in bodies if part is not None]
    shown = MailPreview(out.step, out.variant.name, mail.subject, *texts)
    return shown._replace(warnings=list(_warnings(out, mail, shown)))


def _warnings(out: Outgoing, mail: ComposedMail, shown: MailPreview) -> Iterator[str]:
    leave = tracking.link("u", Target(out.due.tenant_id, out.row_id))
    if any(leave not in text.replace("&amp;", "&") for text in (shown.text, shown.html) if text is not None):
        yield "no visible way out: put {{ unsubscribe_url }} into the text, and into the HTML"
    if not shown.subject:
        yield "the subject is empty"
    if len(mail.content) > _CLIPPED:
        yield f"the mail has {len(mail.content):,} bytes: Gmail hides what is after {_CLIPPED:,}"
    public = settings().required("public_url")
    if not public.startswith("https://"):
        yield f"ACTIVITY_PUBLIC_URL is {public}: one-click unsubscribing wants https"


def _due(tenant: int, row: SequenceRow, person: Contact, account: Account | None) -> Due:
    return Due(
        id=0,
        tenant_id=tenant,
        sequence_id=row.id,
        version=row.version,
        mailbox_id=row.mailbox_id,
        step=1,
        attempt=0,
        sent=0,
        fence=0,
        sequence=row.name,
        sequence_paused=row.paused,
        contact_id=person.id,
        contact_name=person.name or "",
        email=person.email,
        owner_email=person.owner_email,
        fields=person.fields,
        account_id=account.id if account else None,
        account_name=account.name if account else None,
        account_domain=account.domain if account else None,
        account_fields=account.fields if account else None,
        gone=False,
    )
