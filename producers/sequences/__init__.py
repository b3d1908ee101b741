"""Sequences: steps of mail, waits and tasks that a contact goes through once. `enrol` and `stop` are what others call."""

from producers.mail.enrollments import stop
from producers.sequences.enrol import AlreadyEnrolled, ContactUnknown, enrol, enrol_many

__all__ = ["AlreadyEnrolled", "ContactUnknown", "enrol", "enrol_many", "stop"]
