"""Proofs for others: of one event, and where the log stood when it was last signed."""

from typing import Annotated
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query, Response

from api.access.callers import Reader
from api.access.viewers import held_back, viewer_of
from api.http.encoding import answers, json_response
from api.http.problems import Problem
from db.engine import begin
from db.log import tree
from feed.proof import NotProvable, Proof, continues, prove
from feed.reading import visible

router = APIRouter(prefix="/v1", tags=["reading"])
_HEADERS = {"Cache-Control": "private, no-store"}


class SignedCheckpoint(msgspec.Struct):
    """The newest signed checkpoint of the log: a C2SP signed note.

    `consistency` proves that it continues the log's first `since` events (RFC 9162, section 2.1.4): hashes in
    hexadecimal, as docs/examples/verify_proof.py verifies them.
    """

    note: str
    consistency: list[str]


@router.get("/events/{event_id}/proof", responses=answers(Proof, 200, "The proof", 404))
def get_proof(caller: Reader, event_id: UUID) -> Response:
    """Return an event with its place in the log's tree and a signed checkpoint.

    docs/examples/verify_proof.py verifies it without access to the log.
    """
    viewer = viewer_of(caller)
    with begin("reader", caller.tenant) as session:
        seen = visible.get(session, caller.tenant, event_id, viewer)
        if seen is not None and seen.held_back:
            raise held_back()
        try:
            return json_response(prove(session, caller.tenant, event_id), 200, _HEADERS)
        except NotProvable as error:
            raise Problem("not-found", str(error)) from None


@router.get("/checkpoint", responses=answers(SignedCheckpoint, 200, "The checkpoint", 404))
def get_checkpoint(
    caller: Reader,
    since: Annotated[
        int,
        Query(ge=0, description="The size of an older checkpoint that this one is to be proved to continue."),
    ] = 0,
) -> Response:
    """Return the newest signed checkpoint of the log, with the proof that it continues an older one."""
    with begin("reader", caller.tenant) as session:
        note = tree.checkpoint(session, caller.tenant)
        if note is None:
            raise Problem("not-found", "this log has no signed checkpoint yet")
        try:
            path = continues(session, caller.tenant, note, since)
        except NotProvable as error:
            raise Problem("not-found", str(error)) from None
    return json_response(SignedCheckpoint(note, path), 200, _HEADERS)
