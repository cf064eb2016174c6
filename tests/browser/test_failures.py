"""The Failures page in a real browser: a group by its link, what is decided about it, exports."""

import json
import re
import time
from pathlib import Path

from playwright.sync_api import Page, expect

from lib.failures import signature
from tests.browser.conftest import App
from tests.trees import Claude

SOON = 30_000
HOUR = 3_600_000
OVERLOADED = signature("api", "API Error: 529 Overloaded").id
REFUSED = signature("authentication", "Please run /login · API Error: 401 Invalid key").id


def fail(home: Path, name: str, ago: int, *, refused: bool = False) -> None:
    now = time.time_ns() // 10**6
    session = Claude(home, name, f"/home/dev/{name}", start=now - ago)
    session.prompt(f"task of {name}").say("on it", 1)
    if refused:
        words = "Please run /login · API Error: 401 Invalid key"
        session.fail(words, "authentication_failed", 401, second=2)
    else:
        session.fail("API Error: 529 Overloaded", "server_error", 529, second=2)


def two_groups(home: Path) -> None:
    fail(home, "one", HOUR)
    fail(home, "two", 2 * HOUR)
    fail(home, "three", 3 * HOUR, refused=True)


def test_a_group_that_was_resolved_comes_back_when_it_fails_again(
    home: Path, app: App, page: Page
) -> None:
    two_groups(home)
    page.goto(f"{app.url}/failures?group={OVERLOADED}")
    expect(page.get_by_text("Newest message")).to_be_visible(timeout=SOON)
    code = page.locator(".stCode")
    code.hover()
    code.get_by_role("button").click()
    page.wait_for_function("async () => (await navigator.clipboard.readText()) !== ''")
    assert page.evaluate("navigator.clipboard.readText()") == "API Error: 529 Overloaded"
    page.get_by_label("Note").fill("Their side; <b>see</b> status page")
    page.get_by_role("button", name="Resolve", exact=True).click()
    said = page.get_by_text("resolved it: Their side; <b>see</b> status page")
    expect(said).to_be_visible(timeout=SOON)
    expect(page.get_by_text("Not shown: 1 group (1 ✔ resolved).")).to_be_visible()
    page.reload()
    expect(said).to_be_visible(timeout=SOON)
    expect(page.get_by_role("button", name="Reopen")).to_be_visible()
    fail(home, "again", -1_000)
    expect(page.get_by_text("State: ↩ came back")).to_be_visible(timeout=SOON)
    expect(page.get_by_text("Not shown")).to_have_count(0)


def test_the_link_to_the_board_shows_just_the_sessions_of_the_group(
    home: Path, app: App, page: Page
) -> None:
    two_groups(home)
    page.goto(f"{app.url}/failures?group={OVERLOADED}")
    page.get_by_role("link", name="On the board").click()
    expect(page.locator("article")).to_have_count(2, timeout=SOON)
    expect(page).to_have_url(re.compile(f"error={OVERLOADED}"))
    expect(page.locator("article").first).to_contain_text("task of one")
    page.get_by_role("button", name="Clear filters").first.click()
    expect(page.locator("article")).to_have_count(3, timeout=SOON)
    expect(page).not_to_have_url(re.compile("error="))


def test_a_row_that_is_clicked_is_in_the_address_and_stays_chosen_in_another_order(
    home: Path, app: App, page: Page
) -> None:
    two_groups(home)
    page.goto(f"{app.url}/failures")
    expect(page.get_by_text("Select a row")).to_be_visible(timeout=SOON)
    table = page.locator(".stDataFrame").first
    box = table.bounding_box()
    assert box is not None
    # Cells are drawn on a canvas: the box of the first row lies below the header.
    page.mouse.click(box["x"] + 16, box["y"] + 52)
    expect(page.get_by_text("Newest message")).to_be_visible(timeout=SOON)
    expect(page).to_have_url(re.compile(f"group={OVERLOADED}"))
    page.mouse.click(box["x"] + 16, box["y"] + 87)
    expect(page.locator(".stCode")).to_contain_text("401 Invalid key", timeout=SOON)
    expect(page).to_have_url(re.compile(f"group={REFUSED}"))
    page.go_back()
    expect(page.locator(".stCode")).to_contain_text("529 Overloaded", timeout=SOON)
    expect(page.get_by_test_id("glide-cell-1-0").first).to_have_text("API error")
    fail(home, "four", 60_000, refused=True)
    fail(home, "five", 50_000, refused=True)
    expect(page.get_by_test_id("glide-cell-1-0").first).to_have_text("Authentication", timeout=SOON)
    expect(page.locator(".stCode")).to_contain_text("529 Overloaded")


def test_an_export_holds_what_is_shown(home: Path, app: App, page: Page) -> None:
    two_groups(home)
    page.goto(f"{app.url}/failures?show=All")
    expect(page.get_by_text("Select a row")).to_be_visible(timeout=SOON)
    with page.expect_download() as download:
        page.get_by_role("button", name="JSON").first.click()
    rows = json.loads(download.value.path().read_text())
    told = [(row["class"], row["text"], row["sessions"]) for row in rows]
    assert told == [
        ("API error", "API Error: 529 Overloaded", 2),
        ("Authentication", "Please run <path> · API Error: 401 Invalid key", 1),
    ]
    assert not {"signature", "example"} & rows[0].keys()


def test_two_days_of_ones_own_are_in_the_address(home: Path, app: App, page: Page) -> None:
    two_groups(home)
    page.goto(f"{app.url}/failures?period=From+…+to+…&days=2026-01-01&days=2026-01-02")
    expect(page.get_by_text("No session failed in this period.")).to_be_visible(timeout=SOON)
    page.goto(f"{app.url}/failures?period=From+…+to+…&days=2026-01-01&days=2099-01-02")
    expect(page.get_by_text("Select a row")).to_be_visible(timeout=SOON)
