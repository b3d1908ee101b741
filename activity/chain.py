"""The hash chain, recomputed from the stored columns alone: what `activity verify` trusts, not the database.

payload_sha256 = sha256(salt || payload)          so that a payload can be erased and the chain still holds
hash           = sha256(previous hash || header)  header: RFC 8785 of all but the payload, and of its digest
"""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

import msgspec

GENESIS = sha256(b"activity/v1").digest()
_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_encode = msgspec.json.Encoder(order="sorted").encode


class Link(NamedTuple):
    """One stored event, as the chain sees it."""

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


def header(link: Link) -> bytes:
    """Return the text that an event's hash covers."""
    return _encode(
        {
            "account": link.account_id,
            "actor": link.actor,
            "cause": link.cause_id,
            "contact": link.contact_id,
            "event_id": link.event_id,
            "occurred_us": (link.occurred_at - _UNIX_EPOCH) // _MICROSECOND,
            "payload_sha256": link.payload_sha256.hex(),
            "record_id": link.record_id,
            "record_type": link.record_type,
            "recorded_us": (link.recorded_at - _UNIX_EPOCH) // _MICROSECOND,
            "seq": link.seq,
            "source": link.source,
            "tenant": link.tenant_id,
            "type": link.type,
            "v": 1,
            "version": link.version,
        }
    )


def next_hash(previous: bytes, link: Link) -> bytes:
    """Return the hash that an event must have after `previous`."""
    return sha256(previous + header(link)).digest()


def payload_fits(link: Link) -> bool:
    """Return whether a payload is the one that was recorded; of an erased one only the digest is left."""
    if link.payload is None or link.salt is None:
        return link.payload is None and link.salt is None
    return sha256(link.salt + link.payload.encode()).digest() == link.payload_sha256
