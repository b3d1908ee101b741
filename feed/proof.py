"""One event with all that proves it to somebody who has no access to the log: docs/proof.md says how."""

from uuid import UUID

import msgspec
from sqlalchemy.orm import Session

from activity.errors import ActivityError
from activity.proof.chain import Header
from activity.proof.merkle import leaf, verify_inclusion
from activity.proof.note import SignedPlace
from db.log import proof, tree


class NotProvable(ActivityError):
    """There is no such event, or no signed checkpoint yet that holds it."""


class Proof(msgspec.Struct, tag_field="proof", tag="activity/1"):
    """An event, its place in the log's tree, and the signed checkpoint of that tree. Bytes are hexadecimal.

    `payload` is the text that was hashed with `salt`; both are null once the event was erased. `previous` is
    the hash of the event before; `path` leads from the event's leaf to the checkpoint's root.
    """

    event: Header
    payload: str | None
    salt: str | None
    previous: str
    path: list[str]
    checkpoint: str


def prove(session: Session, tenant_id: int, event_id: UUID) -> Proof:
    """Return the proof of an event, which holds. For the role reader. Raises NotProvable, ProofFailed."""
    found = proof.event(session, tenant_id, event_id)
    if found is None:
        raise NotProvable(f"this workspace has no event {event_id}")
    header = found.link.header
    note = tree.checkpoint(session, tenant_id, header.seq)
    if note is None:
        raise NotProvable(
            f"no signed checkpoint holds seq {header.seq} yet: ask again once the next one was made "
            "(ACTIVITY_CHECKPOINT_KEYS, ACTIVITY_CHECKPOINT_EVERY_S)"
        )
    place = SignedPlace.of_note(note)
    path = tree.tree(session, tenant_id).inclusion(header.seq - 1, place.size)
    verify_inclusion(leaf(found.link.hash), header.seq - 1, place.size, path, place.root)
    return Proof(
        event=header,
        payload=found.link.payload.decode() if found.link.payload is not None else None,
        salt=found.link.salt.hex() if found.link.salt is not None else None,
        previous=found.previous.hex(),
        path=[hash_.hex() for hash_ in path],
        checkpoint=note,
    )


def continues(session: Session, tenant_id: int, note: str, since: int) -> list[str]:
    """Return the proof that the log of this checkpoint continues its own first `since` events.

    In hexadecimal. For the role reader. Raises NotProvable where the checkpoint holds fewer.
    """
    size = SignedPlace.of_note(note).size
    if since > size:
        raise NotProvable(f"the newest checkpoint holds {size} events: ask again with since up to that")
    return [hash_.hex() for hash_ in tree.tree(session, tenant_id).consistency(since, size)]
