"""What happens to an e-mail, from the send to the reply."""

from typing import Annotated, Literal

from msgspec import Meta

from activity.event_type import (
    Address,
    Category,
    Count,
    EventType,
    Id,
    Line,
    Moment,
    Name,
    Payload,
    Step,
    Tone,
    Url,
)

_Contents = Annotated[
    Literal["everyone", "participants"] | None,
    Meta(description="For whom its contents are; absent where what caused it or the workspace decides"),
]


class Email(Payload, frozen=True, kw_only=True):
    """What every event of one e-mail can carry."""

    subject: Annotated[Name | None, Meta(description="The e-mail's subject when it was sent")] = None
    recipient: Annotated[Address | None, Meta(description="The address the e-mail went to")] = None
    message_id: Annotated[
        Id | None, Meta(description="The Message-ID header, or the provider's id of the message")
    ] = None
    provider: Annotated[Name | None, Meta(description="The e-mail provider that reported it")] = None
    sequence: Annotated[Name | None, Meta(description="The sequence that sent the e-mail, by name")] = None
    step: Annotated[
        Step | None, Meta(description="The sequence step that sent the e-mail: 1-based, or its name")
    ] = None
    variant: Annotated[Name | None, Meta(description="Which variant of the step was sent")] = None
    contents: _Contents = None


class EmailSent(Payload, frozen=True, kw_only=True):
    """An e-mail was handed to the mail server."""

    subject: Annotated[Name | None, Meta(description="The e-mail's subject")] = None
    from_address: Annotated[Address | None, Meta(description="The sender's address")] = None
    to_address: Annotated[Address | None, Meta(description="The recipient's address")] = None
    to_name: Annotated[Name | None, Meta(description="The recipient's name")] = None
    message_id: Annotated[Id | None, Meta(description="The Message-ID header")] = None
    provider: Annotated[Name | None, Meta(description="The e-mail provider that took it")] = None
    sequence: Annotated[Name | None, Meta(description="The sequence that sent it, by name")] = None
    step: Annotated[Step | None, Meta(description="The sequence step that sent it: 1-based, or its name")] = (
        None
    )
    variant: Annotated[Name | None, Meta(description="Which variant of the step was sent")] = None
    contents: _Contents = None


class EmailDelivered(Email, frozen=True, kw_only=True):
    """The recipient's mail server accepted an e-mail."""


class EmailDeferred(Email, frozen=True, kw_only=True):
    """The recipient's mail server put an e-mail off; it is tried again."""

    status: Annotated[Name | None, Meta(description="The enhanced status code, such as 4.2.2")] = None
    reason: Annotated[Line | None, Meta(description="What the mail server answered")] = None
    attempt: Annotated[Count | None, Meta(description="Which attempt this was, from 1")] = None


class EmailOpened(Email, frozen=True, kw_only=True):
    """An e-mail's content was shown, or fetched by a machine."""

    machine: Annotated[bool | None, Meta(description="Whether a machine opened it; null when unknown")] = None
    machine_rule: Annotated[Name | None, Meta(description="The rule that told machine from person")] = None
    user_agent: Annotated[Line | None, Meta(description="The user agent that fetched the content")] = None


class EmailClicked(Email, frozen=True, kw_only=True):
    """A link in an e-mail was followed by a person or by a machine."""

    url: Annotated[Url, Meta(description="The link's target")]
    machine: Annotated[bool | None, Meta(description="Whether a machine followed it; null when unknown")] = (
        None
    )
    machine_rule: Annotated[Name | None, Meta(description="The rule that told machine from person")] = None
    user_agent: Annotated[Line | None, Meta(description="The user agent that followed the link")] = None


class EmailBounced(Email, frozen=True, kw_only=True):
    """An e-mail could not be delivered."""

    bounce_type: Annotated[
        Literal["hard", "soft", "unknown"],
        Meta(description="Hard: the address is of no use; soft: it may work later"),
    ] = "unknown"
    status: Annotated[Name | None, Meta(description="The enhanced status code, such as 5.1.1")] = None
    reason: Annotated[Line | None, Meta(description="What the mail server answered")] = None


class EmailReplied(Email, frozen=True, kw_only=True):
    """A person answered an e-mail."""

    from_address: Annotated[Address | None, Meta(description="Who answered")] = None
    from_name: Annotated[Name | None, Meta(description="The name of who answered")] = None
    excerpt: Annotated[Line | None, Meta(description="The first lines of the answer")] = None
    in_reply_to: Annotated[Id | None, Meta(description="The Message-ID of the e-mail answered")] = None


class EmailAutoReplied(EmailReplied, frozen=True, kw_only=True):
    """A machine answered an e-mail: an absence note, a ticket number. It counts as no reply."""

    back_at: Annotated[
        Moment | None, Meta(description="When the person is back, where the answer says so")
    ] = None


class EmailReceived(EmailReplied, frozen=True, kw_only=True):
    """A person wrote, and not in answer to an e-mail that is known."""


class EmailUnsubscribed(Email, frozen=True, kw_only=True):
    """A recipient asked for no more e-mail."""

    method: Annotated[Name | None, Meta(description="How: link, one-click, reply, provider")] = None
    list_name: Annotated[
        Name | None, Meta(description="The list that was left; absent when it is all of them")
    ] = None


