"""Verify that a log is whole.

Every number there, every hash as recomputed, every payload as recorded, the head where the chain ends.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import takewhile

import msgspec

from activity.chain import GENESIS, Link, next_hash, payload_fits
from db.engine import begin
from db.log import audit

_FAULTS_AT_MOST = 100  # of a log that is broken everywhere the beginning says enough


class Checkpoint(msgspec.Struct, frozen=True):
    """A place in a log that was written down elsewhere: what even a superuser cannot take back."""

    tenant_id: int
    seq: int
    hash: str


class Report(msgspec.Struct):
    """What was found: no faults, and the log holds `events` events up to `seq`."""

    tenant_id: int
    events: int = 0
    erased: int = 0
    seq: int = 0
    hash: str = ""
    faults: list[str] = []

    def fault(self, what: str) -> None:
        """Note a fault."""
        if len(self.faults) < _FAULTS_AT_MOST:
            self.faults.append(what)


def verify(
    tenant_id: int, checkpoint: Checkpoint | None = None, progress: Callable[[int], object] = lambda seq: None
) -> Report:
    """Recompute a tenant's whole chain and return what is wrong with it.

    `progress` is told the number reached, now and then.
    """
    with begin("auditor") as session:
        seq, stored_hash = audit.head(
            session, tenant_id
        )  # first: what is appended from here on is not judged by an older head
        links = takewhile(lambda link: link.seq <= seq, audit.chain(session, tenant_id))
        report = check(tenant_id, links, checkpoint, progress)
    if (report.seq, report.hash) != (seq, stored_hash.hex()):
        report.fault(
            f"the head says seq {seq}, the chain ends at {report.seq}"
            if report.seq != seq
            else "the head has another hash than the chain's end"
        )
    return report


def check(
    tenant_id: int,
    links: Iterable[Link],
    checkpoint: Checkpoint | None = None,
    progress: Callable[[int], object] = lambda seq: None,
) -> Report:
    """Recompute a chain, wherever its links come from, and return what is wrong with it."""
    report = Report(tenant_id)
    previous, last_recorded = GENESIS, datetime.min.replace(tzinfo=UTC)
    for link in links:
        _check(report, link, previous, last_recorded)
        previous, last_recorded = link.hash, link.recorded_at
        if checkpoint is not None and link.seq == checkpoint.seq and link.hash.hex() != checkpoint.hash:
            report.fault(f"history was rewritten: seq {link.seq} has another hash than the checkpoint")
        if report.events % 10_000 == 0:
            progress(link.seq)
    if checkpoint is not None and checkpoint.seq > report.seq:
        report.fault(f"the log was cut: the checkpoint saw seq {checkpoint.seq}, it ends at {report.seq}")
    report.hash = previous.hex()
    return report


def _check(report: Report, link: Link, previous: bytes, last_recorded: datetime) -> None:
    if link.seq != report.seq + 1:
        report.fault(f"gap: seq {report.seq + 1} to {link.seq - 1} missing")
    elif link.hash != next_hash(previous, link):
        report.fault(f"chain broken at seq {link.seq}: the event is not the one that was recorded")
    if not payload_fits(link):
        report.fault(f"payload of seq {link.seq} is not the one that was recorded")
    if link.recorded_at < last_recorded:
        report.fault(f"recorded_at runs backwards at seq {link.seq}")
    report.events += 1
    report.erased += link.payload is None
    report.seq = link.seq
