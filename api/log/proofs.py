"""Proofs for others: of one event, and where the log stood when it was last signed."""

from uuid import UUID

import msgspec
from fastapi import APIRouter, Response

from api.access.callers import Reader
from api.access.viewers import held_back, viewer_of
from api.http.encoding import answers, json_response
from api.http.problems import Problem
from db.engine import begin
from db.log import tree
from feed.proof import NotProvable, Proof, prove
from feed.reading import visible

router = APIRouter(prefix="/v1", tags=["reading"])
_HEADERS = {"Cache-Control": "private, no-store"}


class SignedCheckpoint(msgspec.Struct):
    """The newest signed checkpoint of the log: a C2SP signed note."""

    note: str


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
def get_checkpoint(caller: Reader) -> Response:
    """Return the newest signed checkpoint of the log."""
    with begin("reader", caller.tenant) as session:
        note = tree.checkpoint(session, caller.tenant)
    if note is None:
        raise Problem("not-found", "this log has no signed checkpoint yet")
    return json_response(SignedCheckpoint(note), 200, _HEADERS)
