"""The board's own script, without Streamlit: what it does when Streamlit takes it up again."""

import json
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from lib.ui import board

FOLDER = Path(board.__file__).parent


def start(page: Page) -> None:
    script = "".join((FOLDER / name).read_text() for name in ("board.js", "board_actions.js"))
    page.set_content((FOLDER / "board.html").read_text())
    page.evaluate(
        """async (source) => {
            const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
            const module = await import(address);
            window.sent = [];
            window.mount = (data) => module.default({
                data,
                parentElement: document.body,
                setStateValue: (_, value) => window.sent.push(value.map((item) => item.n)),
                setTriggerValue: () => {},
            });
        }""",
        script,
    )


def mount(page: Page, acknowledged: int = 0) -> None:
    section = {"name": "recent", "title": "Recent", "count": 70, "cards": [], "more": 10}
    data: dict[str, Any] = {
        "totals": [{"name": "Running", "value": "0", "note": ""}],
        "waiting": [],
        "waitingHidden": 0,
        "sections": [{**section, "empty": ""}],
        "ack": acknowledged,
        "beatMs": 0,
    }
    page.evaluate(f"void (window.unmount = window.mount({json.dumps(data)}))")


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
