"""What a CRM that shows the timeline in its own pages is promised.

Its site is another origin: localhost instead of 127.0.0.1.
"""

import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.site import ROOT, Site

EXAMPLES = ROOT / "docs" / "examples"


class Crm(ThreadingHTTPServer):
    """The web server of the CRM: an account page, its script, and the tokens of its user."""

    def __init__(self, port: int, files: dict[str, tuple[str, str]]) -> None:
        self.files = files
        super().__init__(("127.0.0.1", port), _Answer)


class _Answer(BaseHTTPRequestHandler):
    server: Crm

    def do_GET(self) -> None:
        media_type, text = self.server.files.get(self.path, ("text/plain", ""))
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        self.end_headers()
        self.wfile.write(text.encode())

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *values: object) -> None:  # noqa: A002  # named so by the standard library
        """Say nothing."""


@pytest.fixture
def host_page(site: Site, browser: Browser, account: str) -> Iterator[Page]:
    """The example of docs/examples, on a site that may embed, about an account of this test."""
    markup = (
        (EXAMPLES / "embed.html")
        .read_text()
        .replace("https://activity.example.com", site.url)
        .replace('account="acme"', f'account="{account}"')
    )
    assert site.url in markup
    assert account in markup
    token = json.dumps({"value": site.key, "ends": (time.time() + 3600) * 1000})
    files = {
        "/account": ("text/html", markup),
        "/embed.js": ("text/javascript", (EXAMPLES / "embed.js").read_text()),
        "/activity-token": ("application/json", token),
    }
    with Crm(site.crm_port, files) as crm:
        Thread(target=crm.serve_forever, daemon=True).start()
        profile = browser.new_context(locale="en-GB", viewport={"width": 1000, "height": 800})
        page = profile.new_page()
        page.goto(f"http://localhost:{site.crm_port}/account")
        yield page
        profile.close()
        crm.shutdown()


def test_the_element_reads_follows_and_writes_from_another_site(
    site: Site, host_page: Page, account: str
) -> None:
    expect(host_page.get_by_text("No activity yet")).to_be_visible()
    expect(host_page.locator(".status.live")).to_be_visible()
    site.say("note.added", {"text": "from elsewhere"}, account)
    expect(host_page.get_by_role("article")).to_contain_text("from elsewhere")
    host_page.get_by_role("button", name="Add note").click()
    host_page.get_by_label("Note", exact=True).fill("from the CRM")
    host_page.get_by_role("button", name="Save").click()
    expect(host_page.get_by_role("article").first).to_contain_text("added a note: from the CRM")
    expect(host_page.get_by_role("article")).to_have_count(2)


def test_the_element_links_records_to_the_crm_and_leaves_its_address_alone(
    site: Site, host_page: Page, account: str
) -> None:
    site.say("deal.won", {"name": "Renewal"}, account, record_type="opportunity", record_id="d 77")
    address = host_page.url
    host_page.get_by_role("article").first.locator("time").click()
    panel = host_page.get_by_role("dialog", name="Event details")
    expect(panel.get_by_role("link", name="Open")).to_have_count(2)
    expect(panel.get_by_role("link", name="Open").nth(1)).to_have_attribute(
        "href", "https://crm.example.com/opportunitys/d%2077"
    )
    assert host_page.url == address


def test_the_element_takes_its_colour_and_heading_from_the_host(host_page: Page) -> None:
    expect(host_page.get_by_role("heading", name="What happened", level=2)).to_be_visible()
    tab = host_page.get_by_role("tab", name="All")
    expect(tab).to_have_css("border-bottom-color", "rgb(122, 60, 201)")
    expect(tab).to_have_css("font-family", "Georgia, serif")


def test_a_site_that_is_not_named_is_kept_out(site: Site, host_page: Page) -> None:
    read = (
        "(url) => fetch(url, {headers: {Authorization: 'Bearer x'}}).then((answer) => answer.status, "
        "(error) => error.name)"
    )
    assert host_page.evaluate(read, f"{site.url}/v1/events") == 401
    host_page.goto(host_page.url.replace("localhost", "127.0.0.1"))
    assert host_page.evaluate(read, f"{site.url}/v1/events") == "TypeError"
