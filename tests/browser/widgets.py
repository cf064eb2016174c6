"""Using Streamlit's widgets as people do."""

import pytest
from playwright.sync_api import Locator, Page
from playwright.sync_api import TimeoutError as Missed

_MOMENT_MS = 6_000
_TIMES = 5


def choose(page: Page, box: Locator, option: str) -> None:
    """Choose in a select box; open it again where scrolling to it or a redraw closed its list."""
    wanted = page.get_by_role("option", name=option)
    for _ in range(_TIMES):
        box.click()
        try:
            wanted.wait_for(timeout=_MOMENT_MS)
        except Missed:
            page.keyboard.press("Escape")
        else:
            return wanted.click()
    pytest.fail(f"no {option!r} to choose")
