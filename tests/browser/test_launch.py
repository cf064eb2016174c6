"""A session is created and started on a real LeanSpec server, from the page to the board."""

import re

from playwright.sync_api import Locator, Page, expect

from lib import servers
from lib.servers import ServerSetting
from lib.settings import settings
from tests.browser.conftest import App
from tests.leanspec_server import LeanSpecServer

SOON = 30_000
TICK = 5_500
"""Milliseconds in which the page refreshes at least once."""


def button(page: Page, label: str) -> Locator:
    return page.get_by_role("button", name=label, exact=True)


def section(page: Page, name: str) -> Locator:
    return page.locator(f'section[data-section="{name}"]')


def prompt(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Prompt")


def connect(app: App, server: LeanSpecServer) -> None:
    """What the Settings page does."""
    setting = ServerSetting(url=server.url, name="Harbour", token=server.token)
    servers.save(settings(app.environ), setting)


def open_form(app: App, page: Page, query: str = "") -> None:
    """Go to the form as soon as the daemon has met the server."""
    page.goto(f"{app.url}/launch{query}")
    expect(prompt(page)).to_be_visible(timeout=SOON)


def test_a_session_goes_from_the_form_to_running_and_to_its_end(
    app: App, page: Page, leanspec_server: LeanSpecServer
) -> None:
    connect(app, leanspec_server)
    page.goto(app.url)
    page.get_by_role("link", name="New session").last.click()
    expect(prompt(page)).to_be_visible(timeout=SOON)
    specs = page.get_by_role("combobox", name="Specs")
    specs.fill("tide")
    page.get_by_role("option", name=re.compile("003-tide-table")).click()
    specs.fill("moor")
    page.get_by_role("option", name=re.compile("002-mooring")).click()
    page.keyboard.press("Escape")
    prompt(page).fill("print hello; until go")
    page.wait_for_timeout(TICK)
    expect(prompt(page)).to_have_value("print hello; until go")

    button(page, "Start session").dblclick()
    expect(page.get_by_text("The session was started.")).to_be_visible(timeout=SOON)
    expect(button(page, "Start session")).to_be_disabled()
    page.get_by_role("link", name="See it on the board").click()
    running = section(page, "running").locator("article")
    expect(running).to_have_count(1, timeout=SOON)
    expect(running).to_contain_text("until go")
    expect(running).to_contain_text("003-tide-table")
    expect(running).to_contain_text("002-mooring")

    (leanspec_server.project / "go").touch()
    expect(section(page, "recent").locator("article")).to_contain_text("Completed", timeout=SOON)


def test_a_link_fills_the_form_and_starts_nothing(
    app: App, page: Page, leanspec_server: LeanSpecServer
) -> None:
    connect(app, leanspec_server)
    open_form(app, page, "?server=Harbour&project=harbour&spec=002-mooring")
    expect(page.get_by_text("002-mooring · Mooring · in-progress")).to_be_visible()
    expect(button(page, "Start session")).to_be_enabled()
    page.reload()
    expect(page.get_by_text("002-mooring · Mooring · in-progress")).to_be_visible(timeout=SOON)
    page.goto(app.url)
    expect(page.get_by_text("No sessions yet")).to_be_visible(timeout=SOON)


def test_a_server_that_is_gone_is_told_and_the_words_stay(
    app: App, page: Page, leanspec_server: LeanSpecServer
) -> None:
    connect(app, leanspec_server)
    open_form(app, page)
    prompt(page).fill("print hello")
    leanspec_server.kill()
    button(page, "Start session").click()
    expect(button(page, "Try again")).to_be_visible(timeout=SOON)
    expect(page.get_by_text("The session was not started.")).to_be_visible()
    button(page, "Try again").click()
    expect(prompt(page)).to_have_value("print hello")
    expect(button(page, "Start session")).to_be_enabled()
