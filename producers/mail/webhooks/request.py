"""A provider's request, what its signature is checked against, and how one provider signs and reports."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from activity.errors import ActivityError
from producers.mail.event import MailEvent


class InvalidProof(ActivityError):
    """A request whose signature, credentials or age do not prove that the provider sent it.

    Nothing is stored.
    """


class InvalidReport(ActivityError):
    """A request that is authentic and not in the provider's format: nothing of it can be stored."""


class Request(NamedTuple):
    """A request as it came.

    Lower-cased header names, the raw body, and the address that the provider called.
    """

    headers: Mapping[str, str]
    body: bytes
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What a signature is checked against: a secret, the clock and the address entered at the provider.

    `tolerance_s` is how old a request may be, in seconds; 0 is any age.
    """

    secret: str
    now: float
    tolerance_s: int = 300
    url: str = ""


Verify = Callable[[Request, Check], bool]
Parse = Callable[[Request], list[MailEvent]]


@dataclass(frozen=True, slots=True)
class WebhookProvider:
    """How one provider signs and reports; `secret` describes its signing secret to people.

    `verify` is None where it signs nothing: it then needs credentials in the URL or a header.
    """

    parse: Parse
    verify: Verify | None
    secret: str
