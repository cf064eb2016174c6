"""The sessions page in a real browser, while agents work."""

import contextlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from lib import processes
from lib.store import Store
from tests.browser.conftest import TOP, App, serve, stop_all
from tests.trees import Claude, Registry

SOON = 20_000
TICK = 5_500
"""Milliseconds in which the page refreshes at least once."""


@pytest.fixture
def agent() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that stands for an agent's."""
    process = subprocess.Popen(["sleep", "300"])
    yield process
    process.kill()
    process.wait()


def a_session(home: Path, name: str, cwd: str = "/home/dev/alpha") -> Claude:
    """A session that began a minute ago."""
    return Claude(home, name, cwd, start=(time.time_ns() // 10**6) - 60_000)


def announce(home: Path, process: "subprocess.Popen[bytes]", session: Claude) -> Registry:
    fact = processes.look(process.pid)
    assert fact is not None
    return Registry(home, process.pid, fact.started, session)


def failed(home: Path, name: str, message: str = "500 boom") -> Claude:
    session = a_session(home, name).prompt(f"task of {name}")
    return session.fail(message, "server_error", 500).exit()


def card(page: Page, name: str) -> Locator:
    return page.locator(f'article[data-id="claude-code:{name}"]')


def section(page: Page, name: str) -> Locator:
    return page.locator(f'section[data-section="{name}"]')


def test_a_session_appears_works_waits_and_fails_without_a_reload(
    home: Path, app: App, page: Page, agent: "subprocess.Popen[bytes]"
) -> None:
    page.goto(app.url)
    expect(page.get_by_text("No sessions yet")).to_be_visible(timeout=SOON)
    page.evaluate("window.sameDocument = true")

    session = a_session(home, "s1").prompt("Fix the login")
    registry = announce(home, agent, session)
    registry.say("busy")
    running = section(page, "running").locator("article")
    expect(running).to_contain_text("Fix the login", timeout=SOON)
    expect(running).to_contain_text("Running")

    session.todos("completed", "in_progress", second=2)
    session.use("Bash", 3, command="make test")
    expect(running.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "50")
    expect(running).to_contain_text("Bash: make test")
    expect(running).to_contain_text(re.compile(r"2,320 tokens \((~|<)\$\d"))

    registry.say("waiting", waitingFor="permission prompt")
    expect(running).to_contain_text("Waiting for permission")
    expect(page.locator(".strip")).to_contain_text("Fix the login")

    agent.kill()
    agent.wait()
    ended = section(page, "recent").locator("article")
    expect(ended).to_contain_text("Failed", timeout=SOON)
    expect(ended).to_contain_text("Killed")
    expect(page.locator(".strip")).to_be_hidden()
    expect(section(page, "running").locator("article")).to_have_count(0)
    assert page.evaluate("window.sameDocument") is True


def test_a_running_session_ticks_each_second_in_the_browser(
    home: Path, app: App, page: Page, agent: "subprocess.Popen[bytes]"
) -> None:
    session = a_session(home, "s1").prompt("hello").use("Bash", 1, command="sleep 9")
    announce(home, agent, session).say("busy")
    page.goto(app.url)
    times = card(page, "s1").locator(".times")
    expect(times).to_have_text(re.compile(r"^1m \d\ds$"), timeout=SOON)
    seen: set[str] = set()
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline:
        seen.add(times.inner_text())
        page.wait_for_timeout(100)
    assert len(seen) >= 4


def test_filters_narrow_and_a_link_reproduces_them(home: Path, app: App, page: Page) -> None:
    a_session(home, "s1", "/home/dev/alpha").prompt("one").say("done").exit()
    a_session(home, "s2", "/home/dev/beta").prompt("two").say("done").exit()
    page.goto(app.url)
    expect(section(page, "recent").locator("article")).to_have_count(2, timeout=SOON)

    page.get_by_label("Search").fill("two")
    expect(section(page, "recent").locator("article")).to_have_count(1)
    expect(card(page, "s2")).to_be_visible()
    expect(page).to_have_url(re.compile(r"q=two"))

    link = page.url
    page.reload()
    expect(card(page, "s2")).to_be_visible(timeout=SOON)
    expect(page.get_by_label("Search")).to_have_value("two")
    page.get_by_role("link", name="Machines").click()
    expect(page.get_by_role("heading", name="Machines")).to_be_visible()
    page.get_by_role("link", name=re.compile("Sessions")).click()
    expect(page.get_by_label("Search")).to_have_value("two")

    page.goto(app.url)
    page.goto(link)
    expect(section(page, "recent").locator("article")).to_have_count(1, timeout=SOON)
    page.get_by_role("button", name="Clear filters").first.click()
    expect(section(page, "recent").locator("article")).to_have_count(2)


def test_a_link_selects_and_never_acts(home: Path, app: App, page: Page) -> None:
    failed(home, "s1")
    page.goto(app.url)
    expect(card(page, "s1")).to_be_visible(timeout=SOON)
    page.goto(f"{app.url}/?dismiss=claude-code:s1&action=dismiss&project=no-such-project")
    expect(page.get_by_text("does not exist here")).to_be_visible(timeout=SOON)
    page.goto(app.url)
    expect(card(page, "s1")).to_be_visible(timeout=SOON)
    page.wait_for_timeout(TICK)
    expect(card(page, "s1")).to_be_visible()


def test_a_server_that_was_started_anew_does_no_click_a_second_time(
    home: Path, app: App, page: Page
) -> None:
    for name in ("s1", "s2"):
        failed(home, name)
    page.goto(app.url)
    page.get_by_role("button", name="Dismiss, session s1").click(timeout=SOON)
    expect(section(page, "recent").get_by_role("heading", name="Recent (1)")).to_be_visible()
    stop_all(app.environ)
    with contextlib.closing(Store.open(app.environ["QUARTERDECK_STORE_URL"])) as store:
        store.undismiss("claude-code:s1")
    again = serve(app)
    expect(card(page, "s1")).to_be_visible(timeout=SOON)
    page.get_by_role("button", name="Dismiss, session s2").click()
    expect(card(page, "s2")).to_be_hidden(timeout=SOON)
    page.wait_for_timeout(TICK)
    expect(card(page, "s1")).to_be_visible()
    stop_all(app.environ)
    again.wait()


def test_dismiss_hides_for_good_and_undo_brings_back(home: Path, app: App, page: Page) -> None:
    failed(home, "s1")
    failed(home, "s2")
    page.goto(app.url)
    dismiss = page.get_by_role("button", name="Dismiss, session s1")
    dismiss.click(timeout=SOON)
    expect(card(page, "s1")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(card(page, "s1")).to_be_visible()

    dismiss.click()
    expect(card(page, "s1")).to_have_count(0)
    page.wait_for_timeout(TICK)
    page.reload()
    expect(card(page, "s2")).to_be_visible(timeout=SOON)
    expect(card(page, "s1")).to_have_count(0)
    page.get_by_text("Show dismissed").click()
    expect(card(page, "s1")).to_be_visible()


def test_a_burst_of_clicks_is_done_once_each(home: Path, app: App, page: Page) -> None:
    for number in range(8):
        failed(home, f"s{number}")
    page.goto(app.url)
    expect(section(page, "recent").locator("article")).to_have_count(8, timeout=SOON)
    page.evaluate(
        """() => {
            const roots = [...document.querySelectorAll("*")].map((e) => e.shadowRoot);
            const find = (root) => [...root.querySelectorAll('[data-action="dismiss"]')];
            roots.filter(Boolean).flatMap(find).slice(0, 6).forEach((b) => b.click());
        }"""
    )
    expect(section(page, "recent").locator("article")).to_have_count(2)
    page.wait_for_timeout(TICK)
    expect(section(page, "recent").locator("article")).to_have_count(2)


def test_copy_error_puts_the_whole_error_on_the_clipboard(home: Path, app: App, page: Page) -> None:
    message = "API Error: 500 boom\nline two\nline three\nline four"
    failed(home, "s1", message)
    page.goto(app.url)
    page.get_by_role("button", name="Copy Error, session s1").click(timeout=SOON)
    expect(page.get_by_text("✓ Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == message


def test_typing_focus_and_an_open_error_survive_refreshes(home: Path, app: App, page: Page) -> None:
    failed(home, "s1", "API Error: 500 boom\n" + "\n".join(f"line {n}" for n in range(30)))
    other = a_session(home, "s2").prompt("other")
    page.goto(app.url)
    more = page.get_by_role("button", name="More of the error, session s1")
    more.click(timeout=SOON)
    page.get_by_role("button", name="Less of the error, session s1").focus()
    for second in range(3):
        other.say(f"answer {second}", second)
        page.wait_for_timeout(2_000)
    less = page.get_by_role("button", name="Less of the error, session s1")
    expect(less).to_have_attribute("aria-expanded", "true")
    expect(less).to_be_focused()

    search = page.get_by_label("Search")
    search.press_sequentially("task of", delay=900)
    expect(search).to_have_value("task of")
    expect(search).to_be_focused()
    expect(less).to_have_attribute("aria-expanded", "true")


def test_text_of_sessions_is_only_ever_text(home: Path, app: App, page: Page) -> None:
    evil = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'
    a_session(home, "s1", f"/home/dev/{'<b>bold'}").prompt(evil).say(evil).exit()
    failed(home, "s2", evil)
    page.goto(app.url)
    expect(card(page, "s1")).to_contain_text("<img src=x onerror=", timeout=SOON)
    expect(card(page, "s2")).to_contain_text("<script>window.hacked=1</script>")
    page.get_by_role("link", name="Machines").click()
    expect(page.get_by_role("heading", name="Machines")).to_be_visible()
    assert page.evaluate("window.hacked") is None


def test_samples_are_labelled_and_removable(app: App, page: Page) -> None:
    page.goto(app.url)
    page.get_by_role("button", name="Show sample sessions").click(timeout=SOON)
    articles = page.locator("article")
    expect(articles.first).to_be_visible()
    assert articles.count() >= 5
    expect(page.locator("article .sample").filter(has_text="Sample")).to_have_count(
        articles.count()
    )
    page.get_by_role("button", name="Remove samples").click()
    expect(page.get_by_text("No sessions yet")).to_be_visible()
    expect(articles).to_have_count(0)


def test_thousands_show_sixty_and_more_on_request(home: Path, app: App, page: Page) -> None:
    for number in range(70):
        a_session(home, f"s{number}").prompt(f"task {number}").say("done").exit()
    page.goto(app.url)
    recent = section(page, "recent")
    expect(recent.locator("h2")).to_contain_text("70", timeout=SOON)
    expect(recent.locator("article")).to_have_count(60)
    recent.get_by_role("button", name=re.compile("Show more|more")).click()
    expect(recent.locator("article")).to_have_count(70)


def test_skipped_records_are_shown_with_file_and_line(home: Path, app: App, page: Page) -> None:
    session = a_session(home, "s1").prompt("hello").say("hi")
    with session.path.open("ab") as file:
        file.write(b"not JSON\n")
    page.goto(f"{app.url}/machines")
    expect(page.get_by_role("heading", name="Machines", exact=True)).to_be_visible(timeout=SOON)
    skipped = page.get_by_test_id("stMetric").filter(has_text="Records skipped")
    expect(skipped).to_contain_text("1", timeout=SOON)
    report = subprocess.run(
        [sys.executable, "-m", "lib.report", "totals", "--json"],
        cwd=TOP,
        env=app.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(report.stdout)["records"]["skipped"] == {"not JSON": 1}
