"""Unisender Go: one event, or several by user.

The body holds the MD5 of itself with the API key in the hash's place.
"""

import re
from collections.abc import Mapping

from producers.mail import reading
from producers.mail.event import MailEvent, ReportKind
from producers.mail.webhooks.fields import Fields, bounce_type, mail_event, text_at
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
_FIELDS: Fields = {
    "recipient": "email",
    "message_id": "job_id",
    "occurred_at": "event_time",  # in UTC
    "url": "url",
    "user_agent": "delivery_info/user_agent",
    "reason": ("delivery_info/destination_response", "delivery_info/delivery_status", "comment"),
    "metadata": "metadata",
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
        return [_event(body.get("event_name"), reading.pick(body, ("auth",)))]
    users = reading.objects_of(body["events_by_user"])
    events = [event for user in users for event in reading.objects_of(user.get("events"))]
    return [_event(event.get("event_name"), reading.object_of(event.get("event_data"))) for event in events]


def _event(event_name: object, item: Mapping[str, object]) -> MailEvent:
    name = str(item.get("status") or event_name)
    is_status = event_name == "transactional_email_status"
    kind: ReportKind = reading.kind_of(_KINDS, name) if is_status else "unknown"
    return mail_event(
        _KINDS,
        name,
        item,
        _FIELDS,
        kind=kind,
        identity=reading.identity(reading.digest(item)),
        status=reading.status_of(text_at(item, "delivery_info/destination_response")),
        reject_reason={"bounced": "bounced", "deferred": "bounced", "complained": "spam"}.get(kind),
        bounce_type=bounce_type(kind, True),
    )


PROVIDER = WebhookProvider(parse, verify, "the API key")
