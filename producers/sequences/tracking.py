"""Signed tokens in the links of a mail: what was opened, which link was followed, who unsubscribes.

A token is `<key id>.<target>.<signature>`. It carries its target, so that a link is never an open redirect:
only targets that we signed are followed. Keys rotate: the first of ACTIVITY_TRACKING_KEYS signs, all of them
verify.
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import lru_cache
from ipaddress import ip_address
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

import msgspec

from activity.errors import ActivityError, SettingMissing
from activity.settings import settings

LONGEST_URL = 2000  # longer ones are left as they are: a token must fit where links are cut
_LONGEST_TOKEN = 6000
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,16}")
_SIGNATURE_BYTES = 16  # 128 bits are beyond guessing, and links stay short

TokenKind = Literal["o", "c", "u"]  # opened, clicked, unsubscribe


class InvalidTrackingToken(ActivityError):
    """A link that was not signed here, or whose key is no longer known."""


class Target(NamedTuple):
    """What a token is about: the e-mail by tenant and row id, and for a click where it leads."""

    tenant: int
    message: int
    url: str = ""


@lru_cache(maxsize=4)
def _keys(setting: str) -> dict[str, bytes]:
    """Return the keys by id, the one that signs first."""
    found = dict(part.strip().split(":", 1) for part in setting.split(",") if ":" in part)
    if not found or not all(_KEY_ID.fullmatch(name) and len(key) >= 16 for name, key in found.items()):
        raise SettingMissing(
            "ACTIVITY_TRACKING_KEYS is not usable: "
            "write id:secret,id:secret, with 16 characters or more in a secret"
        )
    return {name: key.encode() for name, key in found.items()}


def sign(kind: TokenKind, target: Target) -> str:
    """Return the token of a target. Raises SettingMissing without a key."""
    name, key = next(iter(_keys(settings().required("tracking_keys")).items()))
    text = _text(msgspec.msgpack.encode(target if target.url else target[:2]))
    return f"{name}.{text}.{_signature(key, kind, text)}"


def verify(kind: TokenKind, token: str) -> Target:
    """Return a token's target. Raises InvalidTrackingToken unless `sign` made the token for this kind."""
    parts = token.split(".") if len(token) <= _LONGEST_TOKEN and token.isascii() else []
    key = _keys(settings().required("tracking_keys")).get(parts[0]) if len(parts) == 3 else None
    if key is None or not hmac.compare_digest(_signature(key, kind, parts[1]), parts[2]):
        raise InvalidTrackingToken("this link was not signed here, or it is too old")
    tenant, message, *url = msgspec.msgpack.decode(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    return Target(tenant, message, *url)


def trackable(url: str) -> bool:
    """Return whether a link may be rewritten: a short enough web address without control characters."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return (
        parts.scheme.lower() in ("http", "https")
        and bool(parts.netloc)
        and len(url.encode(errors="replace")) <= LONGEST_URL
        and url.isprintable()
        and " " not in url
    )


def link(kind: TokenKind, target: Target) -> str:
    """Return the public address of a token."""
    path = "u" if kind == "u" else f"t/{kind}"
    return f"{settings().required('public_url').rstrip('/')}/{path}/{sign(kind, target)}"


def check_reachable(mail_server: str) -> None:
    """Raise ActivityError where whoever gets mail through this server could not follow its links.

    An unsubscribe link on loopback leads its reader to his own machine. A server on this machine, or named
    without a dot as in a network of containers, may be one that keeps the mails here.
    """
    public = settings().required("public_url")
    if _is_here(urlsplit(public).hostname or "") and "." in mail_server and not _is_here(mail_server):
        raise ActivityError(
            f"ACTIVITY_PUBLIC_URL is {public}, where no recipient of {mail_server} can unsubscribe: "
            "set it to the address at which the internet reaches the API"
        )


def _is_here(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback or ip_address(host).is_unspecified
    except ValueError:
        return False


def _signature(key: bytes, kind: TokenKind, text: str) -> str:
    return _text(hmac.digest(key, f"{kind}.{text}".encode(), hashlib.sha256)[:_SIGNATURE_BYTES])


def _text(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()