class EmailSubscribed(Email, frozen=True, kw_only=True):
    """A recipient wants e-mail again."""

    method: Annotated[Name | None, Meta(description="How: link, provider")] = None
    list_name: Annotated[
        Name | None, Meta(description="The list that was joined; absent when it is all of them")
    ] = None


class EmailComplained(Email, frozen=True, kw_only=True):
    """A recipient reported an e-mail as spam."""

    feedback_type: Annotated[Name | None, Meta(description="The report's kind, such as abuse or fraud")] = (
        None
    )


class EmailRejected(Email, frozen=True, kw_only=True):
    """An e-mail was not sent at all: suppressed, without consent, or refused by the provider."""

    reason: Annotated[Line | None, Meta(description="Why it was not sent")] = None


class MailboxPaused(Payload, frozen=True, kw_only=True):
    """Sending from a mailbox was stopped for a while."""

    mailbox: Annotated[Address, Meta(description="The mailbox's address", min_length=1)]
    reason: Annotated[Line | None, Meta(description="Why, such as a bounce rate above the limit")] = None
    until: Annotated[
        Moment | None, Meta(description="When sending goes on; absent when a person decides")
    ] = None


_SENT = {
    "subject": "Renewal terms",
    "recipient": "jo.park@acme.example",
    "message_id": "<7c1f@mail.example>",
    "provider": "sendgrid",
}
_STEP = {"sequence": "Q4 renewals", "step": 2, "variant": "B"}

_BY_CONTACT = ("email.opened", "email.clicked", "email.complained")


def _email(
    name: str,
    payload: type[Payload],
    icon: str,
    tone: Tone,
    title: str,
    fold: bool = False,
    **example: object,
) -> EventType:
    return EventType(
        name=name,
        payload=payload,
        category=Category.EMAIL,
        icon=icon,
        tone=tone,
        title=title,
        record_type="thread",
        foldable=fold,
        by_contact=name in _BY_CONTACT,
        example={**_SENT, **example},
    )


TYPES = (
    EventType(
        name="email.sent",
        payload=EmailSent,
        category=Category.EMAIL,
        icon="mail",
        tone=Tone.BLUE,
        title="Email sent",
        record_type="thread",
        example={
            "subject": "Renewal terms",
            "from_address": "ana.ruiz@vendor.example",
            "to_address": "jo.park@acme.example",
            "to_name": "Jo Park",
            "message_id": "<7c1f@mail.example>",
            **_STEP,
        },
    ),
    _email("email.delivered", EmailDelivered, "mail-check", Tone.BLUE, "Email delivered", True),
    _email(
        "email.deferred",
        EmailDeferred,
        "hourglass",
        Tone.AMBER,
        "Email deferred",
        True,
        status="4.2.2",
        reason="mailbox full",
        attempt=1,
    ),
    _email(
        "email.opened",
        EmailOpened,
        "mail-open",
        Tone.BLUE,
        "Email opened",
        True,
        machine=True,
        machine_rule="opened within 5 s of delivery",
        user_agent="Mozilla/5.0",
        **_STEP,
    ),
    _email(
        "email.clicked",
        EmailClicked,
        "mouse-pointer-click",
        Tone.BLUE,
        "Email link clicked",
        True,
        url="https://vendor.example/pricing",
        machine=False,
        machine_rule="none matched",
        **_STEP,
    ),
    _email(
        "email.bounced",
        EmailBounced,
        "mail-x",
        Tone.RED,
        "Email bounced",
        bounce_type="hard",
        status="5.1.1",
        reason="user unknown",
    ),
    _email(
        "email.replied",
        EmailReplied,
        "reply",
        Tone.BLUE,
        "Email replied",
        from_address="jo.park@acme.example",
        from_name="Jo Park",
        excerpt="Could we talk on Tuesday?",
    ),
    _email(
        "email.auto_replied",
        EmailAutoReplied,
        "bot",
        Tone.GREY,
        "Automatic reply",
        from_address="jo.park@acme.example",
        from_name="Jo Park",
        excerpt="I am away.",
        back_at="2026-12-01T08:00:00Z",
    ),
    _email(
        "email.received",
        EmailReceived,
        "inbox",
        Tone.BLUE,
        "Email received",
        from_address="jo.park@acme.example",
        from_name="Jo Park",
        excerpt="Do you ship to Norway?",
    ),
    _email(
        "email.unsubscribed",
        EmailUnsubscribed,
        "mail-minus",
        Tone.AMBER,
        "Unsubscribed",
        method="link",
        list_name="Newsletter",
    ),
    _email(
        "email.subscribed",
        EmailSubscribed,
        "mail-plus",
        Tone.GREEN,
        "Subscribed again",
        method="provider",
        list_name="Newsletter",
    ),
    _email(
        "email.complained", EmailComplained, "mail-warning", Tone.RED, "Spam complaint", feedback_type="abuse"
    ),
    _email(
        "email.rejected", EmailRejected, "ban", Tone.RED, "Email not sent", reason="on the suppression list"
    ),
    EventType(
        name="mailbox.paused",
        payload=MailboxPaused,
        category=Category.EMAIL,
        icon="circle-pause",
        tone=Tone.AMBER,
        title="Mailbox paused",
        record_type="mailbox",
        example={
            "mailbox": "ana.ruiz@vendor.example",
            "reason": "bounce rate of 9 %",
            "until": "2026-11-24T08:00:00Z",
        },
    ),
)
