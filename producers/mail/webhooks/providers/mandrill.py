"""Mandrill (Mailchimp Transactional).

A form with a list of events, signed over the URL entered there and the fields.
"""

from typing import Any

from producers.mail import reading
from producers.mail.event import BounceType, MailEvent, ReportKind
from producers.mail.webhooks.fields import REJECT_REASONS, Fields, at, mail_event
from producers.mail.webhooks.request import Check, Request, WebhookProvider
from producers.mail.webhooks.signatures import hmac_base64, same

_KINDS: dict[str, ReportKind] = {
    "send": "sent",
    "delivered": "delivered",
    "deferral": "deferred",
    "hard_bounce": "bounced",
    "soft_bounce": "bounced",
    "open": "opened",
    "click": "clicked",
    "spam": "complained",
    "unsub": "unsubscribed",
    "reject": "rejected",
}


_BOUNCES: dict[str, BounceType] = {"hard_bounce": "hard", "soft_bounce": "soft"}
_FIELDS: Fields = {
    "recipient": ("msg/email", "reject/email", "entry/email"),
    "message_id": ("msg/_id", "_id"),
    "occurred_at": ("ts", "msg/ts"),
    "user_agent": "user_agent",
    "reason": ("msg/diag", "msg/bounce_description", "reject/reason", "entry/reason"),
    "subject": "msg/subject",
    "tags": "msg/tags",
    "metadata": "msg/metadata",
}


def verify(request: Request, check: Check) -> bool:
    """Check the HMAC-SHA1 of the URL and the sorted fields.

    The URL is the one entered at Mandrill, to the letter.
    """
    fields = "".join(name + value for name, value in sorted(reading.form_of(request)))
    given = request.headers.get("x-mandrill-signature")
    urls = {check.url, request.url} - {""}
    key = check.secret.encode()
    return any(same(given, hmac_base64(key, (url + fields).encode(), "sha1")) for url in urls)


def parse(request: Request) -> list[MailEvent]:
    """Read the events of a request."""
    fields = dict(reading.form_of(request))
    return [_event(item) for item in reading.objects_of(reading.json_of(fields.get("mandrill_events", "[]")))]


def _event(item: Any) -> MailEvent:
    name = str(item.get("event") or item.get("type"))
    return mail_event(
        _KINDS,
        name,
        item,
        _FIELDS,
        identity=reading.identity(reading.digest(_unchanging(item))),
        url=reading.text(item.get("url")) or _last_click(item),
        reject_reason=REJECT_REASONS.get(reading.kind_of(_KINDS, name)),
        bounce_type=_BOUNCES.get(name, "unknown"),
    )


def _unchanging(item: Any) -> Any:
    """Return what stays in a repeat: the mail's state at the time of the call does not."""
    outer = {name: value for name, value in item.items() if name != "msg"}
    return outer | {"msg": {name: at(item, f"msg/{name}") for name in ("_id", "ts", "email")}}


def _last_click(item: object) -> str | None:
    clicks = reading.objects_of(at(item, "msg/clicks"))
    return reading.text(clicks[-1].get("url")) if clicks else None


PROVIDER = WebhookProvider(parse, verify, "the webhook's key; give the URL entered at Mandrill with --url")
