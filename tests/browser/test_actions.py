"""Actions on the sessions of a real server: what is clicked happens to real processes."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import psutil
import pytest
from playwright.sync_api import Locator, Page, expect

from lib import servers
from lib.leanspec_facts import key_of
from lib.servers import ServerSetting
from lib.settings import settings
from lib.store import Store
from lib.store_actions import ActionFilter
from tests.acting import pending
from tests.browser.conftest import App
from tests.leanspec_server import LeanSpecServer
from tests.test_daemon import until

Value = TypeVar("Value")

SOON = 20_000
TICK = 5_500
"""Milliseconds in which the page refreshes at least once."""


@pytest.fixture
def board(app: App, page: Page, leanspec_server: LeanSpecServer) -> Page:
    """The board of an app that knows the server."""
    setting = ServerSetting(url=leanspec_server.url, name="harbour server")
    servers.save(settings(app.environ), setting)
    page.goto(app.url)
    return page


def apart(call: Callable[[], Value]) -> Value:
    """What `call` returns, from a thread without the event loop that drives the browser."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result()


def card(page: Page, session_id: str) -> Locator:
    return page.locator(f'article[data-id="{key_of(session_id)}"]')


def button(page: Page, session_id: str, label: str) -> Locator:
    return card(page, session_id).get_by_role("button", name=f"{label}, session")


def done(app: App) -> list[tuple[str, str]]:
    """Kind and state of every action, oldest first."""
    store = Store.open(app.environ["QUARTERDECK_STORE_URL"])
    listed = store.actions.listed(ActionFilter(), 100)
    store.close()
    return [(one.kind, one.state) for one in reversed(listed)]


def known(server: LeanSpecServer) -> int:
    """How many sessions the server has."""
    with server.client() as client:
        return len(client.sessions().sessions)


def running(server: LeanSpecServer) -> tuple[str, psutil.Process]:
    """A session that runs, and its process."""
    session = server.run("sleep 300")
    return session.id, server.process_of(session.id)


def test_a_session_freezes_goes_on_and_is_stopped(
    app: App, board: Page, leanspec_server: LeanSpecServer
) -> None:
    session_id, process = apart(lambda: running(leanspec_server))
    button(board, session_id, "Pause").click(timeout=SOON)
    expect(card(board, session_id)).to_contain_text("Paused", timeout=SOON)
    assert process.status() == psutil.STATUS_STOPPED

    button(board, session_id, "Resume").click()
    expect(button(board, session_id, "Pause")).to_be_visible(timeout=SOON)
    expect(card(board, session_id)).to_contain_text("Running")
    assert process.status() != psutil.STATUS_STOPPED

    button(board, session_id, "Stop").dblclick()
    expect(button(board, session_id, "Retry")).to_be_visible(timeout=SOON)
    expect(card(board, session_id)).to_contain_text("Stopped")
    until(lambda: not process.is_running())
    assert done(app) == [("pause", "done"), ("resume", "done"), ("stop", "done")]


def test_a_pending_session_is_started_and_retried_when_it_failed(
    app: App, board: Page, leanspec_server: LeanSpecServer
) -> None:
    first = apart(lambda: pending(leanspec_server, "print hello; fail 3"))
    expect(board.locator('section[data-section="pending"] article')).to_have_count(1, timeout=SOON)
    button(board, first, "Start").click()
    button(board, first, "Retry").click(timeout=SOON)
    again = board.get_by_text(f"retry of #{first[:8]}")
    expect(again).to_be_visible(timeout=SOON)
    expect(card(board, first)).to_have_count(1)
    assert apart(lambda: known(leanspec_server)) == 2
    assert done(app) == [("start", "done"), ("retry", "done")]


def test_what_can_not_be_undone_is_asked_about_first_by_keyboard_too(
    app: App, board: Page, leanspec_server: LeanSpecServer
) -> None:
    session_id = apart(lambda: leanspec_server.run("print hello").id)
    apart(lambda: leanspec_server.wait_for_status(session_id, "completed"))
    more = button(board, session_id, "More actions")
    more.press("Enter", timeout=SOON)
    expect(more).to_have_attribute("aria-expanded", "true")
    delete = button(board, session_id, "Delete")
    delete.press("Enter")
    dialog = board.get_by_role("dialog", name="Delete it on the server?")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    board.wait_for_timeout(2 * TICK)
    expect(dialog).to_be_visible()
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    board.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(delete).to_be_focused()
    board.keyboard.press("Escape")
    expect(delete).to_have_count(0)
    expect(more).to_be_focused()
    assert done(app) == []

    more.click()
    button(board, session_id, "Archive").click()
    board.get_by_role("dialog").get_by_role("button", name="Archive").click()
    logs = leanspec_server.project / ".leanspec" / "sessions"
    until(lambda: logs.exists() and len(list(logs.iterdir())) == 1)
    button(board, session_id, "Delete").click()
    dialog.get_by_role("button", name="Delete").click()
    expect(card(board, session_id)).to_have_count(0, timeout=SOON)
    assert done(app) == [("archive", "done"), ("delete", "done")]
    assert apart(lambda: known(leanspec_server)) == 0


def test_a_refusal_is_shown_in_the_servers_words(
    app: App, board: Page, leanspec_server: LeanSpecServer
) -> None:
    (leanspec_server.project / ".leanspec").write_text("no folder")
    session_id = apart(lambda: leanspec_server.run("print hello").id)
    button(board, session_id, "More actions").click(timeout=SOON)
    button(board, session_id, "Archive").click()
    board.get_by_role("dialog").get_by_role("button", name="Archive").click()
    outcome = card(board, session_id).locator(".outcome")
    expect(outcome).to_contain_text("Archive refused: ", timeout=SOON)
    expect(button(board, session_id, "Archive")).to_have_attribute("aria-disabled", "false")
    assert done(app) == [("archive", "refused")]


def test_a_server_that_hangs_is_told_and_a_second_click_asks_for_nothing(
    app: App, board: Page, leanspec_server: LeanSpecServer
) -> None:
    session_id, _ = apart(lambda: running(leanspec_server))
    pause = button(board, session_id, "Pause")
    expect(pause).to_be_visible(timeout=SOON)
    leanspec_server.suspend()
    pause.click()
    expect(pause).to_have_text("⏸️ Pausing…")
    pause.click(force=True)
    outcome = card(board, session_id).locator(".outcome")
    expect(outcome).to_contain_text("Pause requested. No whole answer from", timeout=SOON)
    leanspec_server.wake()
    expect(button(board, session_id, "Stop")).to_be_visible(timeout=SOON)
    assert done(app) == [("pause", "unverified")]
