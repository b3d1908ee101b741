"""Unisender Go: one event, or several by user; the body holds the MD5 of itself with the API key in the hash's place."""

import re
from typing import Any

from producers.mail import reading
from producers.mail.event import MailEvent, ReportKind
from producers.mail.webhooks.request import Check, Request, WebhookProvider
from producers.mail.webhooks.signatures import md5_hex, same

_KINDS: dict[str, ReportKind] = {
    "sent": "sent",
    "delivered": "delivered",
    "opened": "opened",
    "clicked": "clicked",
    "unsubscribed": "unsubscribed",
    "subscribed": "subscribed",
    "soft_bounced": "deferred",  # it is tried again, and ends as delivered or hard_bounced
    "hard_bounced": "bounced",
    "spam": "complained",
}
_AUTH = re.compile(rb'("auth"\s*:\s*")([0-9a-f]{32})(")')


def verify(request: Request, check: Check) -> bool:
    """Check the hash in the body."""
    found = list(_AUTH.finditer(request.body))
    if not found:
        return False
    match = found[-1]
    signed = request.body[: match.start(2)] + check.secret.encode() + request.body[match.end(2) :]
    return same(match[2].decode(), md5_hex(signed))


def parse(request: Request) -> list[MailEvent]:
    """Read the events of a request."""
    body = reading.object_of(reading.json_of(request.body))
    if "events_by_user" not in body:
        return [
            _event(body.get("event_name"), {name: value for name, value in body.items() if name != "auth"})
        ]
    events = [
        event
        for user in reading.objects_of(body["events_by_user"])
        for event in reading.objects_of(user.get("events"))
    ]
    return [_event(event.get("event_name"), reading.object_of(event.get("event_data"))) for event in events]


def _event(event_name: Any, item: Any) -> MailEvent:
    name = str(item.get("status") or event_name)
    kind: ReportKind = (
        reading.kind_of(_KINDS, name) if event_name == "transactional_email_status" else "unknown"
    )
    delivery = reading.object_of(item.get("delivery_info"))
    answer = reading.text(delivery.get("destination_response"))
    return MailEvent(
        kind=kind,
        name=name,
        identity=reading.identity(reading.digest(item)),
        recipient=reading.text(item.get("email")),
        message_id=reading.text(item.get("job_id")),
        occurred_at=reading.moment(item.get("event_time")),  # in UTC
        url=reading.text(item.get("url")),
        user_agent=reading.text(delivery.get("user_agent")),
        status=reading.status_of(answer),
        reason=answer or reading.text(delivery.get("delivery_status")) or reading.text(item.get("comment")),
        reject_reason={"bounced": "bounced", "deferred": "bounced", "complained": "spam"}.get(kind),
        bounce_type="hard" if kind == "bounced" else "unknown",
        metadata=reading.object_of(item.get("metadata")),
    )


PROVIDER = WebhookProvider(parse, verify, "the API key")
