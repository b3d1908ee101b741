"""What enrichment passes promise, over a farm of providers that misbehave."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import structlog
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from bench.farm import counts
from db.engine import begin
from db.enrichment import passes
from producers.enrichment import Priority, ask, commit
from producers.enrichment.run import work_off
from producers.enrichment.tasks import ask_for_stale
from tests.enrichment import FIELDS, Admin, account, enrich, events, provider, values


@pytest.mark.usefixtures("two")
def test_a_pass_fills_fields_and_says_what_changed_by_whom_how_surely_at_which_cost(
    admin: Admin, tenant: int
) -> None:
    account(admin, tenant, "acme")
    enrich(tenant, "acme")
    (event,) = events(admin, tenant)
    assert (event["type"], event["account"], event["actor"], event["name"]) == (
        "enrichment_completed",
        "acme",
        "ana@example.com",
        "Acme",
    )
    assert (event["providers"], event["cost"], event["changed"]) == (["orbit"], "0.05", 2)
    assert {change["field"]: change["to"] for change in event["changes"]} == values(admin, tenant, "acme")
    assert {(c["from"], c["provider"], c["confidence"], c["cost"]) for c in event["changes"]} == {
        (None, "orbit", 0.9, "0.025")
    }
    spent = admin.execute("select spent, reserved, calls, repeats from crm.enrichment_spend").fetchall()
    assert spent == [(Decimal("0.05"), Decimal(0), 1, 0)]


@pytest.mark.parametrize("fault", ["500", "429", "hang", "html", "huge", "lie", "cut", "drip"])
@pytest.mark.usefixtures("two")
def test_a_provider_that_misbehaves_fails_with_a_reason_and_the_next_is_asked(
    admin: Admin, tenant: int, configure: Callable[..., None], farm: int, fault: str
) -> None:
    good = provider("lumen", farm, cost="0.02").replace("domain={domain}", "domain={name}")
    configure(provider("orbit", farm), good, FIELDS)
    account(admin, tenant, "acme", f"{fault}.acme.example")
    enrich(tenant, "acme")
    (event,) = events(admin, tenant)
    assert (event["type"], event["providers"], event["cost"]) == ("enrichment_completed", ["lumen"], "0.02")
    ((skipped),) = event["skipped"]
    assert skipped["provider"] == "orbit"
    assert len(skipped["reason"]) > 5


@pytest.mark.usefixtures("two")
def test_a_pass_that_nobody_answers_fails_and_says_why(admin: Admin, tenant: int) -> None:
    account(admin, tenant, "acme", "500.acme.example")
    account(admin, tenant, "none", "x")
    admin.execute("update crm.account set domain = null where id = 'none'")
    enrich(tenant, "acme", "none")
    by_account = {event["account"]: event for event in events(admin, tenant)}
    assert {event["type"] for event in by_account.values()} == {"enrichment_failed"}
    assert "orbit: it answered 500; lumen: it answered 500" in by_account["acme"]["reason"]
    assert "lacks" in by_account["none"]["reason"]
    assert by_account["acme"]["cost"] == "0"


@pytest.mark.usefixtures("two")
def test_a_pass_that_changes_nothing_says_so(admin: Admin, tenant: int) -> None:
    account(admin, tenant, "acme", "unknown.acme.example")
    enrich(tenant, "acme")
    (event,) = events(admin, tenant)
    assert (event["type"], event["changed"], event["cost"], event["providers"]) == (
        "enrichment_completed",
        0,
        "0",
        ["orbit", "lumen"],
    )


@pytest.mark.usefixtures("two")
def test_what_a_person_entered_stays_and_the_pass_says_that_it_was_kept(admin: Admin, tenant: int) -> None:
    account(admin, tenant, "acme", industry="Logistics")
    enrich(tenant, "acme")
    found = values(admin, tenant, "acme")
    assert found["industry"] == "Logistics"
    assert isinstance(found["employees"], int)
    (event,) = events(admin, tenant)
    assert [declined["field"] for declined in event["kept"]] == ["industry"]
    admin.execute("update crm.account set fields = fields || '{\"employees\": 7}'")
    enrich(tenant, "acme")
    assert values(admin, tenant, "acme") == {"industry": "Logistics", "employees": 7}


@pytest.mark.usefixtures("two")
def test_a_second_request_joins_the_pass_in_flight_and_makes_it_as_urgent(admin: Admin, tenant: int) -> None:
    account(admin, tenant, "acme")
    with begin("producer", tenant) as session:
        first = ask(session, tenant, "account", "acme", priority=Priority.SCHEDULE)
        assert (
            ask(session, tenant, "account", "acme", ["employees", "industry"], priority=Priority.NOW) == first
        )
        assert ask(session, tenant, "account", "acme", ["industry"], priority=Priority.NOW) != first
    assert admin.execute("select priority from crm.enrichment_pass where id = %s", (first,)).fetchall() == [
        (0,)
    ]
    while work_off():
        pass
    assert len(events(admin, tenant)) == 2
    with begin("producer", tenant) as session:
        assert ask(session, tenant, "account", "acme") != first


@pytest.mark.usefixtures("two")
def test_a_record_that_went_away_ends_its_pass_with_an_event(admin: Admin, tenant: int) -> None:
    account(admin, tenant, "acme")
    with begin("producer", tenant) as session:
        ask(session, tenant, "account", "acme")
    admin.execute("delete from crm.account")
    work_off()
    (event,) = events(admin, tenant)
    assert (event["type"], event["reason"]) == ("enrichment_failed", "the account no longer exists")


@pytest.mark.usefixtures("two")
def test_a_worker_that_dies_after_the_answer_repeats_one_call_and_counts_it(
    admin: Admin, tenant: int, farm: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    account(admin, tenant, "acme", "crash.example")
    before = counts(farm)["answered"]
    with begin("producer", tenant) as session:
        ask(session, tenant, "account", "acme")

    def server_goes_away(*_: object) -> None:
        raise OperationalError("commit", {}, Exception("the connection is gone"))

    with monkeypatch.context() as patch:
        patch.setattr(commit, "finish", server_goes_away)
        assert work_off() == {"left": 1}
    assert admin.execute("select state, cost from crm.enrichment_call").fetchall() == [("calling", 0)]
    admin.execute("update crm.enrichment_pass set due_at = now()")
    assert work_off() == {"done": 1}
    assert counts(farm)["answered"] - before == 2
    states = admin.execute("select attempt, state, cost from crm.enrichment_call order by attempt").fetchall()
    assert states == [(1, "lost", Decimal(0)), (2, "answered", Decimal("0.05"))]
    assert admin.execute("select spent, reserved, calls, repeats from crm.enrichment_spend").fetchall() == [
        (Decimal("0.05"), 0, 1, 1)
    ]
    (event,) = events(admin, tenant)
    assert (event["repeated_calls"], event["cost"]) == (1, "0.05")


@pytest.mark.usefixtures("two")
def test_a_holder_that_comes_back_late_books_nothing(
    admin: Admin, tenant: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    account(admin, tenant, "acme")
    with begin("producer", tenant) as session:
        ask(session, tenant, "account", "acme")
    claim = passes.claim

    def then_lose(*arguments: Any, **more: Any) -> Any:
        rows = claim(*arguments, **more)
        if rows:
            arguments[0].execute(text("update crm.enrichment_pass set fence = fence + 1"))
        return rows

    with monkeypatch.context() as patch:
        patch.setattr(passes, "claim", then_lose)
        assert work_off() == {"lost": 1}
    assert events(admin, tenant) == []
    assert admin.execute("select count(*) from crm.enrichment_call").fetchall() == [(0,)]


@pytest.mark.usefixtures("two")
def test_two_passes_over_one_record_at_once_merge_one_after_the_other(admin: Admin, tenant: int) -> None:
    account(admin, tenant, "acme")
    with begin("producer", tenant) as session:
        ask(session, tenant, "account", "acme", ["industry"])
        ask(session, tenant, "account", "acme", ["employees"])
        ask(session, tenant, "account", "acme", ["employees", "industry"])
    while work_off():
        pass
    ended = events(admin, tenant)
    assert len(ended) == 3
    assert sum(event["changed"] for event in ended) == 2
    assert set(values(admin, tenant, "acme")) == {"industry", "employees"}


def test_records_that_have_grown_stale_are_asked_for_again(
    admin: Admin, tenant: int, configure: Callable[..., None], farm: int
) -> None:
    schedule = "[schedule.account]\nafter_days = 30\n"
    configure(provider("orbit", farm), provider("lumen", farm), FIELDS, schedule)
    account(admin, tenant, "old")
    account(admin, tenant, "fresh")
    account(admin, tenant, "gone")
    enrich(tenant, "old", "fresh", "gone")
    admin.execute(
        "update crm.enrichment_latest set ended_at = now() - interval '31 days' where record_id <> 'fresh'"
    )
    admin.execute("delete from crm.account where id = 'gone'")
    assert ask_for_stale() == 1
    assert ask_for_stale() == 0
    row = admin.execute(
        "select record_id, priority, requested_by from crm.enrichment_pass where state = 'waiting'"
    ).fetchall()
    assert row == [("old", 9, "system")]


@pytest.mark.usefixtures("two")
def test_one_pass_that_cannot_be_booked_fails_alone_and_keeps_nothing_reserved(
    admin: Admin, tenant: int
) -> None:
    for id_ in ("good", "evil", "fine"):
        account(admin, tenant, id_)
    admin.execute(
        "alter table crm.account add constraint no_evil check (id <> 'evil' or not fields ? 'industry')"
    )
    with structlog.testing.capture_logs() as logs:
        enrich(tenant, "good", "evil", "fine")
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["pass_failed"]
    assert {event["account"]: event["type"].split("_")[1] for event in events(admin, tenant)} == {
        "good": "completed",
        "evil": "failed",
        "fine": "completed",
    }
    assert admin.execute("select reserved, calls from crm.enrichment_spend").fetchall() == [(Decimal(0), 2)]
    assert values(admin, tenant, "evil") == {}
