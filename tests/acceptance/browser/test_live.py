"""What the page promises while things happen.

Events appear by themselves, reading is not disturbed, nothing is missed or doubled.
"""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from tests.site import Open, Site, until

OTHER_LOG = f"00000000-0000-4000-8000-000000000000-{7:016d}"  # a position
SHOWN = """async (text) => {
  const feed = document.querySelector('activity-feed');
  const rows = () => [...feed.shadowRoot.querySelectorAll('article')];
  const isShown = () => rows().some((row) => row.textContent.includes(text));
  while (!isShown()) await new Promise(requestAnimationFrame);
  return Date.now();
}"""


def ago(**span: float) -> str:
    return (datetime.now(UTC) - timedelta(**span)).isoformat()


def notes(account: str, count: int) -> list[dict[str, object]]:
    return [
        {
            "type": "note.added",
            "account_id": account,
            "payload": {"text": f"old {n}"},
            "occurred_at": ago(minutes=5 + n),
        }
        for n in range(count)
    ]


def live(page: Page) -> None:
    expect(page.locator(".status.live")).to_be_visible()


def texts(page: Page) -> list[str]:
    found: list[str] = page.evaluate(
        "document.querySelector('activity-feed').model.events.map((event) => event.payload.text)"
    )
    return found


def test_an_event_is_on_the_screen_within_200_ms_of_its_append(
    site: Site, open_page: Open, account: str
) -> None:
    page = open_page(f"/?account={account}")
    live(page)
    delays = []
    for n in range(7):
        said = site.say("note.added", {"text": f"prompt {n}"}, account)
        shown = page.evaluate(SHOWN, f"prompt {n}")
        recorded = site.call("GET", f"events/{said['event_id']}")["event"]["recorded_at"]
        delays.append(shown - datetime.fromisoformat(recorded).timestamp() * 1000)
    assert min(delays) < 200, delays  # the best of seven: other processes share these cores


def test_new_events_wait_behind_a_pill_while_somebody_reads(
    site: Site, open_page: Open, account: str
) -> None:
    site.say_all(notes(account, 60))
    page = open_page(f"/?account={account}")
    live(page)
    page.mouse.move(600, 500)
    page.mouse.wheel(0, 900)
    until(lambda: page.evaluate("scrollY") > 800)
    row = page.get_by_role("article").filter(has_text="old 20")
    before = row.bounding_box()
    site.say("note.added", {"text": "something new"}, account)
    site.say("note.added", {"text": "something newer"}, account)
    pill = page.get_by_role("button", name="2 new events")
    expect(pill).to_be_visible()
    expect(page.get_by_role("article").filter(has_text="something new")).to_have_count(0)
    assert row.bounding_box() == before
    pill.click()
    expect(page.get_by_role("article").first).to_contain_text("something newer")
    expect(page.get_by_role("article").first).to_be_focused()
    expect(page.get_by_role("article").first).to_be_in_viewport()


def test_an_event_logged_later_goes_where_it_belongs_and_moves_nothing(
    site: Site, open_page: Open, account: str
) -> None:
    site.say_all(notes(account, 45))
    page = open_page(f"/?account={account}")
    live(page)
    page.mouse.move(600, 500)
    page.mouse.wheel(0, 700)
    until(lambda: page.evaluate("scrollY") > 600)
    before = page.evaluate("scrollY")
    top = page.get_by_role("article").filter(has_text="old 20")
    place = top.bounding_box()
    site.say("note.added", {"text": "of before"}, account, occurred_at=ago(minutes=5 + 30.5))
    expect(page.get_by_role("article").filter(has_text="of before")).to_contain_text("logged later")
    assert texts(page).index("of before") == 31
    assert (page.evaluate("scrollY"), top.bounding_box()) == (before, place)
    expect(page.locator(".pill")).to_have_count(0)


