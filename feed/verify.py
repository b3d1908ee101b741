"""Verify that a log is whole.

Every number there, every hash as recomputed, every payload as recorded or named by an erasure, the head where
the chain ends, and nothing outside of it.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime

import msgspec

from activity.errors import ActivityError
from activity.proof.chain import GENESIS, Link, next_hash, payload_fits
from activity.proof.merkle import Edge, leaf
from activity.proof.note import SignedPlace, Verifier, opened
from db.log import audit
from feed.emptied import ERASURE, Emptied, ranges

_FAULTS_AT_MOST = 100  # of a log that is broken everywhere the beginning says enough

Progress = Callable[[int], object]


class Checkpoint(msgspec.Struct, frozen=True, omit_defaults=True):
    """A place in a log that was written down elsewhere: what even a superuser cannot take back."""

    tenant_id: int
    seq: int
    hash: str
    epoch: str | None = None
    made_at: datetime | None = None
    root: str | None = None

    @classmethod
    def of_note(cls, note: str, verifiers: Sequence[Verifier]) -> "Checkpoint":
        """Return what a signed checkpoint says. Raises InvalidNote unless one of these has signed it."""
        place = SignedPlace.read(opened(note, verifiers)[0])
        return cls(
            place.tenant_id(), place.size, place.chain.hex(), place.epoch, place.made_at, place.root.hex()
        )


class Report(msgspec.Struct):
    """What was found: no faults, and the log holds `events` events up to `seq`.

    `notes` say what is no fault, and what cannot be proved.
    """

    tenant_id: int
    events: int = 0
    erased: int = 0
    seq: int = 0
    hash: str = ""
    faults: list[str] = []
    notes: list[str] = []

    def fault(self, what: str) -> None:
        """Note a fault."""
        if len(self.faults) < _FAULTS_AT_MOST:
            self.faults.append(what)


def checkpoints(tenant_ids: Collection[int] | None = None) -> list[Checkpoint]:
    """Return a checkpoint of each log, or of those named, all of one moment. Raises UnknownLog."""
    with audit.snapshot() as session:
        found = {one.tenant_id: one for one in audit.footings(session)}
    now = datetime.now(UTC)
    places = [
        Checkpoint(one.tenant_id, one.seq, one.hash.hex(), one.epoch, now)
        for one in found.values()
        if one.hash is not None and (tenant_ids is None or one.tenant_id in tenant_ids)
    ]
    if missing := set(tenant_ids or ()) - {one.tenant_id for one in places}:
        raise UnknownLog(f"there is no workspace {min(missing)}: `activity tenant list` shows what there is")
    return places


class UnknownLog(ActivityError):
    """There is nothing of this workspace: no record of it, no log, no event, and no checkpoint."""


def verify(
    tenant_id: int,
    checkpoints: Sequence[Checkpoint] = (),
    since: Checkpoint | None = None,
    progress: Progress = lambda seq: None,
) -> Report:
    """Recompute a tenant's chain, the whole or what came `since` a checkpoint; return what is wrong with it.

    `progress` is told the number reached, now and then. Raises UnknownLog.
    """
    last = since or max(checkpoints, key=lambda one: one.seq, default=None)
    with audit.snapshot() as session:
        found = audit.footings(session, tenant_id)
        if not found:
            return _gone(tenant_id, last)
        [footing] = found
        links = audit.links(session, tenant_id, since.seq if since else 0, footing.end)
        report = check(tenant_id, links, checkpoints, since, progress)
    _check_footing(report, footing)
    _check_epoch(report, last, footing.epoch)
    return report


def _gone(tenant_id: int, checkpoint: Checkpoint | None) -> Report:
    if checkpoint is None:
        raise UnknownLog(f"there is no workspace {tenant_id}: `activity tenant list` shows what there is")
    report = Report(tenant_id)
    report.fault(f"the workspace is gone: the checkpoint saw seq {checkpoint.seq} of its log")
    return report


def _check_footing(report: Report, footing: audit.Footing) -> None:
    """Compare the chain's end with the head, and both with what else is stored of the workspace."""
    if not footing.has_workspace:
        report.fault("the workspace's own record is gone, its log is not")
    if footing.hash is None:
        report.fault("the log has no head")
    elif report.seq != footing.seq:
        report.fault(f"the head says seq {footing.seq}, the chain ends at {report.seq}")
    elif report.hash != footing.hash.hex():
        report.fault("the head has another hash than the chain's end")
    if footing.first is not None and footing.first < 1:
        report.fault(f"seq {footing.first} is before the first number: nothing appended it")
    if footing.last is not None and footing.last > footing.end:
        report.fault(f"seq {footing.last} is beyond the head, which is at {footing.seq}: nothing appended it")


