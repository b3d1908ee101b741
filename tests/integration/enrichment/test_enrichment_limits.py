"""What enrichment costs at most: budgets, kept answers, rate limits, and providers left alone."""

import time
from collections.abc import Callable
from decimal import Decimal

from bench.farm import counts
from db.engine import begin
from producers.enrichment import Priority, ask, ask_all
from producers.enrichment.run import work_off
from tests.enrichment import FIELDS, Admin, account, enrich, events, provider, values


def test_a_month_costs_no_more_than_its_budget(
    admin: Admin, tenant: int, configure: Callable[..., None], farm: int
) -> None:
    configure(provider("orbit", farm), provider("lumen", farm), "[budget]\nmonthly = 0.5", FIELDS)
    ids = [f"a{number}" for number in range(30)]
    for id_ in ids:
        account(admin, tenant, id_)
    enrich(tenant, *ids)
    assert admin.execute("select spent, reserved from crm.enrichment_spend").fetchall() == [
        (Decimal("0.5"), Decimal(0))
    ]
    types = [event["type"] for event in events(admin, tenant)]
    assert (types.count("enrichment_completed"), types.count("enrichment_failed")) == (10, 20)
    assert "over the month's budget of 0.5 EUR" in next(
        e["reason"] for e in events(admin, tenant) if e["type"] == "enrichment_failed"
    )


def test_an_answer_is_kept_and_so_is_that_nothing_is_known(
    admin: Admin, tenant: int, configure: Callable[..., None], farm: int
) -> None:
    caching = {"cache_days": 1, "negative_cache_days": 1}
    configure(provider("orbit", farm, **caching), provider("lumen", farm, **caching), FIELDS)
    account(admin, tenant, "one", "cached.example")
    account(admin, tenant, "two", "cached.example")
    account(admin, tenant, "three", "unknown.cached.example")
    enrich(tenant, "one", "three")
    asked = counts(farm)["asked"]
    enrich(tenant, "two", "three")
    assert counts(farm)["asked"] == asked
    assert values(admin, tenant, "two") == values(admin, tenant, "one")
    two = next(event for event in events(admin, tenant) if event["account"] == "two")
    assert (two["cost"], two["cached"], two["providers"]) == ("0", ["orbit"], ["orbit"])


def test_a_provider_that_keeps_failing_is_left_alone_and_tried_again_later(
    admin: Admin, tenant: int, configure: Callable[..., None], farm: int
) -> None:
    configure(
        "concurrency = 1",
        provider("orbit", farm, breaker_failures=3, breaker_s=600),
        FIELDS.replace(', "lumen"', ""),
    )
    for number in range(10):
        account(admin, tenant, f"bad{number}", f"500.bad{number}.example")
    account(admin, tenant, "good")
    before = counts(farm)["asked"]
    enrich(tenant, *(f"bad{number}" for number in range(10)))
    assert counts(farm)["asked"] - before == 3
    ((failures, is_open),) = admin.execute(
        "select failures, open_until > now() from crm.enrichment_provider"
    ).fetchall()
    assert (failures, is_open) == (3, True)
    assert any("left alone until" in event["reason"] for event in events(admin, tenant))
    admin.execute("update crm.enrichment_provider set open_until = now()")
    enrich(tenant, "good")
    assert admin.execute("select failures, open_until from crm.enrichment_provider").fetchall() == [(0, None)]


def test_a_rate_limit_holds_and_an_urgent_pass_goes_first(
    admin: Admin, tenant: int, configure: Callable[..., None], farm: int
) -> None:
    configure("concurrency = 10", provider("orbit", farm, rate_per_s=20), FIELDS.replace(', "lumen"', ""))
    ids = [f"a{number}" for number in range(20)]
    for id_ in [*ids, "urgent"]:
        account(admin, tenant, id_)
    with begin("producer", tenant) as session:
        ask_all(session, tenant, "account", ids, priority=Priority.SCHEDULE)
        urgent = ask(session, tenant, "account", "urgent")
    started = time.monotonic()
    while work_off():
        pass
    assert time.monotonic() - started > 0.8
    rows = admin.execute("select id from crm.enrichment_pass order by ended_at").fetchall()
    assert (urgent,) in rows[:3]
