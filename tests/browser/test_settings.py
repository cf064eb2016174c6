"""The Settings page in a real browser, with a real LeanSpec server."""

from playwright.sync_api import Locator, Page, expect

from lib.servers import configured
from lib.settings import settings
from tests.browser.conftest import App
from tests.leanspec_server import LeanSpecServer

SOON = 20_000
TICK = 5_500
"""Milliseconds in which the page refreshes at least once."""
SECRET = "hunter2-hunter2"


def field(page: Page, label: str) -> Locator:
    return page.get_by_role("textbox", name=label, exact=True)


def button(page: Page, label: str) -> Locator:
    return page.get_by_role("button", name=label, exact=True)


def test_a_server_is_added_and_the_daemon_tells_how_it_is(
    app: App, page: Page, leanspec_server: LeanSpecServer
) -> None:
    page.goto(f"{app.url}/settings")
    button(page, "Add a server").click()
    field(page, "URL").fill(leanspec_server.url)
    field(page, "Name").fill("Harbour")
    button(page, "Check").click()
    expect(page.get_by_text("LeanSpec 0.2.28 answers, with 1 project.")).to_be_visible()
    button(page, "Save").click()
    expect(button(page, "Edit")).to_be_visible()
    expect(page.get_by_text("🟢 connected · LeanSpec 0.2.28 · 1 project")).to_be_visible(
        timeout=SOON
    )
    leanspec_server.kill()
    expect(page.get_by_text("❌ unreachable")).to_be_visible(timeout=3 * SOON)

    button(page, "Remove").click()
    button(page, "Remove it").click()
    expect(page.get_by_text("Harbour")).to_be_hidden()


def test_nothing_that_is_typed_is_lost_by_the_refresh(app: App, page: Page) -> None:
    page.goto(f"{app.url}/settings")
    button(page, "Add a server").click()
    field(page, "URL").fill("http://h.example")
    field(page, "Token").type(SECRET[:7])
    page.wait_for_timeout(TICK)
    page.keyboard.type(SECRET[7:])
    expect(field(page, "URL")).to_have_value("http://h.example")
    expect(field(page, "Token")).to_have_value(SECRET)
    expect(field(page, "Token")).to_have_attribute("type", "password")


def test_a_saved_token_never_comes_back_to_the_browser(app: App, page: Page) -> None:
    received: list[str] = []

    def note(payload: str | bytes) -> None:
        received.append(payload if isinstance(payload, str) else payload.decode(errors="replace"))

    page.on("websocket", lambda socket: socket.on("framereceived", note))
    page.goto(f"{app.url}/settings")
    button(page, "Add a server").click()
    field(page, "URL").fill("http://127.0.0.1:9")
    field(page, "Token").fill(SECRET)
    button(page, "Check").click()
    button(page, "Save anyway").click()
    button(page, "Edit").click()
    expect(field(page, "Token")).to_have_attribute("placeholder", "Unchanged")
    expect(field(page, "Token")).to_have_value("")
    (saved,) = configured(settings(app.environ), app.environ).servers
    assert saved.token == SECRET
    assert any("Unchanged" in text for text in received)
    assert not any(SECRET in text for text in received)
    assert SECRET not in app.log.read_text()


def test_the_page_fits_a_phone(app: App, page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{app.url}/settings")
    button(page, "Add a server").click()
    expect(field(page, "URL")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
