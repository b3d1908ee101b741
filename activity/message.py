"""What travels on pub/sub: a tag, then the message's JSON. A message is believed for its tag alone.

Whoever can write to Redis can publish on any channel, and a copy of a deployment has the same workspaces,
numbers and epochs. The tag is an HMAC over channel and message, so a message of one workspace does not pass
on another's channel.
"""

import hashlib
import hmac
from collections.abc import Iterable

TAG = 64  # hexadecimal digits


def channel(deployment: str, tenant_id: int | str) -> str:
    """Return the name of a workspace's channel; of all channels for "*"."""
    return f"activity:{deployment}:{tenant_id}"


def signed(key: bytes, channel: str, body: str) -> bytes:
    """Return what is published: the tag, then the message."""
    encoded = body.encode()
    return _tag(key, channel, encoded) + encoded


def opened(keys: Iterable[bytes], channel: str, data: bytes) -> bytes | None:
    """Return the message, or None where none of the keys made its tag."""
    tag, body = data[:TAG], data[TAG:]
    if any(hmac.compare_digest(tag, _tag(key, channel, body)) for key in keys):
        return body
    return None


def _tag(key: bytes, channel: str, body: bytes) -> bytes:
    return hmac.new(key, channel.encode() + b"\0" + body, hashlib.sha256).hexdigest().encode()
