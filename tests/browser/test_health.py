"""What needs a look, on the cards and in the filters, from the transcript to the screen."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import App
from tests.browser.test_sessions import SOON, a_session, announce, card, section
from tests.browser.widgets import choose

WIDTHS = {"light": 1400, "dark": 1400, "phone": 390}


@pytest.fixture
def agents() -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Processes that stand for agents'."""
    processes = [subprocess.Popen(["sleep", "300"]) for _ in range(2)]
    yield processes
    for process in processes:
        process.kill()
        process.wait()


def test_a_session_that_goes_in_circles_is_marked_with_the_reason_and_can_be_filtered_for(
    home: Path, app: App, page: Page, browser: Browser, agents: list["subprocess.Popen[bytes]"]
) -> None:
    looping = a_session(home, "s1").prompt("Make the test pass")
    for number in range(5):
        looping.use("Bash", 2 * number + 1, command="make test")
        looping.result("1 failed", 2 * number + 2, failed=True)
    announce(home, agents[0], looping).say("busy")
    announce(home, agents[1], a_session(home, "s2").prompt("Write")).say("busy")
    page.goto(app.url)
    badges = card(page, "s1").get_by_role("listitem")
    loop = badges.filter(has_text="Going in circles")
    expect(loop).to_be_visible(timeout=SOON)
    reason = "Bash was called 5 times in a row with the same arguments."
    expect(loop).to_have_attribute("title", reason)
    expect(loop).to_have_attribute("aria-label", f"🌀 Going in circles: {reason}")
    expect(badges.filter(has_text="Errors in a row")).to_be_visible()
    expect(card(page, "s2").get_by_text("Going in circles")).to_have_count(0)

    choose(page, page.get_by_role("combobox", name="Needs a look"), "🌀 Going in circles (1)")
    page.keyboard.press("Escape")
    expect(section(page, "running").locator("article")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"\?look=loop$"))

    for name, width in WIDTHS.items():
        scheme = "dark" if name == "dark" else "light"
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        narrow = context.new_page()
        narrow.goto(app.url)
        badge = card(narrow, "s1").get_by_text("Going in circles")
        expect(badge).to_be_visible(timeout=SOON)
        box, whole = badge.bounding_box(), card(narrow, "s1").bounding_box()
        assert box is not None
        assert whole is not None
        assert box["x"] >= whole["x"]
        assert box["x"] + box["width"] <= whole["x"] + whole["width"]
        context.close()
