"""What happens to a deal, from the first to the last stage."""

from datetime import date
from typing import Annotated

from msgspec import Meta

from activity.event_type import (
    Amount,
    Category,
    Currency,
    EventType,
    Line,
    Name,
    Payload,
    RequiredName,
    Tone,
)


class Deal(Payload, frozen=True, kw_only=True):
    """What every event of a deal can carry."""

    name: Annotated[Name | None, Meta(description="The deal's name")] = None
    account_name: Annotated[Name | None, Meta(description="The account it is with")] = None
    pipeline: Annotated[Name | None, Meta(description="The pipeline it is in")] = None
    amount: Annotated[
        Amount | None, Meta(description="The deal's amount: a decimal in a string, or a number")
    ] = None
    currency: Annotated[
        Currency | None, Meta(description="The currency of all amounts here, as its ISO 4217 code")
    ] = None


class DealAdded(Deal, frozen=True, kw_only=True):
    """A deal was opened."""

    stage: Annotated[Name | None, Meta(description="The stage it starts in")] = None
    closes_on: Annotated[date | None, Meta(description="The day it is expected to close")] = None


class DealStageChanged(Deal, frozen=True, kw_only=True):
    """A deal moved to another stage."""

    to_stage: Annotated[RequiredName, Meta(description="The stage it moved to")]
    from_stage: Annotated[Name | None, Meta(description="The stage it was in")] = None


class DealAmountChanged(Deal, frozen=True, kw_only=True):
    """A deal's amount changed."""

    to_amount: Annotated[Amount, Meta(description="The amount after: a decimal in a string, or a number")]
    from_amount: Annotated[
        Amount | None, Meta(description="The amount before; absent when there was none")
    ] = None


class DealWon(Deal, frozen=True, kw_only=True):
    """A deal was won."""

    from_stage: Annotated[Name | None, Meta(description="The stage it was in")] = None
    reason: Annotated[Line | None, Meta(description="Why it was won")] = None


class DealLost(Deal, frozen=True, kw_only=True):
    """A deal was lost."""

    from_stage: Annotated[Name | None, Meta(description="The stage it was in")] = None
    reason: Annotated[Line | None, Meta(description="Why it was lost")] = None
    competitor: Annotated[Name | None, Meta(description="Who won it instead")] = None


def _deal(
    name: str, payload: type[Payload], icon: str, tone: Tone, title: str, **example: object
) -> EventType:
    return EventType(
        name=name,
        payload=payload,
        category=Category.DEALS,
        icon=icon,
        tone=tone,
        title=title,
        record_type="opportunity",
        example={"name": "Acme renewal", **example},
    )


_MONEY = {"amount": "125000.00", "currency": "EUR"}

TYPES = (
    _deal(
        "deal.added",
        DealAdded,
        "badge-dollar-sign",
        Tone.TEAL,
        "Deal added",
        stage="Discovery",
        closes_on="2027-01-31",
        **_MONEY,
    ),
    _deal(
        "deal.stage_changed",
        DealStageChanged,
        "arrow-right-left",
        Tone.TEAL,
        "Deal stage changed",
        from_stage="Proposal",
        to_stage="Negotiation",
        **_MONEY,
    ),
    _deal(
        "deal.amount_changed",
        DealAmountChanged,
        "coins",
        Tone.TEAL,
        "Deal amount changed",
        from_amount="98000.50",
        to_amount="125000.00",
        currency="EUR",
    ),
    _deal(
        "deal.won",
        DealWon,
        "trophy",
        Tone.GREEN,
        "Deal won",
        from_stage="Negotiation",
        reason="faster delivery",
        **_MONEY,
    ),
    _deal(
        "deal.lost",
        DealLost,
        "circle-x",
        Tone.RED,
        "Deal lost",
        from_stage="Proposal",
        reason="price",
        competitor="Globex",
        **_MONEY,
    ),
)
