"""A log as a file: one JSON object a line, with all that its hashes cover, so that it can be verified where there is no database."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from uuid import UUID

import msgspec

from activity.chain import Link
from activity.errors import ActivityError
from db import audit
from db.engine import begin


class _Line(msgspec.Struct, forbid_unknown_fields=True):
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
    payload: msgspec.Raw  # the RFC 8785 text that was hashed; null after erasure
    salt: str | None  # hexadecimal, as the hashes
    payload_sha256: str
    hash: str


def export(tenant_id: int) -> Iterator[bytes]:
    """Yield a tenant's log as lines, read as a stream. For the role auditor."""
    with begin("auditor") as session:
        yield from map(_line, audit.chain(session, tenant_id))


def _line(link: Link) -> bytes:
    payload = msgspec.Raw(b"null" if link.payload is None else link.payload.encode())
    in_hex = {"salt": link.salt and link.salt.hex(), "payload_sha256": link.payload_sha256.hex(), "hash": link.hash.hex()}
    return msgspec.json.encode(_Line(**link._asdict() | in_hex | {"payload": payload})) + b"\n"


def links(lines: Iterable[bytes]) -> Iterator[Link]:
    """Yield the links of an exported log; raise ActivityError with the number of a line that is none."""
    decode = msgspec.json.Decoder(_Line).decode
    for number, text in enumerate(lines, 1):
        try:
            line = decode(text)
            salt = None if line.salt is None else bytes.fromhex(line.salt)
            hashes = {"salt": salt, "payload_sha256": bytes.fromhex(line.payload_sha256), "hash": bytes.fromhex(line.hash)}
            payload = None if bytes(line.payload) == b"null" else bytes(line.payload).decode()
        except (msgspec.DecodeError, ValueError) as error:
            raise ActivityError(f"line {number} is none that `activity export` wrote: {error}") from None
        yield Link(**msgspec.structs.asdict(line) | hashes | {"payload": payload})
