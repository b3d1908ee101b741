"""Buying signals, and what enrichment found out."""

from typing import Annotated

from msgspec import Meta

from activity.event_type import (
    Amount,
    Category,
    Count,
    Currency,
    EventType,
    FieldChange,
    Line,
    Name,
    Payload,
    Ratio,
    RequiredName,
    Seconds,
    Tone,
    Version,
)


class SignalDetected(Payload, frozen=True, kw_only=True):
    """A rule found a sign of interest or intent."""

    signal: Annotated[RequiredName, Meta(description="The kind of signal, such as pricing_page_visited")]
    name: Annotated[Name | None, Meta(description="The signal in words")] = None
    rule: Annotated[Name | None, Meta(description="The rule that found it")] = None
    rule_version: Annotated[Version | None, Meta(description="The rule's version")] = None
    evidence: Annotated[object, Meta(description="What the rule saw: any JSON")] = None
    score: Annotated[Amount | None, Meta(description="How strong the signal is, on the rule's own scale")] = (
        None
    )


class EnrichedField(FieldChange, frozen=True, kw_only=True):
    """One field that a pass filled or changed, and where the value is from."""

    provider: Annotated[Name | None, Meta(description="The provider the value is from")] = None
    confidence: Annotated[Ratio | None, Meta(description="How sure the provider is, from 0 to 1")] = None
    cost: Annotated[Amount | None, Meta(description="What the value cost, in the pass's currency")] = None


class Enrichment(Payload, frozen=True, kw_only=True):
    """What every enrichment pass can carry."""

    name: Annotated[Name | None, Meta(description="The name of the record that was enriched")] = None
    providers: Annotated[
        tuple[Name, ...], Meta(description="The providers tried, in order", max_length=100)
    ] = ()
    cost: Annotated[
        Amount | None, Meta(description="What the whole pass cost: a decimal in a string, or a number")
    ] = None
    currency: Annotated[
        Currency | None, Meta(description="The currency of all costs here, as its ISO 4217 code")
    ] = None
    duration_s: Annotated[Seconds | None, Meta(description="How long the pass took, in seconds")] = None


class EnrichmentCompleted(Enrichment, frozen=True, kw_only=True):
    """An enrichment pass over a record ended."""

    changes: Annotated[
        tuple[EnrichedField, ...], Meta(description="What changed, field by field", max_length=1_000)
    ] = ()
    changed: Annotated[
        Count | None, Meta(description="How many fields changed, where the changes are not all listed")
    ] = None


class EnrichmentFailed(Enrichment, frozen=True, kw_only=True):
    """An enrichment pass over a record could not be made."""

    reason: Annotated[Line | None, Meta(description="What went wrong")] = None
    attempt: Annotated[Count | None, Meta(description="Which attempt this was, from 1")] = None


TYPES = (
    EventType(
        name="signal.detected",
        payload=SignalDetected,
        category=Category.SIGNALS,
        icon="radar",
        tone=Tone.VIOLET,
        title="Signal detected",
        record_type="signal",
        example={
            "signal": "pricing_page_visited",
            "name": "Visited the pricing page 3 times in a week",
            "rule": "pricing interest",
            "rule_version": 4,
            "evidence": {"visits": 3, "days": 7},
        },
    ),
    EventType(
        name="enrichment_completed",
        payload=EnrichmentCompleted,
        category=Category.ENRICHMENT,
        icon="database-zap",
        tone=Tone.GREY,
        title="Enrichment completed",
        record_type="enrichment_pass",
        foldable=True,
        example={
            "name": "Acme",
            "changed": 2,
            "changes": [
                {
                    "field": "industry",
                    "from": None,
                    "to": "Logistics",
                    "provider": "orbit",
                    "confidence": 0.93,
                    "cost": "0.08",
                },
                {
                    "field": "employees",
                    "from": 120,
                    "to": 140,
                    "provider": "lumen",
                    "confidence": 0.8,
                    "cost": "0.04",
                },
            ],
            "providers": ["orbit", "lumen"],
            "cost": "0.12",
            "currency": "EUR",
        },
    ),
    EventType(
        name="enrichment_failed",
        payload=EnrichmentFailed,
        category=Category.ENRICHMENT,
        icon="database-zap",
        tone=Tone.RED,
        title="Enrichment failed",
        record_type="enrichment_pass",
        example={
            "name": "Acme",
            "reason": "every provider was over its limit",
            "providers": ["orbit", "lumen"],
            "attempt": 3,
        },
    ),
)
