"""Every state the page can be in: what it shows there, and that all can use it (axe, light and dark)."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Page, Route, expect

from tests.site import ROOT, Open, Site

AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"


def violations(page: Page) -> list[str]:
    """What axe objects to, by rule and place.

    Everything in light colours, and in dark ones what depends on colour.
    """
    if not AXE.exists():
        pytest.skip("axe-core is not installed: make install")
    page.evaluate(AXE.read_text())
    found = []
    for scheme, rules in (("light", None), ("dark", ["color-contrast", "link-in-text-block"])):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # mypy widens the texts of a tuple
        found += page.evaluate(
            "(rules) => axe.run(document, {resultTypes: ['violations'], runOnly: rules ?? undefined})", rules
        )["violations"]
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}" for one in found for node in one["nodes"]
    ]


@pytest.fixture
def busy(site: Site, account: str, named_accounts: Callable[..., None]) -> str:
    """An account with some of everything."""
    named_accounts(**{account: ("Acme", None)})
    opened = {"type": "email.opened", "payload": {"subject": "Terms"}, "actor": "jo@acme.example"}
    said: list[dict[str, Any]] = [
        {"type": "email.sent", "payload": {"subject": "Terms", "to_name": "Jo Park"}},
        {**opened, "occurred_at": "2026-01-05T10:05:00Z"},
        {**opened, "occurred_at": "2026-01-05T10:00:00Z"},
        {"type": "call.completed", "payload": {"contact_name": "Jo Park", "outcome": "interested"}},
        {"type": "deal.stage_changed", "payload": {"name": "Renewal", "from_stage": "A", "to_stage": "B"}},
        {"type": "deal.won", "payload": {"name": "Renewal", "amount": "1250", "currency": "EUR"}},
        {"type": "email.bounced", "payload": {"subject": "Terms"}},
        {"type": "signal.detected", "payload": {"signal": "visit"}},
        {
            "type": "account.updated",
            "payload": {"name": "Acme", "changes": [{"field": "city", "from": None, "to": {"name": "Ulm"}}]},
        },
        {
            "type": "note.added",
            "payload": {"text": "A note"},
            "contact_id": "jo",
            "occurred_at": "2025-11-05T10:00:00Z",
        },
    ]
    site.say_all([{"account_id": account, **one} for one in said])
    return account


def fail(status: int, slug: str) -> Callable[[Route], None]:
    body = {
        "type": f"/problems/{slug}",
        "title": slug,
        "status": status,
        "detail": "Told why",
        "instance": "urn:uuid:0000",
    }
    return lambda route: route.fulfill(status=status, json=body, content_type="application/problem+json")


def test_the_feed_and_its_forms_are_accessible(open_page: Open, busy: str) -> None:
    page = open_page(f"/?account={busy}")
    expect(page.get_by_role("article")).to_have_count(9)
    assert violations(page) == []
    page.get_by_role("button", name="Show all 2 times").click()
    page.get_by_role("button", name="Add note").click()
    page.get_by_role("button", name="Filter").click()
    assert violations(page) == []
    page.get_by_role("button", name="Log call").click()
    page.get_by_role("button", name="Settings").click()
    assert violations(page) == []
    page.get_by_role("button", name="Keyboard").click()
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    assert violations(page) == []


@pytest.mark.parametrize("width", [1500, 390])
def test_the_panel_is_accessible_beside_the_feed_and_over_it(open_page: Open, busy: str, width: int) -> None:
    page = open_page(f"/?account={busy}", viewport={"width": width, "height": 800})
    page.get_by_role("article").filter(has_text="updated Acme").locator("time").click()
    panel = page.get_by_role("region" if width > 1100 else "dialog", name="Event details")
    expect(panel).to_contain_text("Ulm")
    assert violations(page) == []
    page.keyboard.press("Escape")
    expect(panel).to_have_count(0)
    expect(page.get_by_role("article").filter(has_text="updated Acme")).to_be_focused()


def test_signing_in_is_accessible(open_page: Open) -> None:
    page = open_page()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("API key").fill("act_wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert violations(page) == []


def test_an_account_without_events_says_how_the_first_one_comes(open_page: Open, account: str) -> None:
    page = open_page(f"/?account={account}")
    expect(page.get_by_text("No activity yet")).to_be_visible()
    expect(page.get_by_text("curl ")).to_contain_text(f'"account_id":"{account}"')
    assert violations(page) == []


def test_a_filter_that_nothing_passes_can_be_cleared(open_page: Open, busy: str) -> None:
    page = open_page(f"/?account={busy}&type=task.created&tab=all")
    expect(page.get_by_text("No events match")).to_be_visible()
    assert violations(page) == []
    page.locator(".state").get_by_role("button", name="Clear filters").click()
    expect(page.get_by_role("article")).to_have_count(9)


def test_loading_is_drawn_as_bones_and_said_in_words(open_page: Open, busy: str) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page = open_page("/?account=other")
    page.route("**/v1/events?*", hold)
    page.goto(page.url.replace("other", busy), wait_until="commit")
    expect(page.locator(".skeleton .row")).to_have_count(6)
    expect(page.get_by_role("feed")).to_have_attribute("aria-busy", "true")
    assert violations(page) == []
    for route in held:
        route.continue_()
    expect(page.get_by_role("article")).to_have_count(9)
    expect(page.get_by_role("feed")).to_have_attribute("aria-busy", "false")


def test_an_error_says_what_to_do_and_trying_again_helps(open_page: Open, busy: str) -> None:
    page = open_page("/?account=other")
    page.route("**/v1/events?*", fail(503, "unavailable"))
    page.goto(page.url.replace("other", busy))
    expect(page.get_by_role("alert")).to_contain_text("urn:uuid:0000")
    assert violations(page) == []
    page.unroute("**/v1/events?*")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("article")).to_have_count(9)


def test_a_failed_next_page_leaves_what_is_shown(site: Site, open_page: Open, account: str) -> None:
    site.say_all(
        [{"type": "note.added", "account_id": account, "payload": {"text": f"{n}"}} for n in range(60)]
    )
    page = open_page("/?account=other")
    page.route("**/v1/events?*cursor=*", fail(503, "unavailable"))
    page.goto(page.url.replace("other", account))
    expect(page.get_by_role("article")).to_have_count(50)
    page.mouse.wheel(0, 5000)
    expect(page.get_by_role("alert")).to_contain_text("could not be loaded")
    page.unroute("**/v1/events?*cursor=*")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("article")).to_have_count(60)


def test_who_may_not_read_is_told_so(site: Site, open_page: Open) -> None:
    page = open_page(key=site.make_key("writer", "write"), fresh=True)
    expect(page.get_by_text("You may not see this")).to_be_visible()
    expect(page.get_by_role("button", name="Add note")).to_have_count(0)
    assert violations(page) == []


def test_a_lost_network_is_said_and_what_was_loaded_stays(open_page: Open, busy: str) -> None:
    page = open_page(f"/?account={busy}")
    expect(page.locator(".status.live")).to_be_visible()
    page.context.set_offline(True)
    expect(page.get_by_text("You are offline")).to_be_visible()
    expect(page.get_by_role("article")).to_have_count(9)
    assert violations(page) == []
    page.context.set_offline(False)
    expect(page.locator(".status.live")).to_be_visible()


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (403, "You may not see this"),
        (404, "There is no such event"),
        (410, "The content of this event was erased"),
    ],
)
def test_the_panel_says_why_it_cannot_show_an_event(
    open_page: Open, busy: str, status: int, said: str
) -> None:
    page = open_page("/?account=other", viewport={"width": 1500, "height": 800})
    unknown = str(uuid4())
    page.route(f"**/v1/events/{unknown}?*", fail(status, "problem"))
    page.goto(page.url.replace("other", f"{busy}&event={unknown}"))
    expect(page.get_by_role("region", name="Event details")).to_contain_text(said)
    expect(page.get_by_role("article")).to_have_count(9)
    assert violations(page) == []


def test_erased_content_is_said_to_be_erased(site: Site, open_page: Open, account: str) -> None:
    said = site.say("note.added", {"text": "private"}, account)
    page = open_page("/?account=other", viewport={"width": 1500, "height": 800})

    def erase(route: Route) -> None:
        answer = route.fetch()
        told = answer.json()
        told["event"].update(
            payload=None, summary="Note: content erased", summary_parts=[{"t": "Note: content erased"}]
        )
        route.fulfill(response=answer, json=told)

    page.route(f"**/v1/events/{said['event_id']}?*", erase)
    page.goto(page.url.replace("other", f"{account}&event={said['event_id']}"))
    expect(page.get_by_role("region", name="Event details")).to_contain_text(
        "The content was erased; the event itself remains."
    )


def test_at_400_percent_zoom_nothing_needs_scrolling_sideways(open_page: Open, busy: str) -> None:
    page = open_page(f"/?account={busy}", viewport={"width": 320, "height": 256})  # 1280 by 1024 at 400 %
    expect(page.get_by_role("article")).to_have_count(9)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.get_by_role("article").first.locator("time").click()
    expect(page.get_by_role("dialog", name="Event details")).to_be_visible()
    assert (
        page.evaluate(
            "document.querySelector('activity-feed').shadowRoot.querySelector('dialog').scrollWidth"
        )
        <= 320
    )


def test_who_wants_no_motion_gets_none(site: Site, open_page: Open, account: str) -> None:
    page = open_page(f"/?account={account}", reduced_motion="reduce")
    expect(page.locator(".status.live")).to_be_visible()
    site.say("note.added", {"text": "new"}, account)
    row = page.locator("article.fresh .row")
    assert row.evaluate("(row) => getComputedStyle(row).animationName") == "none"


def test_a_screen_reader_finds_a_feed_of_articles(open_page: Open, busy: str) -> None:
    page = open_page(f"/?account={busy}")
    rows = page.get_by_role("feed", name="Acme").get_by_role("article")
    expect(rows).to_have_count(9)
    names = [
        row.evaluate(
            "(row) => row.getRootNode().getElementById(row.getAttribute('aria-labelledby')).textContent"
        )
        for row in rows.all()
    ]
    assert any("Deal won: " in name and "won Renewal for 1,250.00 EUR" in name for name in names)
    assert [row.get_attribute("aria-posinset") for row in rows.all()] == [str(n) for n in range(1, 10)]
    assert [row.get_attribute("tabindex") for row in rows.all()].count("0") == 1
    expect(page.get_by_role("feed").locator("> *:not(.group), .group > *:not(article)")).to_have_count(0)
