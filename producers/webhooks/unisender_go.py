"""Unisender Go: one event, or several by user; the body holds the MD5 of itself with the API key in the hash's place."""

import re
from typing import Any

from producers.webhooks import read
from producers.webhooks.event import Check, Kind, MailEvent, Provider, Request
from producers.webhooks.signatures import md5_hex, same

_KINDS: dict[str, Kind] = {
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
    body = read.object_of(read.json_of(request.body))
    if "events_by_user" not in body:
        return [_event(body.get("event_name"), {name: value for name, value in body.items() if name != "auth"})]
    events = [event for user in read.objects_of(body["events_by_user"]) for event in read.objects_of(user.get("events"))]
    return [_event(event.get("event_name"), read.object_of(event.get("event_data"))) for event in events]


def _event(event_name: Any, item: Any) -> MailEvent:
    name = str(item.get("status") or event_name)
    kind: Kind = read.kind_of(_KINDS, name) if event_name == "transactional_email_status" else "unknown"
    delivery = read.object_of(item.get("delivery_info"))
    answer = read.text(delivery.get("destination_response"))
    return MailEvent(
        kind=kind,
        name=name,
        identity=read.identity(read.digest(item)),
        recipient=read.text(item.get("email")),
        message_id=read.text(item.get("job_id")),
        occurred_at=read.moment(item.get("event_time")),  # in UTC
        url=read.text(item.get("url")),
        user_agent=read.text(delivery.get("user_agent")),
        status=read.status_of(answer),
        reason=answer or read.text(delivery.get("delivery_status")) or read.text(item.get("comment")),
        reject_reason={"bounced": "bounced", "deferred": "bounced", "complained": "spam"}.get(kind),
        bounce_type="hard" if kind == "bounced" else "unknown",
        metadata=read.object_of(item.get("metadata")),
    )


PROVIDER = Provider(parse, verify, "the API key")
