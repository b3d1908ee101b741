"""What the reader of the page is promised: rows, the panel, tabs, filters, folding."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from tests import vectors
from tests.site import Open, Site, until

MOVED = {
    "name": "Acme renewal",
    "from_stage": "Proposal",
    "to_stage": "Negotiation",
    "amount": "125000.00",
    "currency": "EUR",
}


def ago(**span: float) -> str:
    return (datetime.now(UTC) - timedelta(**span)).isoformat()


def note(account: str, n: int) -> dict[str, Any]:
    return {"type": "note.added", "account_id": account, "payload": {"text": f"note {n}"}}


def sentences(page: Page) -> list[str]:
    return [
        re.sub(r"^.*?: ", "", text, count=1) for text in page.locator("article .sentence").all_text_contents()
    ]


def test_a_person_signs_in_with_a_key_and_out_again(site: Site, open_page: Open, account: str) -> None:
    site.say("note.added", {"text": "something to read"}, account)
    page = open_page(fresh=True)
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("API key").fill("act_wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("API key").fill(site.key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("ana.ruiz@vendor.example")).to_be_visible()
    expect(page.get_by_role("feed")).to_be_visible()
    assert site.key not in page.evaluate(
        "document.cookie + JSON.stringify({...localStorage, ...sessionStorage}) + location.href"
    )


def test_a_row_says_who_did_what_to_whom_and_when(
    site: Site, open_page: Open, account: str, named_accounts: Callable[..., None]
) -> None:
    named_accounts(**{account: ("Acme & Sons", None)})
    site.say("deal.stage_changed", MOVED, account, actor="li.wei@vendor.example", occurred_at=ago(minutes=12))
    row = open_page("/?actor=li.wei%40vendor.example&type=deal.*").get_by_role("article").first
    expect(row).to_contain_text("Li Wei moved Acme renewal from Proposal to Negotiation")
    expect(row).to_contain_text("Acme & Sons")
    expect(row.locator("time")).to_have_text("12 min")
    expect(
        row.get_by_role("heading", name="Today").or_(row.get_by_role("heading", name="Yesterday"))
    ).to_be_visible()
    expect(row.locator(".sr")).to_have_text("Deal stage changed: ")
    expect(row.locator(".badge use")).to_have_attribute("href", "#i-arrow-right-left")


def test_a_type_of_the_workspace_s_own_is_shown_too(site: Site, open_page: Open, account: str) -> None:
    site.say("billing.invoice_paid", {"number": 7}, account)
    row = open_page(f"/?account={account}").get_by_role("article")
    expect(row).to_contain_text("recorded billing.invoice_paid")
    expect(row.locator("use")).to_have_attribute("href", "#i-activity")


def test_what_was_logged_later_stands_where_it_happened_and_says_so(
    site: Site, open_page: Open, account: str
) -> None:
    site.say("note.added", {"text": "first"}, account)
    site.say("call.completed", {"contact_name": "Jo Park"}, account, occurred_at=ago(days=1))
    page = open_page(f"/?account={account}")
    expect(page.get_by_role("article")).to_have_count(2)
    expect(page.get_by_role("article").nth(1)).to_contain_text("logged later")
    expect(page.get_by_role("article").nth(0)).not_to_contain_text("logged later")
    expect(page.get_by_role("heading", name="Yesterday")).to_be_visible()


def test_the_panel_tells_everything_and_has_an_address(site: Site, open_page: Open, account: str) -> None:
    cause = site.say(
        "email.replied", {"subject": "Renewal terms"}, account, occurred_at="2026-01-05T10:00:00.123Z"
    )
    said = site.say(
        "deal.stage_changed",
        MOVED,
        account,
        cause_id=cause["event_id"],
        occurred_at="2026-01-05T11:00:00.5Z",
        record_type="opportunity",
        record_id="d_77",
    )
    page = open_page(f"/?account={account}", viewport={"width": 1500, "height": 900})
    page.get_by_role("article").first.click()
    panel = page.get_by_role("region", name="Event details")
    expect(panel.get_by_role("heading", level=2)).to_be_focused()
    expect(panel).to_contain_text("5 Jan 2026, 12:00:00.500 CET")
    expect(panel).to_contain_text("5 Jan 2026, 11:00:00.500 UTC")
    expect(panel).to_contain_text("125000.00")
    expect(panel).to_contain_text("d_77")
    expect(panel.get_by_role("row", name="stage Proposal Negotiation")).to_be_visible()
    expect(panel).to_contain_text(said["event_id"])
    panel.get_by_role("link", name="received a reply").click()
    expect(page).to_have_url(re.compile(f"event={cause['event_id']}"))
    expect(panel.get_by_role("heading", level=2)).to_contain_text("received a reply")
    page.go_back()
    expect(page).to_have_url(re.compile(f"event={said['event_id']}"))
    page.go_back()
    expect(panel).to_have_count(0)


def test_a_shared_link_opens_the_feed_around_its_event(site: Site, open_page: Open, account: str) -> None:
    events = [
        {
            "event_id": str(uuid4()),
            "type": "note.added",
            "account_id": account,
            "payload": {"text": f"note {n}"},
            "occurred_at": ago(hours=n),
        }
        for n in range(160)
    ]
    site.say_all(events)
    page = open_page(
        f"/?account={account}&event={events[120]['event_id']}", viewport={"width": 1500, "height": 900}
    )
    expect(page.get_by_role("article").filter(has_text="note 120")).to_be_in_viewport()
    expect(page.get_by_role("region", name="Event details")).to_contain_text("note 120")


def test_older_events_come_by_scrolling_down_to_the_beginning(
    site: Site, open_page: Open, account: str
) -> None:
    site.say_all(
        [
            {
                "type": "note.added",
                "account_id": account,
                "payload": {"text": f"note {n}"},
                "occurred_at": ago(minutes=n),
            }
            for n in range(130)
        ]
    )
    page = open_page(f"/?account={account}")
    expect(page.get_by_role("article")).not_to_have_count(0)
    beginning = page.get_by_text("Beginning of history")
    while not beginning.is_visible():
        page.mouse.wheel(0, 3000)
        until(lambda: not page.evaluate("document.querySelector('activity-feed').model.isLoadingMore"))
    assert [text.split()[-1] for text in sentences(page)] == [str(n) for n in range(130)]


def test_repeated_opens_are_one_row_that_unfolds(site: Site, open_page: Open, account: str) -> None:
    opened = {
        "type": "email.opened",
        "account_id": account,
        "payload": {"subject": "Renewal terms"},
        "actor": "jo.park@acme.example",
        "record_type": "thread",
        "record_id": "t1",
    }
    site.say_all([{**opened, "occurred_at": f"2026-02-03T10:{minute:02d}:00Z"} for minute in (1, 9, 20, 44)])
    page = open_page(f"/?account={account}")
    rows = page.get_by_role("article")
    expect(rows).to_have_count(1)
    page.get_by_role("button", name="Show all 4 times").click()
    expect(rows).to_have_count(4)
    page.get_by_role("button", name="Show as one row").first.click()
    expect(rows).to_have_count(1)
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Show repeated opens as one row").uncheck()
    expect(rows).to_have_count(4)


def test_tabs_show_their_events_and_counts(
    site: Site, open_page: Open, account: str, named_accounts: Callable[..., None]
) -> None:
    child = f"{account}-child"
    named_accounts(**{account: ("Parent Ltd", None)})
    named_accounts(**{child: ("Daughter GmbH", account)})
    for type, payload in (
        ("email.sent", {"subject": "Hello"}),
        ("note.added", {"text": "A note"}),
        ("comment.added", {"text": "A comment"}),
        ("signal.detected", {"signal": "visit"}),
    ):
        site.say(type, payload, account)
    site.say("note.added", {"text": "Of the daughter"}, child)
    page = open_page(f"/?account={account}")
    expect(page.get_by_role("tab", name="All 4")).to_be_visible()
    for tab, text in (
        ("Email 1", "sent “Hello”"),
        ("Signals 1", "detected"),
        ("Notes 1", "A note"),
        ("Comments 1", "A comment"),
        ("Hierarchy 1", "Of the daughter"),
    ):
        page.get_by_role("tab", name=tab).click()
        expect(page.get_by_role("article")).to_have_count(1)
        expect(page.get_by_role("article")).to_contain_text(text)
    expect(page.get_by_role("article")).to_contain_text("Daughter GmbH")
    expect(page).to_have_url(re.compile("tab=hierarchy"))
    site.say("note.added", {"text": "Live from the daughter"}, child)
    expect(page.get_by_role("article").first).to_contain_text("Live from the daughter")
    page.reload()
    expect(page.get_by_role("article")).to_have_count(2)


def test_filters_narrow_and_each_can_be_taken_away(site: Site, open_page: Open, account: str) -> None:
    for n, actor in enumerate(("ana@vendor.example", "li@vendor.example")):
        site.say("note.added", {"text": f"note {n}"}, account, actor=actor)
        site.say("email.sent", {"subject": f"mail {n}"}, account, actor=actor)
    page = open_page(f"/?account={account}")
    rows = page.get_by_role("article")
    expect(rows).to_have_count(4)
    page.keyboard.press("/")
    page.get_by_label("Type").fill("email.*")
    page.get_by_label("Actor").fill("li@vendor.example")
    page.get_by_role("button", name="Apply").click()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("mail 1")
    page.get_by_role("button", name="Remove the filter Type email.*").click()
    expect(rows).to_have_count(2)
    page.go_back()
    expect(rows).to_have_count(1)
    page.get_by_role("button", name="Clear filters").click()
    expect(rows).to_have_count(4)


def test_everything_can_be_done_by_key(site: Site, open_page: Open, account: str) -> None:
    for n in range(3):
        site.say("note.added", {"text": f"note {n}"}, account, occurred_at=ago(minutes=5 - n))
    page = open_page(f"/?account={account}", viewport={"width": 1500, "height": 900})
    rows = page.get_by_role("article")
    expect(rows).to_have_count(3)
    page.keyboard.press("j")
    expect(rows.nth(0)).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(rows.nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    panel = page.get_by_role("region", name="Event details")
    expect(panel.get_by_role("heading", level=2)).to_contain_text("note 1")
    page.keyboard.press("]")
    expect(panel.get_by_role("heading", level=2)).to_contain_text("note 0")
    page.keyboard.press("Escape")
    expect(rows.nth(2)).to_be_focused()
    page.keyboard.press("Control+Home")
    expect(page.get_by_role("tab", name="All")).to_be_focused()
    page.keyboard.press("4")
    expect(page.get_by_role("tab", name="Notes")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Single-key shortcuts").uncheck()
    page.keyboard.press("1")
    expect(page.get_by_role("tab", name="Notes")).to_have_attribute("aria-selected", "true")


def test_markup_in_what_people_write_stays_text(site: Site, open_page: Open, account: str) -> None:
    naughty = (
        "<img src=x onerror=alert(1)><script>alert(2)</script> ${alert(3)} {{alert(4)}} javascript:alert(5)"
    )
    said = site.say(
        "note.added",
        {"text": naughty, "title": naughty},
        account,
        actor="<b>x</b>@vendor.example",
        record_type="note",
        record_id="<i>",
    )
    page = open_page(f"/?account={account}&event={said['event_id']}", viewport={"width": 1500, "height": 900})
    panel = page.get_by_role("region", name="Event details")
    expect(panel.locator("blockquote")).to_have_text(naughty)
    assert page.locator("img[src=x], article script, activity-panel script, activity-panel i").count() == 0


def test_hundreds_of_naughty_strings_are_shown_as_they_are(site: Site, open_page: Open, account: str) -> None:
    sets = (vectors.own("strings.json"), vectors.foreign("conformance/strings/blns.json", []))
    strings = [text for texts in sets for text in texts if text.strip() and "\x00" not in text]
    events: list[Any] = [
        {
            "type": "note.added",
            "account_id": account,
            "payload": {"text": text},
            "occurred_at": ago(seconds=n),
        }
        for n, text in enumerate(strings[:480])
    ]
    site.say_all(events)
    page = open_page(f"/?account={account}")
    expect(page.get_by_role("article")).not_to_have_count(0)
    page.evaluate("""async () => {
      const { model } = document.querySelector('activity-feed');
      while (model.hasMore) await (model.more(), new Promise(requestAnimationFrame));
    }""")
    shown = page.evaluate(
        "document.querySelector('activity-feed').model.events.map((event) => event.payload.text)"
    )
    assert shown == strings[:480]
    expect(page.get_by_role("article")).to_have_count(len(events))


def test_summaries_and_words_are_in_the_language_chosen(site: Site, open_page: Open, account: str) -> None:
    site.say("deal.stage_changed", MOVED, account)
    page = open_page(f"/?account={account}", locale="de-DE", fresh=True)
    expect(page.get_by_role("article")).to_contain_text("Acme renewal von Proposal nach Negotiation")
    expect(page.get_by_role("tab", name="Notizen")).to_be_visible()
    page.get_by_label("Sprache").select_option("en")
    expect(page.get_by_role("article")).to_contain_text("moved Acme renewal from Proposal to Negotiation")


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Tokyo", "America/New_York"])
def test_what_is_typed_and_what_is_shown_are_in_one_zone(
    site: Site, open_page: Open, account: str, zone: str
) -> None:
    page = open_page(f"/?account={account}&tz={zone}", timezone_id="UTC")
    page.get_by_role("button", name="Log call").click()
    page.get_by_label("When").fill("2026-10-25T09:00")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("article").locator("time")).to_have_text("09:00")
    page.get_by_role("button", name="Filter", exact=True).click()
    page.get_by_label("From").fill("2026-10-25")
    page.get_by_label("Until").fill("2026-10-25")
    page.get_by_role("button", name="Apply").click()
    chips = page.locator("ul.filters .chip")
    expect(chips).to_have_text(["From: 25 Oct 2026", "Until: 25 Oct 2026"])
    expect(page.get_by_role("article")).to_have_count(1)
    page.get_by_role("button", name="Filter", exact=True).click()
    page.get_by_label("Type").fill("call.*")
    page.get_by_role("button", name="Apply").click()
    expect(chips).to_have_text(["Type: call.*", "From: 25 Oct 2026", "Until: 25 Oct 2026"])
    page.reload()  # by the address alone
    expect(chips).to_have_count(3)
    expect(page.get_by_role("article").locator("time")).to_have_text("09:00")
