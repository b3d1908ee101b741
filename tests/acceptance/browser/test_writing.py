"""What a person writes on the page: nobody else sends it, and neither they nor the browser lose it."""

import pytest
from playwright.sync_api import Page, expect

from tests.site import Open, Site


def sign_in(page: Page, key: str) -> None:
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator(".status.live")).to_be_visible()


def note(page: Page, text: str) -> None:
    page.get_by_role("button", name="Add note").first.click()
    page.get_by_label("Note", exact=True).fill(text)


def sign_out_with_unsent(page: Page) -> None:
    page.get_by_role("button", name="Sign out").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("One entry is not sent yet.")
    dialog.get_by_role("button", name="Sign out", exact=True).click()


@pytest.mark.parametrize("other", ["another workspace", "the same workspace"])
def test_what_one_person_could_not_send_is_never_sent_by_the_next(
    site: Site, open_page: Open, account: str, other: str
) -> None:
    tenant = "acme"
    if other == "another workspace":
        tenant = "rival"
        site.run("tenant", "add", tenant)
    key = site.make_key(f"ben {tenant}", "read", "write", tenant=tenant, actor="ben@vendor.example")
    page = open_page(f"/?account={account}")
    page.route("**/notes", lambda route: route.abort())
    note(page, "Confidential")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".draft")).to_contain_text("will be sent")
    sign_out_with_unsent(page)
    page.unroute("**/notes")
    sign_in(page, key)
    page.evaluate("dispatchEvent(new Event('online'))")
    page.reload()
    expect(page.locator(".status.live")).to_be_visible()
    expect(page.locator(".draft")).to_have_count(0)
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, site.key)
    expect(page.get_by_text("Ana Ruiz added a note: Confidential")).to_be_visible()
    stored = site.query("select tenant_id, actor from activity.event where account_id = %s", account)
    assert stored == [(site.tenant, "ana.ruiz@vendor.example")]


def test_a_session_that_ends_while_writing_loses_nothing(site: Site, open_page: Open, account: str) -> None:
    page = open_page(f"/?account={account}")
    expect(page.locator(".status.live")).to_be_visible()
    note(page, "Written in time")
    page.context.clear_cookies()
    page.get_by_role("button", name="Save").click()
    sign_in(page, site.key)
    expect(page.locator(".draft")).to_have_count(0)
    expect(page.get_by_role("article")).to_contain_text("Written in time")
    assert site.query("select count(*) from activity.event where account_id = %s", account) == [(1,)]


def test_what_is_typed_outlives_escape_another_form_and_a_reload(open_page: Open, account: str) -> None:
    page = open_page(f"/?account={account}")
    note(page, "Half a sent")
    page.keyboard.press("Escape")
    expect(page.get_by_label("Note", exact=True)).to_have_count(0)
    page.get_by_role("button", name="Log call").click()
    page.get_by_label("With").fill("Jo Park")
    page.get_by_role("button", name="Add note").first.click()
    expect(page.get_by_label("Note", exact=True)).to_have_value("Half a sent")
    page.reload()
    expect(page.get_by_label("Note", exact=True)).to_have_value("Half a sent")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Log call").click()
    expect(page.get_by_label("With")).to_have_value("Jo Park")
    page.get_by_role("button", name="Add note").first.click()
    expect(page.get_by_label("Note", exact=True)).to_have_value("")


def test_what_the_log_refuses_can_be_edited(open_page: Open, account: str) -> None:
    page = open_page(f"/?account={account}")
    note(page, "ä" * 40_000)  # within the field's characters, above the log's bytes
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".draft")).to_contain_text("not saved")
    page.get_by_role("button", name="Edit").click()
    page.get_by_label("Note", exact=True).fill("Shorter")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("added a note: Shorter")).to_be_visible()


def test_an_event_is_corrected_and_withdrawn_in_two_clicks_and_both_are_undone(
    site: Site, open_page: Open, account: str
) -> None:
    wrong = site.say("note.added", {"text": "They owe 100"}, account)["event_id"]
    page = open_page(f"/?account={account}&event={wrong}", viewport={"width": 1500, "height": 800})
    panel = page.get_by_role("region", name="Event details")
    row = page.locator(f"article[data-id='{wrong}']")
    panel.get_by_role("button", name="Correct").click()
    panel.get_by_label("text").fill("They owe 90")
    panel.get_by_role("button", name="Save").click()
    expect(row).to_contain_text("corrected by Ana Ruiz")
    expect(panel.locator("blockquote")).to_have_text(["They owe 90", "They owe 100"])
    panel.get_by_role("button", name="Withdraw").click()
    panel.get_by_label("Reason").fill("another account's")
    panel.get_by_role("button", name="Withdraw").click()
    expect(row).to_contain_text("withdrawn by Ana Ruiz")
    expect(panel.locator(".fate")).to_contain_text("another account's")
    panel.get_by_role("button", name="Undo").click()
    expect(row).to_contain_text("corrected by Ana Ruiz")
    panel.get_by_role("button", name="Undo").click()
    expect(row.locator("del")).to_have_count(0)
    expect(panel.locator("blockquote")).to_have_text(["They owe 100"])


def test_who_may_only_read_is_offered_no_correction(site: Site, open_page: Open, account: str) -> None:
    said = site.say("note.added", {"text": "kept"}, account)["event_id"]
    key = site.make_key("reader alone", "read")
    page = open_page(f"/?account={account}&event={said}", key=key, viewport={"width": 1500, "height": 800})
    panel = page.get_by_role("region", name="Event details")
    expect(panel.locator("blockquote")).to_have_text("kept")
    expect(panel.get_by_role("button", name="Withdraw")).to_have_count(0)


def test_a_key_that_names_no_person_writes_no_notes(site: Site, open_page: Open) -> None:
    page = open_page(key=site.make_key("nobody", "read", "write", actor="system"), fresh=True)
    expect(page.locator(".who")).to_contain_text("names no person")
    expect(page.locator(".status.live")).to_be_visible()
    expect(page.get_by_role("button", name="Add note")).to_have_count(0)
