"""Enrol contacts in sequences, and see where each sequence stands."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query, Response
from msgspec import Meta
from sqlalchemy.orm import Session

from activity.errors import SettingMissing
from api.access.callers import Reader
from api.access.limits import Writer
from api.http.encoding import answers, body, json_response, takes
from api.http.problems import Problem
from db.engine import begin
from db.sequences import sequences
from db.sequences.sequences import SequenceNotFound, SequenceRow
from producers.sequences import ContactNotFound, enroll_many
from producers.sequences.rehearsal import preview

router = APIRouter(prefix="/v1", tags=["sequences"])

_PLAIN = r"^[^\x00-\x1f\x7f]*$"
Contact = Annotated[str, Meta(min_length=1, max_length=200, pattern=_PLAIN)]


class Enrolling(msgspec.Struct, forbid_unknown_fields=True):
    """Whom to enrol. With `refuse` nobody is enrolled if one of them is or was, or does not exist.

    Else those are left out.
    """

    contacts: Annotated[list[Contact], Meta(min_length=1, max_length=1000)]
    refuse: bool = False


class Enrolled(msgspec.Struct):
    """Who is newly enrolled, and who was left out."""

    enrolled: list[str]
    left_out: list[str]


class Count(msgspec.Struct):
    """How many enrolments or messages are in one state, for one reason.

    `next_at` is when the first of them is due.
    """

    kind: str
    state: str
    reason: str | None
    number: int
    next_at: datetime | None


class SequenceStanding(msgspec.Struct):
    """Where a sequence stands."""

    id: int
    name: str
    version: int
    paused: bool
    counts: list[Count]


class PreviewMail(msgspec.Struct):
    """One step's mail. `problem` is why it could not be sent; `warnings` are what a person should look at."""

    step: int
    variant: str
    subject: str
    text: str
    html: str | None
    problem: str | None
    warnings: Sequence[str]


class PreviewOut(msgspec.Struct):
    """What a contact would get. `refusal` is why nothing would be sent now."""

    contact: str
    recipient: str | None
    refusal: str | None
    mails: list[PreviewMail]


@router.post(
    "/sequences/{ref}/enrolments",
    status_code=201,
    responses=answers(Enrolled, 201, "Enrolled", 404, 409),
    openapi_extra=takes(Enrolling),
)
def enrol(ref: str, caller: Writer, wanted: Annotated[Enrolling, Depends(body(Enrolling))]) -> Response:
    """Enrol contacts in a sequence, named by id or name."""
    contacts = list(dict.fromkeys(wanted.contacts))
    with begin("producer", caller.tenant) as session:
        sequence = _find(session, caller.tenant, ref)
        made = [
            one.contact_id
            for one in enroll_many(session, caller.tenant, sequence.id, contacts, by=caller.actor)
        ]
        left_out = sorted(set(contacts) - set(made))
        if wanted.refuse and left_out:
            raise Problem(
                "conflict", f"enrolled before, or no contact: {', '.join(left_out[:10])}; nobody was enrolled"
            )
    return json_response(Enrolled(made, left_out), 201)


@router.get("/sequences/{ref}", responses=answers(SequenceStanding, 200, "Done", 404))
def standing(ref: str, caller: Reader) -> Response:
    """Say where a sequence stands: its enrolments and mails by state and reason."""
    with begin("reader", caller.tenant) as session:
        found = _find(session, caller.tenant, ref)
        counts = [Count(*row[1:]) for row in sequences.status(session, caller.tenant, found.id)]
    return json_response(SequenceStanding(found.id, found.name, found.version, found.paused, counts))


@router.get("/sequences/{ref}/preview", responses=answers(PreviewOut, 200, "Done", 404))
def preview_sequence(
    ref: str, caller: Reader, contact: Annotated[str, Query(min_length=1, max_length=200, pattern=_PLAIN)]
) -> Response:
    """Show a sequence's mails as a contact would get them now. Nothing is sent."""
    with begin("reader", caller.tenant) as session:
        sequence = _find(session, caller.tenant, ref)
        try:
            found = preview(session, caller.tenant, sequence.name, contact)
        except ContactNotFound as error:
            raise Problem("not-found", str(error)) from None
        except SettingMissing as error:
            raise Problem("unavailable", str(error)) from None
    mails = [PreviewMail(*mail) for mail in found.mails]
    return json_response(PreviewOut(found.contact, found.recipient, found.refusal, mails))


def _find(session: Session, tenant: int, ref: str) -> SequenceRow:
    try:
        return sequences.find(session, tenant, ref.replace("\0", ""))
    except SequenceNotFound as error:
        raise Problem("not-found", str(error)) from None
