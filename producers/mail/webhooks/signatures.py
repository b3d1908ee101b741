"""The proofs that providers give, each compared in constant time."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from hmac import compare_digest

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from producers.mail.webhooks.request import Check, Request


def same(given: str | None, right: str) -> bool:
    """Compare in constant time."""
    return given is not None and compare_digest(given.encode(), right.encode())


def fresh(stamp: str | None, check: Check) -> bool:
    """Say whether a request's own time, in seconds or milliseconds, is within the tolerance of the clock."""
    try:
        seconds = float(stamp or "")
    except ValueError:
        return False
    seconds = seconds / 1000 if seconds >= 10**11 else seconds
    return check.tolerance_s == 0 or abs(check.now - seconds) <= check.tolerance_s


def hmac_hex(secret: str, message: bytes, algorithm: str = "sha256") -> str:
    """Return the HMAC in hexadecimal."""
    return hmac.new(secret.encode(), message, algorithm).hexdigest()


def hmac_base64(secret: bytes, message: bytes, algorithm: str = "sha256") -> str:
    """Return the HMAC in base64."""
    return base64.b64encode(hmac.new(secret, message, algorithm).digest()).decode()


def hmac_body(header: str, *, prefix: str = "") -> Callable[[Request, Check], bool]:
    """Return the check of a header that holds the hexadecimal HMAC-SHA256 of the body."""

    def verify(request: Request, check: Check) -> bool:
        return same(
            request.headers.get(header, "").removeprefix(prefix).lower() or None,
            hmac_hex(check.secret, request.body),
        )

    return verify


def md5_hex(message: bytes) -> str:
    """Return the MD5 in hexadecimal: one provider knows no better."""
    return hashlib.md5(message, usedforsecurity=False).hexdigest()


def standard_webhooks(request: Request, check: Check) -> bool:
    """Check the headers of Standard Webhooks (webhook-*) or of Svix (svix-*).

    object of the v1 signatures may be right.
    """
    for prefix in ("webhook", "svix"):
        identifier, stamp, given = (
            request.headers.get(f"{prefix}-{name}") for name in ("id", "timestamp", "signature")
        )
        if identifier and stamp and given:
            key = _decoded(check.secret.removeprefix("whsec_"))
            right = hmac_base64(key, f"{identifier}.{stamp}.".encode() + request.body)
            found = [same(one.removeprefix("v1,"), right) for one in given.split() if one.startswith("v1,")]
            return bool(key) and fresh(stamp, check) and any(found)
    return False


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


def public_key_verifies(key: str, signature: str | None, message: bytes, hash_: hashes.HashAlgorithm) -> bool:
    """Check a base64 signature by a public key given as PEM, or as the base64 of its DER.

    RSA (PKCS #1) or ECDSA.
    """
    der = b"" if "-----" in key else _decoded("".join(key.split()))
    try:
        public = (
            serialization.load_pem_public_key(key.encode())
            if "-----" in key
            else serialization.load_der_public_key(der)
        )
        proof = base64.b64decode(signature or "", validate=True)
        if isinstance(public, ec.EllipticCurvePublicKey):
            public.verify(proof, message, ec.ECDSA(hash_))
        elif isinstance(public, rsa.RSAPublicKey):
            public.verify(proof, message, padding.PKCS1v15(), hash_)
        else:
            return False
    except (InvalidSignature, ValueError):
        return False
    return True


def credentials(request: Request, secret: str) -> bool:
    """Check what a provider that signs nothing was told to send.

    `basic:USER:PASSWORD`, or `header:NAME:VALUE`.
    """
    form, _, rest = secret.partition(":")
    if form == "basic":
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "basic" and same(given.strip(), base64.b64encode(rest.encode()).decode())
    name, _, value = rest.partition(":")
    return bool(value) and same(request.headers.get(name.strip().lower()), value.strip())
