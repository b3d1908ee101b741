"""What signal rules promise: over what passes change, and over the timeline."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from activity.event import Event
from activity.settings import settings
from db.engine import begin
from producers.signals import rules
from producers.signals.configuration import SignalRule
from producers.signals.rules import ObservedChange
from producers.signals.tasks import examine_next
from worker.append import append_batch
from worker.emit import emit

START = datetime(2026, 3, 1, tzinfo=UTC)
Admin = psycopg.Connection[Any]

RULES = """
[[signals]]
rule = "interested"
version = 3
signal = "engagement"
name = "Opened or clicked three times in a day"
kind = "contact"
events = ["email.opened", "email.clicked"]
count = 3
within_hours = 24
window_hours = 48
[[signals]]
rule = "pricing"
signal = "pricing_page_visited"
events = ["acme.web_visit"]
payload = { page = "/pricing" }
"""


@pytest.fixture
def _rules(environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(RULES)
    monkeypatch.setenv("ACTIVITY_ENRICHMENT_CONFIG", str(path))
    settings.cache_clear()


def event(tenant: int, type_: str, hours: float, **payload: Any) -> Event:
    at = START + timedelta(hours=hours)
    return Event(
        tenant_id=tenant,
        type=type_,
        source="test",
        payload=payload,
        occurred_at=at,
        account_id="acme",
        contact_id="jo",
    )


def record(*events: Event) -> None:
    with begin("producer") as session:
        emit(session, events)
    settle()


def settle() -> None:
    while append_batch(1000) or examine_next():
        pass


def detected(admin: Admin, tenant: int) -> list[tuple[Any, ...]]:
    query = """select payload->>'rule', payload->>'rule_version', payload->'evidence'->>'count', cause_id,
                      contact_id
                 from activity.event where tenant_id = %s and type = 'signal.detected' order by seq"""
    return admin.execute(query, (tenant,)).fetchall()


@pytest.mark.usefixtures("_rules")
def test_some_opens_and_clicks_by_a_person_in_a_day_are_a_signal_that_names_its_evidence(
    admin: Admin, tenant: int
) -> None:
    opens = [event(tenant, "email.opened", hours) for hours in (0, 30, 31)]
    click = event(tenant, "email.clicked", 32, url="https://a.example")
    record(*opens, event(tenant, "email.opened", 31.5, machine=True))
    assert detected(admin, tenant) == []
    record(click)
    assert detected(admin, tenant) == [("interested", "3", "3", click.event_id, "jo")]


@pytest.mark.usefixtures("_rules")
def test_a_rule_fires_once_for_a_record_in_its_window_and_again_after_it(admin: Admin, tenant: int) -> None:
    record(*(event(tenant, "email.opened", hours) for hours in (0, 1, 2, 3, 4, 5)))
    assert len(detected(admin, tenant)) == 1
    record(*(event(tenant, "email.opened", hours) for hours in (60, 61, 62, 63)))
    assert len(detected(admin, tenant)) == 2


@pytest.mark.usefixtures("_rules")
def test_an_event_of_the_workspaces_own_is_a_signal_where_its_payload_matches(
    admin: Admin, tenant: int
) -> None:
    record(
        event(tenant, "acme.web_visit", 0, page="/about"), event(tenant, "acme.web_visit", 1, page="/Pricing")
    )
    assert [row[0] for row in detected(admin, tenant)] == ["pricing"]


@pytest.mark.usefixtures("_rules")
def test_events_that_are_examined_again_make_no_second_signal(admin: Admin, tenant: int) -> None:
    record(*(event(tenant, "email.opened", hours) for hours in (0, 1, 2)))
    admin.execute("update activity.cursor set seq = 0")
    settle()
    assert len(detected(admin, tenant)) == 1


@pytest.mark.parametrize(
    ("rule", "before", "after", "fires"),
    [
        ({"change": "any"}, None, "Series A", True),
        ({"change": "any", "value": "cto"}, "CEO", "CTO", True),
        ({"change": "any", "value": "cto"}, "CEO", "COO", False),
        ({"change": "increases", "at_least": 3}, 2, 5, True),
        ({"change": "increases", "at_least": 3}, 2, 4, False),
        ({"change": "increases"}, None, 1, True),
        ({"change": "gains"}, ["a"], ["a", "b"], True),
        ({"change": "gains", "value": "Kubernetes"}, ["a"], ["a", "kubernetes"], True),
        ({"change": "gains"}, ["a", "b"], ["a"], False),
    ],
)
def test_a_change_of_a_field_is_a_signal_where_its_rule_matches(
    tenant: int, rule: dict[str, Any], before: Any, after: Any, fires: bool, make_tenant: Callable[[], int]
) -> None:
    checked = SignalRule.model_validate({"rule": "r", "signal": "s", "field": "f", **rule})
    cause = event(tenant, "enrichment_completed", 0)
    change = ObservedChange("f", before, after, "orbit")
    with begin("producer", tenant) as session:
        found = rules.of_changes(session, [checked], "account", cause, [change])
        again = rules.of_changes(session, [checked], "account", cause, [change])
    assert [event.cause_id for event in found] == ([cause.event_id] if fires else [])
    assert again == []
