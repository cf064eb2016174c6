"""The board by keyboard, on a phone, and while its filters' counts move."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import App
from tests.browser.test_sessions import SOON, TICK, a_session, card, failed, section
from tests.browser.widgets import choose


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    """A tab as narrow as a phone."""
    context = browser.new_context(viewport={"width": 390, "height": 844})
    yield context.new_page()
    context.close()


def test_a_chosen_filter_stays_chosen_while_its_count_moves(
    home: Path, app: App, page: Page
) -> None:
    a_session(home, "s1", "/home/dev/alpha").prompt("one").say("done").exit()
    a_session(home, "s2", "/home/dev/beta").prompt("two").say("done").exit()
    page.goto(app.url)
    expect(section(page, "recent").locator("article")).to_have_count(2, timeout=SOON)
    choose(page, page.get_by_role("combobox", name="Project"), "alpha (1)")
    page.keyboard.press("Escape")
    expect(section(page, "recent").locator("article")).to_have_count(1)

    for number in (2, 3):
        a_session(home, f"more{number}", "/home/dev/alpha").prompt("more").say("done").exit()
        expect(page.get_by_text(f"alpha ({number})")).to_be_visible(timeout=SOON)
        expect(section(page, "recent").locator("article")).to_have_count(number)
        expect(page).to_have_url(re.compile(r"\?project=alpha$"))
    page.go_back()
    expect(section(page, "recent").locator("article")).to_have_count(4)
    page.go_forward()
    expect(section(page, "recent").locator("article")).to_have_count(3)


def test_dismiss_and_undo_by_keyboard_keep_the_focus(home: Path, app: App, page: Page) -> None:
    failed(home, "s1")
    failed(home, "s2")
    page.goto(app.url)
    for name in ("s1", "s2"):
        page.get_by_role("button", name=f"Dismiss, session {name}").press("Enter", timeout=SOON)
        expect(card(page, name)).to_have_count(0)
    undo = page.get_by_role("button", name="Undo")
    expect(undo).to_be_focused()
    expect(page.locator(".undo-words")).to_have_text("Dismissed 2 sessions")
    page.wait_for_timeout(11_000)
    expect(undo).to_be_focused()
    undo.press("Enter")
    expect(card(page, "s1")).to_be_focused()
    expect(card(page, "s2")).to_be_visible()
    expect(undo).to_be_hidden()


def test_an_error_that_cannot_be_copied_is_selected(home: Path, app: App, page: Page) -> None:
    failed(home, "s1", "API Error: 500 boom\nline two")
    page.add_init_script("navigator.clipboard.writeText = () => Promise.reject(new Error())")
    page.goto(app.url)
    page.get_by_role("button", name="Copy Error, session s1").click(timeout=SOON)
    text = page.get_by_label("The error, selected.")
    expect(text).to_be_focused()
    selected = "(box) => box.value.slice(box.selectionStart, box.selectionEnd)"
    assert text.evaluate(selected) == "API Error: 500 boom\nline two"


def test_selected_text_survives_refreshes(home: Path, app: App, page: Page) -> None:
    failed(home, "s1", "API Error: 500 boom")
    other = a_session(home, "s2").prompt("other")
    page.goto(app.url)
    message = card(page, "s1").locator(".message")
    message.click(click_count=3, timeout=SOON)
    selected = "() => getSelection().toString().trim()"
    assert page.evaluate(selected) == "API Error: 500 boom"
    for second in range(3):
        other.say(f"answer {second}", second)
        page.wait_for_timeout(2_000)
    assert page.evaluate(selected) == "API Error: 500 boom"


def test_refresh_can_be_switched_off_and_done_by_hand(home: Path, app: App, page: Page) -> None:
    a_session(home, "s1").prompt("one").say("done").exit()
    page.goto(app.url)
    expect(card(page, "s1")).to_be_visible(timeout=SOON)
    interval = page.get_by_role("combobox", name="Refresh")
    choose(page, interval, "Off")
    page.wait_for_timeout(1_500)
    a_session(home, "s2").prompt("two").say("done").exit()
    page.wait_for_timeout(2 * TICK)
    expect(card(page, "s2")).to_have_count(0)
    page.get_by_role("button", name="Refresh now").click()
    expect(card(page, "s2")).to_be_visible()


def test_a_phone_shows_one_column_without_scrolling_sideways(
    home: Path, app: App, phone: Page
) -> None:
    failed(home, "s1", "x" * 300)
    failed(home, "s2", "API Error: 500 boom " * 20)
    phone.goto(app.url)
    expect(card(phone, "s2")).to_be_visible(timeout=SOON)
    lefts = [found.bounding_box() for found in phone.locator("article").all()]
    assert len({box["x"] for box in lefts if box}) == 1
    assert all(box and box["x"] + box["width"] <= 390 for box in lefts)
    assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")
