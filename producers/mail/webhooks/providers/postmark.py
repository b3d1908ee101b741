"""Postmark: one event a request. It signs nothing: give it credentials in the webhook's settings."""

from typing import Any

from producers.mail import reading
from producers.mail.event import MailEvent, ReportKind
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


def parse(request: Request) -> list[MailEvent]:
    """Read the event of a request."""
    return [_event(item) for item in reading.objects_of(reading.json_of(request.body))]


def _event(item: Any) -> MailEvent:
    name = str(item.get("RecordType"))
    kind = _kind(name, item)
    recipient = reading.text(item.get("Email")) or reading.text(item.get("Recipient"))
    message_id = reading.text(item.get("MessageID"))
    hard = item.get("Type") in _HARD or item.get("SuppressionReason") == "HardBounce"
    return MailEvent(
        kind=kind,
        name=name,
        identity=reading.identity(reading.digest(item)),
        recipient=recipient,
        message_id=message_id,
        event_id=reading.text(item.get("ID")),
        occurred_at=reading.moment(
            item.get("BouncedAt"), item.get("DeliveredAt"), item.get("ReceivedAt"), item.get("ChangedAt")
        ),
        url=reading.text(item.get("OriginalLink")),
        user_agent=reading.text(item.get("UserAgent")),
        status=reading.status_of(reading.text(item.get("Details"))),
        reason=reading.text(item.get("Description")) or reading.text(item.get("Details")),
        reject_reason={"bounced": "bounced", "complained": "spam", "unsubscribed": "unsubscribed"}.get(kind),
        bounce_type="unknown" if kind != "bounced" else "hard" if hard else "soft",
        subject=reading.text(item.get("Subject")),
        tags=reading.texts(item.get("Tag")),
        metadata=reading.object_of(item.get("Metadata")),
    )


def _kind(name: str, item: Any) -> ReportKind:
    if name == "Bounce":
        return _BOUNCES.get(str(item.get("Type")), "bounced")
    if name == "SubscriptionChange":
        return (
            _SUPPRESSIONS.get(str(item.get("SuppressionReason")), "unsubscribed")
            if item.get("SuppressSending")
            else "subscribed"
        )
    return reading.kind_of(_RECORDS, name)


PROVIDER = WebhookProvider(
    parse, None, "Postmark signs nothing; use basic:USER:PASSWORD, or header:NAME:VALUE"
)