def test_after_the_server_was_killed_nothing_is_missing_or_doubled(
    site: Site, open_page: Open, account: str
) -> None:
    site.say_all(notes(account, 5))
    page = open_page(f"/?account={account}")
    live(page)
    try:
        site.kill()
        site.say_by_message(
            [
                {"type": "note.added", "account_id": account, "payload": {"text": f"missed {n}"}}
                for n in range(120)
            ]
        )
        until(
            lambda: (
                site.query("select count(*) from activity.event where account_id = %s", account) == [(125,)]
            )
        )
        expect(page.locator(".status.reconnecting")).to_be_visible()
        expect(page.get_by_role("article")).to_have_count(5)  # what was loaded stays readable
    finally:
        site.serve()
    until(lambda: len(texts(page)) >= 125, 45)
    site.say("note.added", {"text": "after it"}, account)
    expect(page.get_by_role("article").first).to_contain_text("after it")
    assert sorted(texts(page)) == sorted(
        ["after it", *(f"missed {n}" for n in range(120)), *(f"old {n}" for n in range(5))]
    )
    live(page)


def test_all_tabs_of_a_browser_share_one_stream_and_the_next_takes_over(
    site: Site, open_page: Open, account: str
) -> None:
    def streams() -> int:
        text = httpx.get(f"{site.url}/metrics", timeout=5).text
        return int(
            sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith("activity_streams"))
        )

    until(lambda: streams() == 0)
    tabs = [open_page(f"/?account={account}") for _ in range(8)]
    for tab in tabs:
        live(tab)
    assert streams() == 1
    site.say("note.added", {"text": "to all"}, account)
    for tab in tabs:
        expect(tab.get_by_role("article")).to_have_count(1)
    tabs.pop(0).close()
    site.say("note.added", {"text": "to the rest"}, account)
    for tab in tabs:
        expect(tab.get_by_role("article")).to_have_count(2)
    assert streams() == 1


def test_a_note_is_shown_at_once_and_stored_once(site: Site, open_page: Open, account: str) -> None:
    page = open_page(f"/?account={account}")
    live(page)
    with page.expect_response(lambda answer: answer.url.endswith("/notes")) as answered:
        page.keyboard.press("n")
        page.get_by_label("Title").fill("Budget")
        page.get_by_label("Note", exact=True).fill("Is decided in January")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("article")).to_have_count(1)  # at once, whatever the server does
    assert answered.value.status in (200, 201)
    expect(page.locator(".draft")).to_have_count(0)
    expect(page.get_by_role("article")).to_have_count(1)
    expect(page.get_by_role("article")).to_contain_text(
        "Ana Ruiz added the note “Budget”: Is decided in January"
    )


@pytest.mark.parametrize("fault", ["the answer is lost", "the server is away"])
def test_a_note_that_was_not_confirmed_is_sent_again_and_stored_once(
    site: Site, open_page: Open, account: str, fault: str
) -> None:
    page = open_page(f"/?account={account}")
    live(page)
    tries: list[str] = []

    def fail_first(route: Route) -> None:
        tries.append(route.request.headers["idempotency-key"])
        if len(tries) > 1:
            return route.continue_()
        if fault == "the answer is lost":
            route.fetch()
        return route.abort()

    page.route("**/notes", fail_first)
    page.keyboard.press("n")
    page.get_by_label("Note", exact=True).fill("Once")
    page.get_by_role("button", name="Save").click()
    until(lambda: page.evaluate("1") and len(tries) == 2)
    expect(page.locator(".draft")).to_have_count(0)
    expect(page.get_by_role("article")).to_have_count(1)
    assert tries[0] == tries[1]
    assert site.query("select count(*) from activity.event where account_id = %s", account) == [(1,)]


def test_what_is_written_offline_is_kept_over_a_reload_and_sent_when_back(
    site: Site, open_page: Open, account: str
) -> None:
    page = open_page(f"/?account={account}")
    live(page)
    page.context.set_offline(True)
    expect(page.get_by_text("You are offline")).to_be_visible()
    page.get_by_role("button", name="Add note").first.click()
    page.get_by_label("Note", exact=True).fill("From the train")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".draft")).to_contain_text("will be sent when you are back")
    page.context.set_offline(False)
    page.reload()
    expect(page.locator(".draft")).to_have_count(0)
    expect(page.get_by_role("article")).to_have_count(1)
    expect(page.get_by_role("article")).to_contain_text("From the train")
    live(page)


