"""Budgets in a real browser: added, seen on the board and on a card, changed and removed."""

import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Page, expect

from lib.store import Store
from tests.browser.conftest import TOP, App
from tests.browser.test_sessions import a_session, agent, announce, card

__all__ = ["agent"]
SOON = 30_000
NAME = "Night & *day*"


def test_a_budget_is_added_seen_everywhere_changed_and_removed(
    home: Path, app: App, page: Page, agent: "subprocess.Popen[bytes]"
) -> None:
    session = a_session(home, "spender").prompt("spend").say("one").use("Bash", 3, command="make")
    announce(home, agent, session).say("busy")
    page.goto(app.url)
    expect(card(page, "spender")).to_be_visible(timeout=SOON)
    other = page.context.new_page()
    other.goto(f"{app.url}/costs")
    other.get_by_role("button", name="Add a budget").click(timeout=SOON)
    other.get_by_label("Name", exact=True).fill(NAME)
    other.get_by_label("US dollars", exact=True).fill("0")
    other.keyboard.press("Tab")
    other.get_by_role("button", name="Save").click()

    # The page that was open before is told, shows the bar, and the card says so.
    expect(page.get_by_test_id("stToast")).to_contain_text(f"‘{NAME}’ reached 100%", timeout=SOON)
    expect(page.get_by_text("over the budget")).to_be_visible(timeout=SOON)
    expect(card(page, "spender").locator(".badges")).to_have_text(f"🔴 Budget {NAME}: over")

    expect(other.get_by_text("over the budget")).to_be_visible(timeout=SOON)
    other.get_by_text("What happened").click()
    expect(other.get_by_text(f"Budget ‘{NAME}’ reached 100% on")).to_be_visible(timeout=SOON)

    # Whoever else looks finds it noted already.
    for _ in range(2):
        look = [sys.executable, "-m", "lib.budgets"]
        subprocess.run(look, cwd=TOP, env=app.environ, check=True)
    store = Store.open(app.environ["QUARTERDECK_STORE_URL"])
    assert [one.kind for one in store.budgets.events()] == ["100"]
    store.close()

    other.get_by_role("button", name="Change").click()
    other.get_by_label("US dollars", exact=True).fill("1000")
    other.keyboard.press("Tab")
    other.get_by_role("button", name="Save").click()
    expect(other.get_by_text("(0%): within the budget")).to_be_visible(timeout=SOON)
    expect(card(page, "spender").locator(".badges")).to_be_hidden(timeout=SOON)
    expect(page.get_by_text("over the budget")).to_have_count(0)

    other.get_by_role("button", name="Remove").click()
    other.get_by_role("button", name="Remove it").click()
    expect(other.get_by_text("No budget is set")).to_be_visible(timeout=SOON)
