"""Sequences: steps of mail, waits and tasks that a contact goes through once.

`enroll` and `stop` are what others call.
"""

from db.records.records import ContactNotFound
from producers.mail.enrollments import stop
from producers.sequences.enroll import EnrollmentConflict, enroll, enroll_many

__all__ = ["ContactNotFound", "EnrollmentConflict", "enroll", "enroll_many", "stop"]
