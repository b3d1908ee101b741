"""A log as a file that can be verified where there is no database.

The first line says what the file holds: whose log, up to which number and hash. Then one JSON object a line,
with all that the event's hash covers.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain, starmap
from typing import NamedTuple
from uuid import UUID

import msgspec

from activity.errors import ActivityError
from activity.proof.chain import Header, Link
from db.log import audit
from feed.verify import Checkpoint, Progress, Report, UnknownLog, check

_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Contents(msgspec.Struct, tag_field="export", tag="activity/1", forbid_unknown_fields=True):
    """What an export holds: a log from its first event to `seq`."""

    tenant_id: int
    seq: int
    hash: str
    epoch: str | None
    made_at: datetime


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    """An event: the payload as the very text that was hashed, what is bytes in base64."""

    tenant_id: int
    seq: int
    event_id: UUID
    type: str
    version: int
    occurred_at: datetime
    recorded_at: datetime
    actor: str
    source: str
    account_id: str | None
    contact_id: str | None
    record_type: str | None
    record_id: str | None
    cause_id: UUID | None
    payload: str | None
    salt: bytes | None
    payload_sha256: bytes
    hash: bytes


_contents = msgspec.json.Decoder(Contents).decode
_line = msgspec.json.Decoder(_Line).decode
_encode = msgspec.json.Encoder().encode


def export(tenant_id: int) -> Iterator[bytes]:
    """Yield a tenant's log as lines, read as a stream. For the role auditor. Raises UnknownLog."""
    with audit.snapshot() as session:
        footing = next(iter(audit.footings(session, tenant_id)), None)
        if footing is None or footing.hash is None:
            raise UnknownLog(f"there is no log of a workspace {tenant_id}")
        contents = Contents(tenant_id, footing.seq, footing.hash.hex(), footing.epoch, datetime.now(UTC))
        yield _encode(contents) + b"\n"
        for link in audit.links(session, tenant_id, 0, footing.seq):
            yield _encode(_line_of(link)) + b"\n"


def _line_of(link: Link) -> _Line:
    header = link.header
    return _Line(
        tenant_id=header.tenant,
        seq=header.seq,
        event_id=UUID(header.event_id),
        type=header.type,
        version=header.version,
        occurred_at=_UNIX_EPOCH + header.occurred_us * _MICROSECOND,
        recorded_at=_UNIX_EPOCH + header.recorded_us * _MICROSECOND,
        actor=header.actor,
        source=header.source,
        account_id=header.account,
        contact_id=header.contact,
        record_type=header.record_type,
        record_id=header.record_id,
        cause_id=UUID(header.cause) if header.cause else None,
        payload=link.payload.decode() if link.payload is not None else None,
        salt=link.salt,
        payload_sha256=bytes.fromhex(header.payload_sha256),
        hash=link.hash,
    )


def _link_of(line: _Line) -> Link:
    header = Header(
        account=line.account_id,
        actor=line.actor,
        cause=str(line.cause_id) if line.cause_id else None,
        contact=line.contact_id,
        event_id=str(line.event_id),
        occurred_us=(line.occurred_at - _UNIX_EPOCH) // _MICROSECOND,
        payload_sha256=line.payload_sha256.hex(),
        record_id=line.record_id,
        record_type=line.record_type,
        recorded_us=(line.recorded_at - _UNIX_EPOCH) // _MICROSECOND,
        seq=line.seq,
        source=line.source,
        tenant=line.tenant_id,
        type=line.type,
        v=1,
        version=line.version,
    )
    return Link(header, line.payload.encode() if line.payload is not None else None, line.salt, line.hash)


class Exported(NamedTuple):
    """An opened export: what it says that it holds, if it says so, and its events."""

    tenant_id: int
    contents: Contents | None
    links: Iterator[Link]


def opened(lines: Iterable[bytes]) -> Exported:
    """Return what an exported log holds. Raises ActivityError, its links too, where a line is none."""
    numbered = enumerate(lines, 1)
    first = next(numbered, None)
    if first is None:
        raise ActivityError("it is empty")
    try:
        contents = _contents(first[1])
    except msgspec.ValidationError:  # of a version that began with the first event
        link = _link(*first)
        return Exported(link.header.tenant, None, chain([link], starmap(_link, numbered)))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _not_exported(1, error) from None
    return Exported(contents.tenant_id, contents, starmap(_link, numbered))


def verify(exported: Exported, checkpoints: Sequence[Checkpoint], progress: Progress) -> Report:
    """Recompute an exported log's chain and return what is wrong with it."""
    report = check(exported.tenant_id, exported.links, checkpoints, progress=progress)
    contents = exported.contents
    if contents is None:
        report.notes.append("the file does not say what it holds: that nothing was cut off is not provable")
    elif (report.seq, report.hash) != (contents.seq, contents.hash):
        report.fault(
            f"the file says that it holds the log to seq {contents.seq}; it ends otherwise, at {report.seq}"
        )
    return report


def _link(number: int, line: bytes) -> Link:
    try:
        return _link_of(_line(line))
    except (msgspec.DecodeError, UnicodeDecodeError, TypeError, OverflowError) as error:
        raise _not_exported(number, error) from None


def _not_exported(number: int, error: Exception) -> ActivityError:
    return ActivityError(f"line {number} is none that `activity export` wrote: {error}")
