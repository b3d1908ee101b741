"""Who may be written to: what people did to the ledger of suppressions, and consent."""

from typing import Annotated

from msgspec import Meta

from activity.event_type import Address, Category, EventType, Line, Name, Payload, Tone


class _Ledger(Payload, frozen=True, kw_only=True):
    address: Annotated[Address, Meta(description="The address, or a domain", min_length=1)]
    note: Annotated[Line | None, Meta(description="Why, in words")] = None


class EmailSuppressed(_Ledger, frozen=True, kw_only=True):
    """A person saw to it that an address, or a whole domain, is not written to."""

    reason: Annotated[Name | None, Meta(description="The reason: manual, complaint, hard bounce")] = None


class EmailSuppressionLifted(_Ledger, frozen=True, kw_only=True):
    """A person allowed mail to an address, or a domain, again."""

    reason: Annotated[Name | None, Meta(description="The reasons that stood until then")] = None


class EmailConsentGiven(_Ledger, frozen=True, kw_only=True):
    """The owner of an address agreed to mail, as a person recorded."""


class EmailConsentWithdrawn(_Ledger, frozen=True, kw_only=True):
    """The owner of an address wants no more mail, as a person recorded."""


def _type(
    name: str, payload: type[Payload], icon: str, tone: Tone, title: str, **example: object
) -> EventType:
    return EventType(
        name=name,
        payload=payload,
        category=Category.EMAIL,
        icon=icon,
        tone=tone,
        title=title,
        record_type="suppression",
        example={"address": "jo.park@acme.example", "note": "asked on the phone", **example},
    )


TYPES = (
    _type("email.suppressed", EmailSuppressed, "ban", Tone.AMBER, "Address suppressed", reason="manual"),
    _type(
        "email.suppression_lifted",
        EmailSuppressionLifted,
        "mail-check",
        Tone.GREEN,
        "Suppression lifted",
        reason="hard bounce",
    ),
    _type("email.consent_given", EmailConsentGiven, "mail-plus", Tone.GREEN, "Consent given"),
    _type("email.consent_withdrawn", EmailConsentWithdrawn, "mail-minus", Tone.AMBER, "Consent withdrawn"),
)
