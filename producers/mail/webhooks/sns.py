"""Amazon SNS: signed messages and subscriptions.

The certificate is one that only Amazon's hosts serve; a subscription is confirmed at an address that we make.
"""

import base64
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from activity.settings import settings
from producers import http
from producers.mail import reading
from producers.mail.webhooks.request import Check, InvalidProof, Request
from producers.mail.webhooks.signatures import fresh

ANY_TOPIC = "any-topic"

_HOST = re.compile(r"sns\.[a-z0-9-]{3,30}\.amazonaws\.com(\.cn)?")
_FILE = re.compile(r"/[A-Za-z0-9_-]{1,100}\.pem")
_TOPIC = re.compile(r"arn:aws(-cn|-us-gov)?:sns:([a-z0-9-]{3,30}):\d{4,20}:[A-Za-z0-9_.-]{1,256}")
_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_HASHES: Mapping[str, hashes.HashAlgorithm] = {"1": hashes.SHA1(), "2": hashes.SHA256()}  # noqa: S303  # what version 1 is


def verify(request: Request, check: Check) -> bool:
    """Check the topic, the age and the signature of an SNS message."""
    message = reading.object_of(reading.json_of(request.body))
    if check.secret != ANY_TOPIC and message.get("TopicArn") != check.secret:
        return False
    stamp = reading.moment(message.get("Timestamp"))
    hash_ = _HASHES.get(str(message.get("SignatureVersion")))
    if hash_ is None or stamp is None or not fresh(str(stamp.timestamp()), check):
        return False  # before anything is fetched for it
    key = _key(str(message.get("SigningCertURL") or message.get("SigningCertUrl") or ""), check.now)
    if key is None:
        return False
    try:
        key.verify(
            base64.b64decode(str(message.get("Signature")), validate=True),
            _signed(message),
            padding.PKCS1v15(),
            hash_,
        )
    except (InvalidSignature, ValueError):
        return False
    return True


def _signed(message: Mapping[str, object]) -> bytes:
    names = _NOTIFICATION if message.get("Type") == "Notification" else _CONFIRMATION
    return "".join(
        f"{name}\n{message[name]}\n" for name in names if isinstance(message.get(name), str)
    ).encode()


def _key(url: str, now: float) -> rsa.RSAPublicKey | None:
    """Return the key of the certificate at an address of SNS.

    None where the address or the certificate is not theirs.
    """
    if not is_certificate_url(url):
        return None
    certificate, pinned = _certificate(url, str(settings().sns_certificates or ""))
    at = datetime.fromtimestamp(now, UTC)
    if not pinned and not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        return None
    key = certificate.public_key()
    return key if isinstance(key, rsa.RSAPublicKey) else None


def is_certificate_url(url: str) -> bool:
    """Say whether an address is that of an SNS certificate.

    Https, a host of SNS, a .pem at its root, and nothing else.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    plain = url == f"https://{parts.netloc}{parts.path}"
    return plain and bool(_HOST.fullmatch(parts.netloc)) and bool(_FILE.fullmatch(parts.path))


@lru_cache(16)
def _certificate(url: str, pinned_in: str) -> tuple[x509.Certificate, bool]:
    """Return the certificate and whether an operator put it there.

    Raises OutboundFailed where SNS cannot be reached: it tries again.
    """
    try:
        if pinned_in and (file := Path(pinned_in) / Path(urlsplit(url).path).name).is_file():
            return x509.load_pem_x509_certificate(file.read_bytes()), True
        answer = http.send("GET", url, max_bytes=100_000, redirects=0, timeout_s=5)
        return x509.load_pem_x509_certificate(answer.body), False
    except ValueError:
        raise InvalidProof("what SNS serves as its certificate is none") from None


def confirmation(request: Request) -> str | None:
    """Return the address that confirms the subscription a verified message offers.

    Made of its topic and token, not the one in it.
    """
    message = reading.object_of(reading.json_of(request.body))
    topic, token = str(message.get("TopicArn")), str(message.get("Token"))
    match = _TOPIC.fullmatch(topic)
    if (
        message.get("Type") != "SubscriptionConfirmation"
        or match is None
        or not re.fullmatch(r"[0-9a-fA-F]{16,1024}", token)
    ):
        return None
    host = f"sns.{match[2]}.amazonaws.com" + (".cn" if match[1] == "-cn" else "")
    return f"https://{host}/?" + urlencode(
        {"Action": "ConfirmSubscription", "TopicArn": topic, "Token": token}
    )
