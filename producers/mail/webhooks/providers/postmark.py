"""Postmark: one event a request. It signs nothing: give it credentials in the webhook's settings."""

from typing import Any

from producers.mail import reading
from producers.mail.event import MailEvent, ReportKind
from producers.mail.webhooks.fields import REJECT_REASONS, Fields, bounce_type, mail_event
from producers.mail.webhooks.request import Request, WebhookProvider

_RECORDS: dict[str, ReportKind] = {
    "Bounce": "bounced",
    "Delivery": "delivered",
    "Open": "opened",
    "Click": "clicked",
    "SpamComplaint": "complained",
    "SubscriptionChange": "unsubscribed",
}
_BOUNCES: dict[str, ReportKind] = {
    "Transient": "deferred",
    "Subscribe": "subscribed",
    "Unsubscribe": "unsubscribed",
    "AutoResponder": "autoresponded",
    "SpamNotification": "complained",
    "SpamComplaint": "complained",
    "InboundError": "unknown",
    "DMARCPolicy": "rejected",
    "ManuallyDeactivated": "unsubscribed",
    "Unconfirmed": "unknown",
    "VirusNotification": "bounced",
    "ChallengeVerification": "autoresponded",
    "AddressChange": "autoresponded",
    "TemplateRenderingFailed": "failed",
    "SMTPApiError": "failed",
}
_HARD = {"HardBounce", "BadEmailAddress", "ManuallyDeactivated"}
_SUPPRESSIONS: dict[str, ReportKind] = {"HardBounce": "bounced", "SpamComplaint": "complained"}


_FIELDS: Fields = {
    "recipient": ("Email", "Recipient"),
    "message_id": "MessageID",
    "event_id": "ID",
    "occurred_at": ("BouncedAt", "DeliveredAt", "ReceivedAt", "ChangedAt"),
    "url": "OriginalLink",
    "user_agent": "UserAgent",
    "reason": ("Description", "Details"),
    "subject": "Subject",
    "tags": "Tag",
    "metadata": "Metadata",
}


def parse(request: Request) -> list[MailEvent]:
    """Read the event of a request."""
    return [_event(item) for item in reading.objects_of(reading.json_of(request.body))]


def _event(item: Any) -> MailEvent:
    name = str(item.get("RecordType"))
    kind = _kind(name, item)
    hard = item.get("Type") in _HARD or item.get("SuppressionReason") == "HardBounce"
    return mail_event(
        _RECORDS,
        name,
        item,
        _FIELDS,
        kind=kind,
        identity=reading.identity(reading.digest(item)),
        status=reading.status_of(reading.text(item.get("Details"))),
        reject_reason=REJECT_REASONS.get(kind),
        bounce_type=bounce_type(kind, hard),
    )


def _kind(name: str, item: Any) -> ReportKind:
    if name == "Bounce":
        return _BOUNCES.get(str(item.get("Type")), "bounced")
    if name != "SubscriptionChange":
        return reading.kind_of(_RECORDS, name)
    if not item.get("SuppressSending"):
        return "subscribed"
    return _SUPPRESSIONS.get(str(item.get("SuppressionReason")), "unsubscribed")


PROVIDER = WebhookProvider(
    parse, None, "Postmark signs nothing; use basic:USER:PASSWORD, or header:NAME:VALUE"
)
