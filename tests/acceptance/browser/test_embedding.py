"""What a CRM that shows the timeline in its own pages is promised. Its site is another origin: localhost instead of 127.0.0.1."""

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.site import ROOT, Site

EXAMPLES = ROOT / "docs" / "examples"


@pytest.fixture
def host_page(site: Site, browser: Browser, account: str) -> Iterator[Page]:
    """The example of docs/examples, on a site that may embed, about an account of this test."""
    crm = f"http://localhost:{site.port}"
    markup = (
        (EXAMPLES / "embed.html")
        .read_text()
        .replace("https://activity.example.com", site.url)
        .replace('account="acme"', f'account="{account}"')
    )
    assert site.url in markup
    assert account in markup
    profile = browser.new_context(locale="en-GB", viewport={"width": 1000, "height": 800})
    page = profile.new_page()
    page.route(f"{crm}/account", lambda route: route.fulfill(body=markup, content_type="text/html"))
    page.route(f"{crm}/embed.js", lambda route: route.fulfill(path=EXAMPLES / "embed.js", content_type="text/javascript"))
    page.route(f"{crm}/activity-token", lambda route: route.fulfill(json={"value": site.key, "ends": (time.time() + 3600) * 1000}))
    page.goto(f"{crm}/account")
    yield page
    profile.close()


def test_the_element_reads_follows_and_writes_from_another_site(site: Site, host_page: Page, account: str) -> None:
    expect(host_page.get_by_text("No activity yet")).to_be_visible()
    expect(host_page.locator(".status.live")).to_be_visible()
    site.say("note.added", {"text": "from elsewhere"}, account)
    expect(host_page.get_by_role("article")).to_contain_text("from elsewhere")
    host_page.get_by_role("button", name="Add note").click()
    host_page.get_by_label("Note", exact=True).fill("from the CRM")
    host_page.get_by_role("button", name="Save").click()
    expect(host_page.get_by_role("article").first).to_contain_text("added a note: from the CRM")
    expect(host_page.get_by_role("article")).to_have_count(2)


def test_the_element_links_records_to_the_crm_and_leaves_its_address_alone(site: Site, host_page: Page, account: str) -> None:
    site.say("deal.won", {"name": "Renewal"}, account, record_type="opportunity", record_id="d 77")
    address = host_page.url
    host_page.get_by_role("article").first.locator("time").click()
    panel = host_page.get_by_role("dialog", name="Event details")
    expect(panel.get_by_role("link", name="Open")).to_have_count(2)
    expect(panel.get_by_role("link", name="Open").nth(1)).to_have_attribute("href", "https://crm.example.com/opportunitys/d%2077")
    assert host_page.url == address


def test_the_element_takes_its_colour_and_heading_from_the_host(host_page: Page) -> None:
    expect(host_page.get_by_role("heading", name="What happened", level=2)).to_be_visible()
    tab = host_page.get_by_role("tab", name="All")
    expect(tab).to_have_css("border-bottom-color", "rgb(122, 60, 201)")
    expect(tab).to_have_css("font-family", "Georgia, serif")


def test_a_site_that_is_not_named_is_kept_out(site: Site, browser: Browser) -> None:
    page = browser.new_page()
    page.route("http://other.localhost:*/", lambda route: route.fulfill(body="<title>Other</title>", content_type="text/html"))
    page.goto(f"http://other.localhost:{site.port}/")
    said = page.evaluate(
        "(url) => fetch(url, {headers: {Authorization: 'Bearer x'}}).then(() => 'read', (error) => error.name)", f"{site.url}/v1/events"
    )
    page.close()
    assert said == "TypeError"
