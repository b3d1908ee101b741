"""What every provider's report is read into, and the request it is read from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple

from activity.errors import ActivityError

Kind = Literal[
    "queued", "sent", "delivered", "deferred", "opened", "clicked", "bounced", "rejected", "complained",
    "unsubscribed", "subscribed", "failed", "autoresponded", "replied", "read", "received", "unknown",
]  # fmt: skip


class Forged(ActivityError):
    """A request whose signature, credentials or age do not prove that the provider sent it: answer 401 and keep nothing."""


class Unreadable(ActivityError):
    """A request that is authentic and not in the provider's format: nothing can be stored of it."""


class Request(NamedTuple):
    """A request as it came: header names in small letters, the body's very bytes, and the address that the provider called."""

    headers: Mapping[str, str]
    body: bytes
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailEvent:
    """One thing that happened to one mail to one recipient.

    `name` is the provider's own word for it. `message_id` is what the provider calls the mail, `header_id` its Message-ID header where the
    report holds it. `identity` is what makes the event itself and no other: the same in every repeat, and with no arrival time in it.
    `machine` is the provider's own verdict.
    """

    kind: Kind
    name: str
    identity: str
    recipient: str | None = None
    message_id: str | None = None
    header_id: str | None = None
    event_id: str | None = None
    request_id: str | None = (
        None  # of the request that brought it, where the provider gives it one of its own
    )
    occurred_at: datetime | None = None
    url: str | None = None
    user_agent: str | None = None
    machine: bool | None = None
    status: str | None = None
    reason: str | None = None
    reject_reason: str | None = None
    bounce_type: Literal["hard", "soft", "unknown"] = "unknown"
    type: str | None = None  # of the catalogue, where it does not follow from the kind
    subject: str | None = None
    method: str | None = None
    feedback_type: str | None = None
    references: tuple[str, ...] = ()  # earlier mails of the thread, the nearest first
    extra: Mapping[str, Any] = field(default_factory=dict)  # fields of a reply
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What a signature is checked against: a secret, the clock, the allowed age (0: any) and the address entered at the provider."""

    secret: str
    now: float
    tolerance_s: int = 300
    url: str = ""


Verify = Callable[[Request, Check], bool]
Parse = Callable[[Request], list[MailEvent]]


@dataclass(frozen=True, slots=True)
class Provider:
    """How one provider signs and reports. `verify` is None where it signs nothing: it then needs credentials in the URL or a header."""

    parse: Parse
    verify: Verify | None
    secret: str  # what the signing secret is, for people
