"""The fixtures of the browser tests: a site, Debian's chromium, and signed-in pages of it."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, get_args

import psycopg
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, expect, sync_playwright

from activity.settings import Role
from cli.dev.embedded import EmbeddedPostgres, EmbeddedValkey
from tests.site import ACTIVITY, ROOT, Open, Site

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
NETWORK = "Failed to load resource"  # the browser's own line about an answer that is no success
_numbers = count(1)
expect.set_options(timeout=20_000)  # ms; what is expected comes in a fraction of it where the cores are free


@pytest.fixture(scope="package")
def site(postgres: EmbeddedPostgres, valkey: EmbeddedValkey, migrated: str) -> Iterator[Site]:
    """A deployment on a database of its own, served at a free port."""
    if not (ROOT / "web" / "dist" / "index.html").exists():
        pytest.skip("the page is not built: make install")
    name = f"site_{next(_numbers)}"
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        admin.execute(f'create database "{name}" template "{migrated}"')
    passwords = {f"ACTIVITY_{role.upper()}_PASSWORD": f"{role}-password" for role in get_args(Role)}
    urls = {"ACTIVITY_DATABASE_URL": postgres.url(name), "ACTIVITY_REDIS_URL": valkey.url()}
    site = Site({**passwords, **urls, "ACTIVITY_SESSION_SECRET": "s" * 40}, postgres.url(name), valkey.url())
    site.variables["ACTIVITY_EMBED_ORIGINS"] = f"http://localhost:{site.crm_port}"
    site.variables["ACTIVITY_LOG_LEVEL"] = "error"
    site.variables["ACTIVITY_TRUST_BROKER"] = "true"
    site.variables["ACTIVITY_PUBLIC_URL"] = site.url
    site.variables["ACTIVITY_TRACKING_KEYS"] = "k1:a-secret-for-the-tests"
    worker = subprocess.Popen(
        [*ACTIVITY, "worker", "append"],
        env=site.variables,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        site.serve()
        yield site
    finally:
        site.kill()
        worker.terminate()
        worker.wait()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's chromium, without a window."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip("no chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox"] if os.geteuid() == 0 else []
        )
        yield running
        running.close()


@pytest.fixture
def faults() -> list[str]:
    """What the pages of a test complain about, the content policy included; nothing, at its end."""
    return []


@pytest.fixture
def open_page(site: Site, browser: Browser, faults: list[str]) -> Iterator[Open]:
    """A function that opens an address of the site, signed in.

    Pages of one test share a browser profile unless `fresh`.
    """
    profiles: list[Any] = []

    def hear(said: ConsoleMessage) -> None:
        if said.type == "error" and NETWORK not in said.text:
            faults.append(f"console: {said.text}")

    def dismiss(dialog: Dialog) -> None:
        faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def open_(path: str = "/", *, key: str | None = None, fresh: bool = False, **options: Any) -> Page:
        if fresh or not profiles:
            settings = {
                "viewport": {"width": 1280, "height": 800},
                "locale": "en-GB",
                "timezone_id": "Europe/Berlin",
                **options,
            }
            profiles.append(browser.new_context(**settings))
            profiles[-1].set_default_timeout(20_000)
            signed_in = profiles[-1].request.post(f"{site.url}/v1/session", data={"key": key or site.key})
            assert signed_in.ok, signed_in.text()
        page: Page = profiles[-1].new_page()
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on("console", hear)
        page.on("dialog", dismiss)
        page.goto(site.url + path)
        return page

    yield open_
    for profile in profiles:
        profile.close()
    assert faults == []


@pytest.fixture
def account() -> str:
    """The id of an account that no other test writes about."""
    return f"account-{next(_numbers)}"


@pytest.fixture
def named_accounts(site: Site) -> Callable[..., None]:
    """A function that keeps accounts: id=(name, parent)."""

    def keep(**accounts: tuple[str, str | None]) -> None:
        for id, (name, parent) in accounts.items():
            site.query(
                "insert into crm.account (tenant_id, id, name, parent_id) values (%s, %s, %s, %s)",
                site.tenant,
                id,
                name,
                parent,
            )

    return keep
