"""Signed checkpoints of each log, made as it grows and written out of the reach of the database's host."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy.orm import Session

from activity.proof.merkle import ProofFailed, Tree, verify_consistency
from activity.proof.note import InvalidNote, Signature, SignedPlace, Signer, Verifier, opened, signed
from activity.settings import settings
from db.engine import begin
from db.log import tree
from producers.http import OutboundFailed, send

log = structlog.get_logger()

_AT_ONCE = 50  # logs in one round


def signers(tenant_id: int) -> list[Signer]:
    """Return who signs the checkpoints of a log: a key's name and the workspace's id name the log.

    Raises InvalidNote for a key that is none.
    """
    return [Signer(f"{one.name}/{tenant_id}", one.seed) for one in map(Signer.read, _keys())]


def _keys() -> list[str]:
    keys = settings().checkpoint_keys
    return [line for line in keys.get_secret_value().split(",") if line.strip()] if keys else []


def verifiers(tenant_id: int) -> list[Verifier]:
    """Return by which keys the checkpoints of a log are verified."""
    return [signer.verifier() for signer in signers(tenant_id)]


def is_due() -> bool:
    """Return whether a log needs a checkpoint."""
    if not _keys():
        return False
    with begin("writer") as session:
        return bool(tree.due(session, _before(), 1))


def make_due() -> str:
    """Make the checkpoints that are due, each in a transaction of its own; return a line for operators."""
    if not _keys():
        return "no keys"
    with begin("writer") as session:
        found = tree.due(session, _before(), _AT_ONCE)
    made = [one.tenant_id for one in found if _make(one)]
    return f"{len(made)} checkpoints"


def _before() -> datetime:
    return datetime.now(UTC) - timedelta(seconds=settings().checkpoint_every_s)


def _make(due: tree.GrownLog) -> bool:
    try:
        with begin("writer") as session:
            note = make(session, due)
            new = tree.keep(session, due.tenant_id, due.seq, note)
    except ProofFailed as error:
        log.error("checkpoint_failed", tenant_id=due.tenant_id, error=str(error))
        return False
    if new:
        ship(due.tenant_id, due.seq, note)
        log.info("checkpoint_made", tenant_id=due.tenant_id, size=due.seq)
    return new


def make(session: Session, due: tree.GrownLog) -> str:
    """Return the signed checkpoint of a log where it stands, the tree grown to there. For the role writer.

    Raises ProofFailed where the log does not continue the one that the last checkpoint is of: what was signed
    once is never contradicted by a later signature of ours.
    """
    tree.grow(session, due.tenant_id, due.seq)
    grown = tree.tree(session, due.tenant_id)
    root = grown.root(due.seq)
    _check_continues(session, due, grown, root)
    by = signers(due.tenant_id)
    place = SignedPlace(by[0].name, due.seq, root, due.hash, due.epoch, datetime.now(UTC))
    return signed(place.text(), by)


def _check_continues(session: Session, due: tree.GrownLog, grown: Tree, root: bytes) -> None:
    note = tree.checkpoint(session, due.tenant_id)
    last = SignedPlace.of_note(note) if note else None
    if last is None or last.epoch != due.epoch:  # a restored log begins anew, and its notes say so
        return
    path = grown.consistency(last.size, due.seq)
    try:
        verify_consistency(last.size, due.seq, last.root, root, path)
    except ProofFailed as error:
        raise ProofFailed(
            f"the log does not continue its checkpoint at {last.size} ({error}): `activity verify` locates it"
        ) from None


def take_witnessed(note: str, witnesses: Sequence[Verifier]) -> list[Signature]:
    """Keep what witnesses signed beside us under a checkpoint; return whose signatures are new there.

    Raises InvalidNote where it is none of our checkpoints, or none of the witnesses has signed it.
    """
    text, found = opened(note, witnesses)
    place = SignedPlace.read(text)
    tenant_id = place.tenant_id()
    with begin("writer") as session:
        stored = tree.checkpoint_of(session, tenant_id, place.size)
        if stored is None or not stored.startswith(f"{text}\n"):
            raise InvalidNote(f"no checkpoint of workspace {tenant_id} at {place.size} has this text")
        fresh = [line for line in note[len(text) + 1 :].splitlines(keepends=True) if line not in stored]
        tree.witnessed(session, tenant_id, place.size, stored + "".join(fresh))
    ship(tenant_id, place.size, stored + "".join(fresh))
    return found


def ship(tenant_id: int, size: int, note: str) -> None:
    """Send a checkpoint to ACTIVITY_CHECKPOINT_DIR and ACTIVITY_CHECKPOINT_URL; a failure is logged.

    The next checkpoint covers what this one did.
    """
    folder, url = settings().checkpoint_dir, settings().checkpoint_url
    try:
        if folder is not None:
            _write(folder / str(tenant_id) / f"{size}.note", note)
    except OSError as error:
        log.error("checkpoint_not_shipped", tenant_id=tenant_id, size=size, error=error.strerror)
    try:
        if url is not None:
            _post(url.get_secret_value(), note)
    except OutboundFailed as error:
        log.error("checkpoint_not_shipped", tenant_id=tenant_id, size=size, error=str(error))


def _post(url: str, note: str) -> None:
    answer = send("POST", url, content=note.encode(), headers={"Content-Type": "text/plain; charset=utf-8"})
    if not 200 <= answer.status < 300:
        raise OutboundFailed(f"it answered {answer.status}")


def _write(path: Path, note: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    with unfinished.open("w") as file:
        file.write(note)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
