"""What every report is read into, whether a provider sent it or it came by mail."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

ReportKind = Literal[
    "queued", "sent", "delivered", "deferred", "opened", "clicked", "bounced", "rejected", "complained",
    "unsubscribed", "subscribed", "failed", "autoresponded", "replied", "read", "received", "unknown",
]  # fmt: skip
BounceType = Literal["hard", "soft", "unknown"]

TYPES: Mapping[ReportKind, str] = {
    "queued": "email.sent",
    "sent": "email.sent",
    "delivered": "email.delivered",
    "deferred": "email.deferred",
    "opened": "email.opened",
    "clicked": "email.clicked",
    "bounced": "email.bounced",
    "rejected": "email.rejected",
    "failed": "email.rejected",
    "complained": "email.complained",
    "unsubscribed": "email.unsubscribed",
    "subscribed": "email.subscribed",
    "autoresponded": "email.auto_replied",
    "replied": "email.replied",
    "read": "email.opened",
    "received": "email.received",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MailEvent:
    """One thing that happened to one mail to one recipient.

    `name` is the provider's own word for it. `message_id` is what the provider calls the mail, `header_id`
    its Message-ID header where the report holds it. `identity` is what makes the event itself and no other:
    the same in every repeat, and with no arrival time in it. `request_id` is of the request that brought it,
    where the provider gives it one of its own. `machine` is the provider's own verdict. `type` is one of the
    catalogue, where it does not follow from the kind; `references` are earlier mails of the thread, the
    nearest first; `extra` are the fields that only a reply has.
    """

    kind: ReportKind
    name: str
    identity: str
    recipient: str | None = None
    message_id: str | None = None
    header_id: str | None = None
    event_id: str | None = None
    request_id: str | None = None
    occurred_at: datetime | None = None
    url: str | None = None
    user_agent: str | None = None
    machine: bool | None = None
    status: str | None = None
    reason: str | None = None
    reject_reason: str | None = None
    bounce_type: BounceType = "unknown"
    type: str | None = None
    subject: str | None = None
    method: str | None = None
    feedback_type: str | None = None
    references: tuple[str, ...] = ()
    extra: Mapping[str, object] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, object] = field(default_factory=dict)

    @property
    def event_type(self) -> str:
        """The type of the event that this report makes."""
        return self.type or TYPES[self.kind]
