"""The page of a session in a real browser: its transcript, live."""

import re
import time
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import App
from tests.trees import Claude

SOON = 20_000
EVIL = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>**bold** :red[x] $a$'


def a_session(home: Path, name: str) -> Claude:
    return Claude(home, name, "/home/dev/alpha", start=(time.time_ns() // 10**6) - 60_000)


def entries(page: Page) -> Locator:
    return page.locator(".entries article")


def open_from_board(page: Page, app: App, name: str) -> None:
    page.goto(app.url)
    page.get_by_role("link", name=f"View Logs, session {name}").click(timeout=SOON)
    expect(page).to_have_url(re.compile(rf"/session\?session=claude-code%3A{name}"))


def test_view_logs_opens_the_transcript_with_calls_exit_status_and_tokens(
    home: Path, app: App, page: Page
) -> None:
    session = a_session(home, "s1").prompt("Fix the login").use("Bash", 2, command="make test")
    session.result("Exit code 2\nno rule", 3, failed=True).say("It failed.", 4).exit()
    open_from_board(page, app, "s1")
    expect(page.get_by_role("heading", name="Fix the login")).to_be_visible(timeout=SOON)
    expect(entries(page)).to_have_count(5, timeout=SOON)
    result = entries(page).nth(2)
    expect(result).to_contain_text("exit 2")
    expect(result).to_contain_text("no rule")
    expect(entries(page).nth(1)).to_contain_text("claude-opus-5-5 · 100 in, 10 out")
    page.get_by_role("button", name="Permalink").click()
    address = page.locator("code").filter(has_text="session?session=").inner_text().strip()
    page.goto(address)
    expect(entries(page)).to_have_count(5, timeout=SOON)
    page.get_by_role("link", name="All sessions").click()
    expect(page.locator('article[data-id="claude-code:s1"]')).to_be_visible(timeout=SOON)


def test_follow_shows_what_is_written_and_stays_at_the_end(
    home: Path, app: App, page: Page
) -> None:
    session = a_session(home, "s1").prompt("Fix the login")
    for number in range(40):
        session.say(f"Step {number}", number)
    open_from_board(page, app, "s1")
    expect(entries(page)).to_have_count(41, timeout=SOON)
    page.evaluate("window.sameDocument = true")
    session.say("Now it works", 50)
    newest = entries(page).filter(has_text="Now it works")
    expect(newest).to_be_visible(timeout=5_000)
    expect(newest).to_be_in_viewport()
    assert at_end(page)

    page.locator(".entries").hover()
    page.mouse.wheel(0, -3_000)
    expect(page.get_by_role("button", name="↓ Newest")).to_be_visible()
    session.say("And more", 51)
    expect(entries(page)).to_have_count(43, timeout=SOON)
    assert not at_end(page)
    page.get_by_role("button", name="↓ Newest").click()
    expect(entries(page).filter(has_text="And more")).to_be_in_viewport()

    page.get_by_text("Follow", exact=True).click()
    page.wait_for_timeout(2_000)
    session.say("Unseen", 52)
    page.wait_for_timeout(7_000)
    expect(entries(page)).to_have_count(43)
    page.get_by_text("Follow", exact=True).click()
    expect(entries(page)).to_have_count(44, timeout=SOON)
    assert page.evaluate("window.sameDocument") is True


def at_end(page: Page) -> bool:
    return page.evaluate(
        """() => {
            const roots = [...document.querySelectorAll("*")].map((e) => e.shadowRoot);
            const found = roots.filter(Boolean).map((root) => root.querySelector(".entries"));
            const list = found.find(Boolean);
            return list.scrollHeight - list.scrollTop - list.clientHeight < 48;
        }"""
    )


def test_search_and_filters_narrow_and_mark_without_reading_markup(
    home: Path, app: App, page: Page
) -> None:
    session = a_session(home, "s1").prompt(EVIL).use("Bash", 1, command=EVIL).result(EVIL, 2)
    session.say(f"{EVIL}\x1b[31mred", 3).exit()
    open_from_board(page, app, "s1")
    expect(entries(page)).to_have_count(5, timeout=SOON)
    expect(page.get_by_role("heading", name="<img src=x")).to_contain_text("**bold** :red[x] $a$")
    for index in range(4):
        expect(entries(page).nth(index)).to_contain_text('<img src=x onerror="window.hacked=1">')

    page.get_by_label("Find in transcript").fill("<SCRIPT>")
    expect(entries(page)).to_have_count(4)
    expect(entries(page).first.locator("mark").first).to_have_text("<script>")
    page.get_by_label("Find in transcript").fill("")
    page.get_by_role("button", name="Answers").click()
    expect(entries(page)).to_have_count(1)
    expect(entries(page)).to_contain_text("$a$red")
    assert page.evaluate("window.hacked") is None
    assert page.locator(".entries img, .entries script").count() == 0


def test_a_long_text_opens_and_thousands_of_entries_come_in_pages(
    home: Path, app: App, page: Page
) -> None:
    session = a_session(home, "s1").prompt("Fix the login")
    session.use("Bash", 1, command="seq").result("\n".join(map(str, range(500))), 1)
    for number in range(600):
        session.say(f"Step {number}", 2)
    session.use("Bash", 3, command="seq").result("\n".join(f"line {n}" for n in range(500)), 3)
    open_from_board(page, app, "s1")
    expect(entries(page)).to_have_count(200, timeout=SOON)
    last = entries(page).last
    expect(last).not_to_contain_text("line 499")
    last.get_by_role("button", name=re.compile("Show all")).click()
    expect(last).to_contain_text("line 499")
    last.get_by_role("button", name="Show less").click()
    expect(last).not_to_contain_text("line 499")

    page.get_by_role("button", name="Load earlier").click()
    expect(page.get_by_text("All 605 entries")).to_be_visible(timeout=SOON)
    page.get_by_role("button", name="Page 4").click()
    expect(entries(page)).to_have_count(5)
    expect(entries(page).first).to_contain_text("Fix the login")


def test_a_wrong_link_says_so_and_offers_what_there_is(home: Path, app: App, page: Page) -> None:
    a_session(home, "s1").prompt("Fix the login").say("Done.").exit()
    page.goto(app.url)
    expect(page.locator('article[data-id="claude-code:s1"]')).to_be_visible(timeout=SOON)
    page.goto(f"{app.url}/session?session=claude-code:../../etc/passwd")
    expect(page.get_by_text("There is no session with the key")).to_be_visible(timeout=SOON)
    page.get_by_role("combobox", name="Session").last.click()
    page.get_by_text("Fix the login").click()
    expect(entries(page)).to_have_count(3, timeout=SOON)
    expect(page).to_have_url(re.compile("session=claude-code"))
