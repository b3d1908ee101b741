"""The hash chain, recomputed from the stored columns alone: what `activity verify` trusts, not the database.

payload_sha256 = sha256(salt || payload)          so that a payload can be erased and the chain still holds
hash           = sha256(previous hash || header)  header: RFC 8785 of all but the payload, and of its digest
"""

from hashlib import sha256
from typing import NamedTuple

import msgspec

GENESIS = sha256(b"activity/v1").digest()


class Header(msgspec.Struct, frozen=True, gc=False):
    """What an event's hash covers. RFC 8785 sorts the names: these are in that order."""

    account: str | None
    actor: str
    cause: str | None
    contact: str | None
    event_id: str
    occurred_us: int
    payload_sha256: str
    record_id: str | None
    record_type: str | None
    recorded_us: int
    seq: int
    source: str
    tenant: int
    type: str
    v: int
    version: int


class Link(NamedTuple):
    """One stored event, as the chain sees it; an erased one has neither payload nor salt."""

    header: Header
    payload: bytes | None
    salt: bytes | None
    hash: bytes


header_text = msgspec.json.Encoder().encode


def next_hash(previous: bytes, header: Header) -> bytes:
    """Return the hash that an event must have after `previous`."""
    return sha256(previous + header_text(header)).digest()


def payload_fits(link: Link) -> bool:
    """Return whether a payload is the one that was recorded; of an erased one only the digest is left."""
    if link.payload is None or link.salt is None:
        return link.payload is None and link.salt is None
    return sha256(link.salt + link.payload).hexdigest() == link.header.payload_sha256
