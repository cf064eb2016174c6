"""The board's own script, without Streamlit: what it does when Streamlit takes it up again."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from lib.cards import Card
from lib.ui import board

FOLDER = Path(board.__file__).parent
FAILED = Card(
    id="claude-code:s1",
    short="s1",
    title="task",
    status="failed",
    icon="❌",
    words="Failed",
    tone="red",
    reason="",
    tags=[],
    specs=[],
    badges=[],
    sample=False,
    dismissed=False,
    percent=None,
    todos=None,
    meta=[],
    latest=None,
    quoted=False,
    errorClass="API error",
    error="500 boom\n" * 30,
    startedAt=None,
    endedAt=None,
    durationMs=None,
    since=None,
    lastSeenAt=None,
    actions=["copy-error", "dismiss"],
    menu=[],
    underWay=[],
    note=None,
    link="session",
)


def failed(name: str) -> Card:
    return {**FAILED, "id": f"claude-code:{name}", "short": name}


def running(name: str, status: str = "running", actions: Sequence[str] = ("pause", "stop")) -> Card:
    alive = {"status": status, "words": status, "errorClass": None, "error": None}
    return {**failed(name), **alive, "actions": [*actions]}  # pyright: ignore[reportReturnType]


def start(page: Page) -> None:
    script = "".join((FOLDER / name).read_text() for name in ("board.js", "board_actions.js"))
    page.set_content("<body></body>")
    new_place(page)
    page.evaluate(
        """async (source) => {
            const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
            const module = await import(address);
            window.sent = [];
            window.mount = (lines) => module.default({
                data: new TextEncoder().encode(lines),
                parentElement: document.body.lastElementChild,
                setStateValue: (_, value) => {
                    window.sent.push(value.map((item) => item.n));
                    window.sentTo = value.map((item) => `${item.n} to ${item.session}`);
                },
                setTriggerValue: () => {},
            });
        }""",
        script,
    )


def new_place(page: Page) -> None:
    """A fresh place for the board, as Streamlit makes one of its HTML."""
    made = f"<div>{(FOLDER / 'board.html').read_text()}</div>"
    page.evaluate("(made) => document.body.insertAdjacentHTML('beforeend', made)", made)


def mount(
    page: Page, acknowledged: int = 0, cards: Sequence[Card] = (), session: str = "one"
) -> None:
    section = {"name": "recent", "title": "Recent", "total": 70, "cards": [*cards], "more": 10}
    data: dict[str, Any] = {
        "totals": [{"name": "Running", "value": "0", "note": ""}],
        "waiting": [],
        "waitingHidden": 0,
        "sections": [{**section, "empty": ""}],
    }
    own = {"ack": acknowledged, "beatMs": 0, "session": session}
    lines = f"{json.dumps(own)}\n{json.dumps(data)}"
    page.evaluate(f"void (window.unmount = window.mount({json.dumps(lines)}))")


def test_taken_up_again_it_draws_nothing_twice_and_loses_no_click(page: Page) -> None:
    start(page)
    mount(page)
    page.get_by_role("button", name="Show more").click()
    page.evaluate("window.unmount()")
    mount(page)
    expect(page.locator("section")).to_have_count(1)
    expect(page.locator(".totals > *")).to_have_count(1)
    page.get_by_role("button", name="Show more").click()
    assert page.evaluate("window.sent") == [[1], [1, 2]]


def test_what_python_did_not_acknowledge_is_sent_again(page: Page) -> None:
    start(page)
    mount(page)
    page.get_by_role("button", name="Show more").click()
    page.wait_for_function("window.sent.length >= 2")
    mount(page, acknowledged=1)
    sent = page.evaluate("window.sent.length")
    page.wait_for_timeout(5_000)
    assert page.evaluate("window.sent.length") == sent


def test_a_new_server_is_sent_only_what_the_one_before_did_not_acknowledge(page: Page) -> None:
    start(page)
    mount(page)
    for _ in range(3):
        page.get_by_role("button", name="Show more").click()
    mount(page, acknowledged=2)
    mount(page, session="two")
    assert page.evaluate("window.sentTo") == ["3 to two"]


@pytest.mark.parametrize("first_gone", [True, False], ids=["old one gone first", "new one first"])
def test_in_a_new_place_an_error_stays_open_the_focus_stays_and_clicks_count(
    page: Page, first_gone: bool
) -> None:
    start(page)
    mount(page, cards=[FAILED])
    page.get_by_role("button", name="Show more").click()
    page.get_by_role("button", name="More of the error, session s1").click()
    page.evaluate("window.old = document.body.lastElementChild; window.endOld = window.unmount")
    if first_gone:
        page.evaluate("window.endOld(); window.old.remove()")
    new_place(page)
    mount(page, cards=[FAILED])
    if not first_gone:
        page.evaluate("window.endOld(); window.old.remove()")
    expect(page.locator("article")).to_have_count(1)
    less = page.get_by_role("button", name="Less of the error, session s1")
    expect(less).to_be_focused()
    expect(less).to_have_attribute("aria-expanded", "true")
    page.wait_for_function("window.sent.length >= 2")
    assert page.evaluate("window.sent") == [[1], [1]]


def test_news_of_one_moment_are_one_announcement(page: Page) -> None:
    start(page)
    mount(page, cards=[running("s1"), running("s2")])
    mount(page, cards=[FAILED, failed("s2")])
    expect(page.locator(".spoken")).to_contain_text("Session s1")
    expect(page.locator(".spoken")).to_contain_text("Session s2")


def test_the_keyboard_stays_on_the_card_whose_button_became_another(page: Page) -> None:
    start(page)
    mount(page, cards=[running("s1")])
    page.get_by_role("button", name="Pause, session s1").focus()
    mount(page, cards=[running("s1", status="paused", actions=["resume", "stop"])])
    expect(page.get_by_role("button", name="Resume, session s1")).to_be_focused()
