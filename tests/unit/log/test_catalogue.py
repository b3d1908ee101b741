"""The catalogue of event types, and what each of them promises."""

import re
from datetime import datetime
from pathlib import Path

import jsonschema
import msgspec
import pytest

from activity.catalogue import CATALOGUE, NAMESPACES, VERSIONS, Category, EventType, Payload, Tone, nearest
from activity.catalogue.reference import json_schema
from activity.catalogue.types.conversations import MeetingBooked

ROOT = Path(__file__).parents[3]
SPECIFIED = """
email.sent email.delivered email.deferred email.opened email.clicked email.bounced email.replied
email.auto_replied email.unsubscribed email.received email.subscribed email.complained email.rejected
call.completed call.missed meeting.booked meeting.completed note.added comment.added contact.added
contact.updated contact.merged contact.erased account.added account.updated account.parent_changed
account.merged deal.added deal.stage_changed deal.amount_changed deal.won deal.lost signal.detected
enrichment_completed enrichment_failed playbook.started playbook.step_completed playbook.completed
playbook.failed playbook.cancelled playbook.paused sequence.enrolled sequence.step_skipped sequence.finished
task.created task.completed task.reassigned mailbox.paused event.corrected event.classified
privacy.bodies_erased privacy.contents_changed
import.completed email.suppressed email.suppression_lifted email.consent_given email.consent_withdrawn
"""

each_type = pytest.mark.parametrize(
    "known", VERSIONS.values(), ids=lambda known: f"{known.name}@{known.version}"
)


def test_the_catalogue_holds_every_specified_type_and_no_other() -> None:
    assert sorted(CATALOGUE) == sorted(SPECIFIED.split())


@each_type
def test_an_example_fits_its_payload_and_its_schema(known: EventType) -> None:
    payload = msgspec.convert(known.example, known.payload)
    assert set(msgspec.to_builtins(payload)) == set(
        known.example
    )  # no field of the example is unknown or a mere default
    jsonschema.validate(known.example, json_schema(known.name), format_checker=jsonschema.FormatChecker())


@each_type
def test_a_payload_may_hold_fields_that_its_type_does_not_name(known: EventType) -> None:
    assert msgspec.convert({**known.example, "x_custom": {"deep": [1]}}, known.payload) == msgspec.convert(
        known.example, known.payload
    )


@each_type
def test_a_payload_without_a_required_field_is_refused(known: EventType) -> None:
    for field in json_schema(known.name).get("required", []):
        with pytest.raises(msgspec.ValidationError, match=field):
            msgspec.convert(
                {name: value for name, value in known.example.items() if name != field}, known.payload
            )


@each_type
def test_every_field_says_what_it_means(known: EventType) -> None:
    schema = json_schema(known.name)
    for part in (schema, *schema.get("$defs", {}).values()):
        assert part["description"].endswith(".")
        assert [name for name, field in part["properties"].items() if not field.get("description")] == []


@each_type
def test_a_type_has_an_icon_a_tone_and_a_title_of_its_own(known: EventType) -> None:
    assert re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", known.icon)
    assert known.tone in Tone
    assert known.category in Category
    assert [other.name for other in CATALOGUE.values() if other.title == known.title] == [known.name]


@pytest.mark.parametrize(
    ("type", "payload"),
    [
        ("deal.stage_changed", {"to_stage": ""}),
        ("deal.won", {"amount": "1e9"}),
        ("deal.won", {"amount": "12,50"}),
        ("deal.won", {"amount": True}),
        ("deal.won", {"currency": "euro"}),
        ("email.bounced", {"bounce_type": "squishy"}),
        ("email.opened", {"machine": "yes"}),
        ("call.completed", {"duration_s": -1}),
        ("call.completed", {"duration_s": float("nan")}),
        ("meeting.booked", {"starts_at": "2026-11-24T14:00:00"}),  # no zone
        ("note.added", {"text": "x" * 100_001}),
        ("enrichment_completed", {"changes": [{"field": "a", "confidence": 1.5}]}),
        ("enrichment_completed", {"changes": [{"to": "a"}]}),
        ("event.corrected", {"event_id": "7"}),
    ],
)
def test_a_value_out_of_its_bounds_is_refused(type: str, payload: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(payload, CATALOGUE[type].payload)


def test_a_payload_struct_travels_without_its_defaults() -> None:
    opened = CATALOGUE["email.opened"].payload(subject="Hello", machine=None)
    assert msgspec.json.encode(opened) == b'{"subject":"Hello"}'


def test_a_change_is_spelled_from_and_to_on_the_wire() -> None:
    wire = b'{"changes":[{"field":"title","from":"CTO","to":"CIO"}]}'
    assert msgspec.json.encode(msgspec.json.decode(wire, type=CATALOGUE["contact.updated"].payload)) == wire


def test_a_moment_keeps_its_zone() -> None:
    payload = msgspec.convert({"starts_at": "2026-11-24T14:00:00+01:00"}, MeetingBooked)
    assert payload.starts_at == datetime.fromisoformat("2026-11-24T13:00:00+00:00")


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("email.snet", "email.sent"),
        ("EMAIL.SENT", "email.sent"),
        ("deal.stage_change", "deal.stage_changed"),
        ("enrichment.completed", "enrichment_completed"),
        ("emial.sent", "email.sent"),
        ("emails.sent", "email.sent"),
        ("enrichment_complete", "enrichment_completed"),
        ("deal.closed_as_won", "deal.won"),
        ("zzz", None),
        ("", None),
    ],
)
def test_a_misspelt_type_finds_the_nearest_built_in_one(misspelt: str, meant: str | None) -> None:
    assert nearest(misspelt) == meant


@pytest.mark.parametrize(
    "own",
    [
        "acme.form_filled",
        "billing.completed",
        "contract.signed",
        "invoice.added",
        "workbook.started",
        "payment.failed",
        "meetup.completed",
    ],
)
def test_a_workspaces_own_type_is_no_misspelt_built_in_one(own: str) -> None:
    assert nearest(own) is None


def test_every_built_in_type_lies_in_a_reserved_namespace() -> None:
    assert {name.split(".")[0] for name in CATALOGUE} <= NAMESPACES
    assert {"email", "deal", "note", "enrichment", "enrichment_completed"} <= NAMESPACES
    assert "acme" not in NAMESPACES


def test_no_conversation_and_no_deal_is_folded() -> None:
    unfoldable = {Category.NOTES, Category.COMMENTS, Category.CALLS, Category.DEALS}
    assert [
        known.name for known in CATALOGUE.values() if known.foldable and known.category in unfoldable
    ] == []


def test_the_tabs_of_an_account_card_hold_what_they_say() -> None:
    tabs = {tab: {known.name for known in CATALOGUE.values() if known.category == tab} for tab in Category}
    assert {"email.sent", "email.opened", "email.clicked", "email.bounced"} <= tabs[Category.EMAIL]
    assert tabs[Category.SIGNALS] == {"signal.detected"}
    assert tabs[Category.NOTES] == {"note.added"}
    assert tabs[Category.COMMENTS] == {"comment.added"}
    assert tabs[Category.HIERARCHY] == {"account.parent_changed", "account.merged"}


def test_the_catalogue_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        CATALOGUE["acme.thing"] = CATALOGUE["email.sent"]  # type: ignore[index]  # the refusal is what is tested
    assert issubclass(CATALOGUE["email.sent"].payload, Payload)