def _check_epoch(report: Report, checkpoint: Checkpoint | None, epoch: str | None) -> None:
    if checkpoint is not None and checkpoint.epoch is not None and checkpoint.epoch != epoch:
        report.notes.append(
            "the epoch is another than the checkpoint's: the log was restored, or failed over"
        )


def check(
    tenant_id: int,
    links: Iterable[Link],
    checkpoints: Sequence[Checkpoint] = (),
    since: Checkpoint | None = None,
    progress: Progress = lambda seq: None,
) -> Report:
    """Recompute a chain, wherever its links come from, and return what is wrong with it."""
    checking = _Checking(tenant_id, since)
    known = _Known(checkpoints)
    for link in links:
        checking.add(link)
        if known.is_awaited:
            known.add(link, checking.report)
        if checking.report.events % 10_000 == 0:
            progress(link.header.seq)
    known.end(checking.report)
    return checking.ended(since)


class _Known:
    """Checkpoints of a log, each compared with the link where it was made and with the tree up to there."""

    def __init__(self, checkpoints: Sequence[Checkpoint]) -> None:
        self._awaited = sorted(checkpoints, key=lambda one: one.seq, reverse=True)
        self._edge = Edge() if any(one.root for one in checkpoints) else None
        self._agreed = 0

    @property
    def is_awaited(self) -> bool:
        """Return whether there are more."""
        return bool(self._awaited)

    def add(self, link: Link, report: Report) -> None:
        """Compare a link with the checkpoints that were made there."""
        if self._edge is not None:
            self._edge.add(leaf(link.hash))
        while self._awaited and self._awaited[-1].seq <= link.header.seq:
            self._compare(link, self._awaited.pop(), report)

    def _compare(self, link: Link, checkpoint: Checkpoint, report: Report) -> None:
        seq, root = checkpoint.seq, checkpoint.root
        if seq == link.header.seq and link.hash.hex() == checkpoint.hash:
            self._agreed = seq
            if self._edge is not None and root is not None and self._edge.root().hex() != root:
                report.fault(f"the tree up to seq {seq} has another root than the checkpoint")
        elif seq:
            report.fault(
                f"history was rewritten: seq {seq} has another hash than the checkpoint; "
                f"what was changed lies in seq {self._agreed + 1} to {seq}"
            )

    def end(self, report: Report) -> None:
        """Report the checkpoints that the log does not reach."""
        for one in self._awaited[:1]:
            if one.seq > report.seq:
                report.fault(f"the log was cut: the checkpoint saw seq {one.seq}, it ends at {report.seq}")


class _Checking:
    """How far a chain has been recomputed."""

    def __init__(self, tenant_id: int, since: Checkpoint | None) -> None:
        self.report = Report(tenant_id, seq=since.seq if since else 0)
        self._after = self.report.seq
        self._hash = bytes.fromhex(since.hash) if since else GENESIS
        self._recorded_us = 0
        self._emptied = Emptied()

    def add(self, link: Link) -> None:
        """Check the next link of the chain."""
        report, header = self.report, link.header
        seq, before = header.seq, report.seq
        if seq <= before:
            report.fault(f"seq {seq} stands behind seq {before}: it is not in its order")
            return
        if seq > before + 1:
            report.fault(f"gap: seq {before + 1} to {seq - 1} missing")
        elif link.hash != next_hash(self._hash, header) or header.tenant != report.tenant_id:
            report.fault(f"chain broken at seq {seq}: the event is not the one that was recorded")
        if not payload_fits(link):
            report.fault(f"payload of seq {seq} is not the one that was recorded")
        if header.recorded_us < self._recorded_us:
            report.fault(f"recorded_at runs backwards at seq {seq}")
        if link.payload is None:
            self._emptied.note(seq, header.contact)
            report.erased += 1
        elif header.type == ERASURE:
            for named in ranges(self._emptied.account(link, self._after)):
                report.fault(f"seq {seq} names seq {named} as erased, which has its content")
        report.events += 1
        report.seq, self._hash, self._recorded_us = seq, link.hash, header.recorded_us

    def ended(self, since: Checkpoint | None) -> Report:
        """Return the report once there are no more links."""
        report = self.report
        report.hash = self._hash.hex()
        for seqs in ranges(self._emptied.left()):
            report.fault(f"the content of seq {seqs} was taken out: no erasure on record names it")
        if self._emptied.unnamed:
            report.notes.append(
                f"{self._emptied.unnamed} events were emptied before revision 0030: their erasures name the "
                "contact and not the events, so that these and no others were erased is not provable"
            )
        return report
