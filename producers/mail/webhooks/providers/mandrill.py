"""Mandrill (Mailchimp Transactional): a form with a list of events, signed over the URL that was entered and the form's fields."""

from typing import Any

from producers.mail import reading
from producers.mail.event import MailEvent, ReportKind
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


def verify(request: Request, check: Check) -> bool:
    """Check the HMAC-SHA1 of the URL and the sorted fields. The URL is the one entered at Mandrill, to the letter."""
    fields = "".join(name + value for name, value in sorted(reading.form_of(request)))
    given = request.headers.get("x-mandrill-signature")
    urls = {check.url, request.url} - {""}
    return any(
        same(given, hmac_base64(check.secret.encode(), (url + fields).encode(), "sha1")) for url in urls
    )


def parse(request: Request) -> list[MailEvent]:
    """Read the events of a request."""
    fields = dict(reading.form_of(request))
    return [_event(item) for item in reading.objects_of(reading.json_of(fields.get("mandrill_events", "[]")))]


def _event(item: Any) -> MailEvent:
    name = str(item.get("event") or item.get("type"))
    message, sync = (
        reading.object_of(item.get("msg")),
        reading.object_of(item.get("reject")) or reading.object_of(item.get("entry")),
    )
    kind = reading.kind_of(_KINDS, name)
    recipient = reading.text(message.get("email")) or reading.text(sync.get("email"))
    message_id = reading.text(message.get("_id")) or reading.text(item.get("_id"))
    reason = (
        reading.text(message.get("diag"))
        or reading.text(message.get("bounce_description"))
        or reading.text(sync.get("reason"))
    )
    return MailEvent(
        kind=kind,
        name=name,
        identity=reading.identity(reading.digest(_lasting(item))),
        recipient=recipient,
        message_id=message_id,
        occurred_at=reading.moment(item.get("ts"), message.get("ts")),
        url=reading.text(item.get("url")) or _last_click(message),
        user_agent=reading.text(item.get("user_agent")),
        status=reading.status_of(reason),
        reason=reason,
        reject_reason={"bounced": "bounced", "complained": "spam", "unsubscribed": "unsubscribed"}.get(kind),
        bounce_type={"hard_bounce": "hard", "soft_bounce": "soft"}.get(name, "unknown"),  # type: ignore[arg-type]  # all three are bounce types
        subject=reading.text(message.get("subject")),
        tags=reading.texts(message.get("tags")),
        metadata=reading.object_of(message.get("metadata")),
    )


def _lasting(item: Any) -> Any:
    """Return what stays in a repeat: the mail's state at the time of the call does not."""
    message = reading.object_of(item.get("msg"))
    kept = {name: value for name, value in item.items() if name != "msg"}
    return kept | {"msg": {name: message.get(name) for name in ("_id", "ts", "email")}}


def _last_click(message: Any) -> str | None:
    clicks = reading.objects_of(message.get("clicks"))
    return reading.text(clicks[-1].get("url")) if clicks else None


PROVIDER = WebhookProvider(parse, verify, "the webhook's key; give the URL entered at Mandrill with --url")
