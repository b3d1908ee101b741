"""What makes the page easy to use: where the focus goes, which way a text reads, what is new."""

from datetime import UTC, datetime, timedelta

from playwright.sync_api import Page, expect

from tests.site import Open, Site


def focused(page: Page) -> str:
    """The name of what has the focus within the feed."""
    name: str = page.evaluate(
        """() => {
          const at = document.querySelector('activity-feed').shadowRoot.activeElement;
          return at ? at.ariaLabel || at.className || at.textContent.trim() : 'nothing';
        }"""
    )
    return name


def test_what_closes_gives_the_focus_back(site: Site, open_page: Open, account: str) -> None:
    site.say("note.added", {"text": "kept"}, account)
    page = open_page(f"/?account={account}")
    expect(page.get_by_role("article")).to_have_count(1)
    expect(page.get_by_role("button", name="Add note")).to_be_visible()
    for key, opens, back in (("n", "textarea", "Add note"), ("/", ".popover", "Filter")):
        page.keyboard.press(key)
        expect(page.locator(opens)).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator(opens)).to_have_count(0)
        page.wait_for_function("() => document.activeElement !== document.body")
        assert focused(page) == back
    page.keyboard.press("2")
    expect(page.get_by_role("tab", name="Email")).to_be_focused()


def test_leaving_a_feed_at_its_end_reads_no_further(site: Site, open_page: Open, account: str) -> None:
    now = datetime.now(UTC)
    events = [
        {
            "type": "note.added",
            "account_id": account,
            "payload": {"text": f"note {n}"},
            "occurred_at": (now - timedelta(minutes=n)).isoformat(),
        }
        for n in range(130)
    ]
    site.say_all(events)
    page = open_page(f"/?account={account}")
    expect(page.get_by_role("article").first).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("Control+End")
    page.wait_for_function("() => !document.querySelector('activity-feed').model.isLoadingMore")
    assert focused(page) == "after"


def test_each_text_reads_in_its_own_direction(site: Site, open_page: Open, account: str) -> None:
    persian = "سلام، من دارم Acme 2 رو تست میکنم."
    said = site.say("note.added", {"text": persian}, account)
    page = open_page(f"/?account={account}&event={said['event_id']}", viewport={"width": 1500, "height": 800})
    written = page.locator("blockquote, article b, article [dir=auto], h2 [dir=auto]", has_text="Acme 2")
    expect(written).to_have_count(3)
    for text in written.all():
        assert text.evaluate("(text) => getComputedStyle(text).direction") == "rtl"
    page.evaluate("document.documentElement.dir = 'rtl'")
    sentence = page.get_by_role("article").locator(".text")
    assert sentence.evaluate("(text) => getComputedStyle(text).direction") == "ltr"


def test_one_line_stands_above_what_is_new_since_the_last_visit(
    site: Site, open_page: Open, account: str
) -> None:
    now = datetime.now(UTC)

    def say(hours: range, minutes: int) -> None:
        site.say_all(
            [
                {
                    "type": "note.added",
                    "account_id": account,
                    "payload": {"text": f"{minutes}"},
                    "occurred_at": (now - timedelta(hours=10 * n, minutes=minutes)).isoformat(),
                }
                for n in hours
            ]
        )

    say(range(8), 30)
    page = open_page(f"/?account={account}")
    expect(page.get_by_role("article")).to_have_count(8)
    expect(page.locator(".status.live")).to_be_visible()
    page.goto("about:blank")
    say(range(8), 60)
    page.goto(f"{site.url}/?account={account}")
    expect(page.get_by_role("article")).to_have_count(16)
    expect(page.locator(".since")).to_have_count(1)
    expect(page.locator("article.unseen")).to_have_count(8)
    expect(page.locator("article.unseen").first.locator(".since")).to_have_count(1)
