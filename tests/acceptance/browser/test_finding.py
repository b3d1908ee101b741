"""How a person gets to what they look for: lists, touches, search; and what is held back from them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.browser.test_states import violations
from tests.site import Open, Site


def ago(days: float) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).isoformat()


@pytest.fixture(scope="module")
def halden(site: Site) -> str:
    """An account that wrote five days ago and was written to before, beside one that nobody ever touched."""
    account, add = "halden", "insert into crm.account (tenant_id, id, name) values (%s, %s, %s)"
    site.query(add, site.tenant, account, "Halden Group")
    site.query(add, site.tenant, "halden-quiet", "Halden Cold Chain")
    site.say_all(
        [
            {"account_id": account, **one}
            for one in (
                {
                    "type": "email.sent",
                    "payload": {"subject": "Terms", "from_address": "ana.ruiz@vendor.example"},
                    "actor": "ana.ruiz@vendor.example",
                    "occurred_at": ago(9),
                },
                {
                    "type": "email.replied",
                    "payload": {"from_name": "Jo Park", "excerpt": "We take the Bernina offer."},
                    "occurred_at": ago(5),
                },
                {
                    "type": "deal.stage_changed",
                    "payload": {"name": "Renewal", "from_stage": "A", "to_stage": "B"},
                    "record_type": "opportunity",
                    "record_id": f"deal-{account}",
                    "occurred_at": ago(2),
                },
            )
        ]
    )
    site.follow()
    return account


def test_an_account_is_found_by_a_part_of_its_name_and_headed_by_its_touches(
    open_page: Open, halden: str
) -> None:
    page = open_page("/")
    page.get_by_role("link", name="Accounts").click()
    page.get_by_role("searchbox", name="Name").fill("halden")
    page.get_by_label("Order").select_option("silence")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("Halden Cold Chain")
    expect(rows.nth(0)).to_contain_text("never")
    expect(rows.nth(1)).to_contain_text("5 days ago")
    assert violations(page) == []
    page.reload()
    expect(page.get_by_role("searchbox", name="Name")).to_have_value("halden")
    rows.nth(1).get_by_role("link").click()
    head = page.locator(".touch")
    expect(head).to_contain_text("Last from them")
    expect(head).to_contain_text("Jo Park")
    expect(head).to_contain_text("5 days ago")
    assert violations(page) == []
    head.get_by_role("link", name="sent “Terms”").first.click()
    expect(page.get_by_label("Event details", exact=True)).to_contain_text("Terms")


def test_what_was_said_is_found_by_keys_alone_and_leads_to_its_event(open_page: Open, halden: str) -> None:
    page = open_page("/")
    page.get_by_role("searchbox", name="Search").focus()
    page.keyboard.type("bernin")
    page.keyboard.press("Enter")
    hit = page.locator(".hits li").filter(has_text="Halden Group").last
    expect(hit.locator("mark").first).to_have_text("Bernina")
    assert violations(page) == []
    hit.get_by_role("link").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Event details", exact=True)).to_contain_text("We take the Bernina offer.")


def test_a_search_says_what_was_searched_instead_and_where_there_is_nothing(
    open_page: Open, halden: str
) -> None:
    page = open_page("/?q=berninna")
    expect(page.get_by_text("This is what was found for “bernina”")).to_be_visible()
    expect(open_page("/?q=nothinglikethis").get_by_role("status")).to_have_text("Nothing was found")


def test_a_deal_has_a_timeline_that_its_event_leads_to(open_page: Open, halden: str) -> None:
    page = open_page(f"/?account={halden}")
    page.get_by_role("article").first.click()
    page.get_by_role("link", name=f"deal-{halden}").click()
    expect(page.get_by_role("article")).to_have_count(1)
    expect(page.get_by_role("heading", level=1)).to_have_text(f"opportunity:deal-{halden}")


@pytest.fixture
def for_participants(site: Site) -> Iterator[None]:
    """E-mails are for their participants as long as the test runs."""
    site.query("update crm.tenant set mail_contents = 'participants' where id = %s", site.tenant)
    yield
    site.query("update crm.tenant set mail_contents = 'everyone' where id = %s", site.tenant)


@pytest.mark.usefixtures("for_participants")
def test_who_is_no_participant_is_told_that_something_is_held_back(
    site: Site, open_page: Open, halden: str
) -> None:
    key = site.make_key("ben", "read", "write", actor="ben@vendor.example")
    page: Page = open_page(f"/?account={halden}&tab=email", key=key, fresh=True)
    expect(page.get_by_text("contents held back")).to_have_count(2)
    expect(page.get_by_text("Bernina")).to_have_count(0)
    page.get_by_role("article").first.click()
    panel = page.get_by_label("Event details", exact=True)
    expect(panel).to_contain_text("for the participants of the e-mail")
    expect(panel.get_by_role("button", name="Correct")).to_have_count(0)
    assert violations(page) == []
    mine = open_page(f"/?account={halden}&tab=email", fresh=True)
    expect(mine.get_by_text("Bernina").first).to_be_visible()


def test_touches_move_while_the_page_is_open(site: Site, open_page: Open, halden: str) -> None:
    page = open_page(f"/?account={halden}")
    expect(page.locator(".touch")).to_contain_text("5 days ago")
    site.say("call.completed", {"direction": "inbound", "contact_name": "Kim"}, halden)
    expect(page.locator(".touch")).to_contain_text("today")
