"""What would be sent, seen before it goes: a sequence's mails to a contact, and a trial of one."""

from producers.sequences.rehearsal.domain import DomainFinding, check_domain
from producers.sequences.rehearsal.preview import MailPreview, SequencePreview, preview
from producers.sequences.rehearsal.trial import StepNotFound, send_trial

__all__ = [
    "DomainFinding",
    "MailPreview",
    "SequencePreview",
    "StepNotFound",
    "check_domain",
    "preview",
    "send_trial",
]