def test_what_is_erased_leaves_the_open_page(site: Site, open_page: Open, account: str) -> None:
    contact = f"pat-{account}"
    site.query("insert into crm.contact (tenant_id, id) values (%s, %s)", site.tenant, contact)
    said = site.say("note.added", {"text": "Pat has a diagnosis"}, account, contact_id=contact)
    page = open_page(f"/?account={account}&event={said['event_id']}", viewport={"width": 1500, "height": 800})
    panel = page.get_by_role("region", name="Event details")
    expect(panel.locator("blockquote")).to_have_text("Pat has a diagnosis")
    live(page)
    site.run("erase", contact, "--tenant", "acme", "--actor", "dpo@example.com", "--yes")
    expect(page.get_by_text("diagnosis")).to_have_count(0, timeout=5_000)
    expect(panel).to_contain_text("The content was erased; the event itself remains.")
    expect(page.get_by_role("article")).to_contain_text("content erased")


def test_a_call_of_yesterday_goes_below_what_happened_since(
    site: Site, open_page: Open, account: str
) -> None:
    site.say("note.added", {"text": "of now"}, account)
    page = open_page(f"/?account={account}")
    page.get_by_role("button", name="Log call").click()
    page.get_by_label("With").fill("Jo Park")
    page.get_by_label("Minutes").fill("12")
    page.get_by_label("When").fill((datetime.now() - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M"))  # noqa: DTZ005  # as a person types it
    page.get_by_role("button", name="Save").click()
    row = page.get_by_role("article").nth(1)
    expect(row).to_contain_text("logged an outgoing call with Jo Park (12 min)")
    expect(row).to_contain_text("logged later")


def test_a_comment_is_written_where_comments_are_read(site: Site, open_page: Open, account: str) -> None:
    page = open_page(f"/?account={account}&tab=comments")
    page.get_by_role("button", name="Comment", exact=True).click()
    page.get_by_label("Comment", exact=True).last.fill("I will call them.")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".draft")).to_have_count(0)
    expect(page.get_by_role("article")).to_contain_text("Ana Ruiz commented: I will call them.")
    expect(page.get_by_role("tab", name="Comments")).to_contain_text("1")


def test_a_new_life_of_the_log_makes_the_page_read_it_anew(site: Site, open_page: Open, account: str) -> None:
    site.say("note.added", {"text": "kept"}, account)
    page = open_page(f"/?account={account}")
    live(page)
    page.evaluate("document.querySelector('activity-feed').model.events = []")
    page.route(
        "**/v1/stream*",
        lambda route: route.continue_(headers={**route.request.headers, "last-event-id": OTHER_LOG}),
    )
    page.evaluate(
        "dispatchEvent(new Event('online'))"
    )  # the stream is opened again, by a position of another log
    expect(page.get_by_text("Feed reloaded")).to_be_visible()
    expect(page.get_by_role("article")).to_have_count(1)


def test_an_open_page_shows_what_became_of_an_event(site: Site, open_page: Open, account: str) -> None:
    wrong = site.say("note.added", {"text": "They owe 100"}, account)["event_id"]
    page = open_page(f"/?account={account}&event={wrong}", viewport={"width": 1500, "height": 800})
    row = page.locator(f"article[data-id='{wrong}']")
    panel = page.get_by_role("region", name="Event details")
    expect(panel.locator("blockquote")).to_have_text("They owe 100")
    live(page)
    correction = f"events/{wrong}/corrections"
    site.call("POST", correction, {"correct": {"text": "They owe 90"}, "reason": "misheard"}, Prefer="wait=5")
    expect(row.locator(".sentence")).to_contain_text("added a note: They owe 90")
    expect(row.locator("del")).to_contain_text("They owe 100")
    expect(row).to_contain_text("corrected by Ana Ruiz")
    expect(panel.locator("blockquote")).to_have_text(["They owe 90", "They owe 100"])
    expect(panel.locator(".fate")).to_contain_text("misheard")
    site.call("POST", correction, {"retracted": True}, Prefer="wait=5")
    expect(row.locator(".sentence del")).to_contain_text("added a note")
    expect(row).to_contain_text("withdrawn by Ana Ruiz")
    expect(panel.locator(".fate")).to_contain_text("withdrawn by Ana Ruiz")
