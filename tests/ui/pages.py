"""Pages without a browser, on a store of the test's own and without a daemon."""

import contextlib
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from lib import daemon
from lib.store import Store
from lib.ui import state

TOP = Path(__file__).parent.parent.parent


@contextlib.contextmanager
def store_of_the_app(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Store]:
    """The store that the app of this test reads, in `folder`, which also is its home."""
    url = f"sqlite:///{folder / 'store.db'}"
    monkeypatch.setenv("QUARTERDECK_STORE_URL", url)
    monkeypatch.setenv("QUARTERDECK_DATA_FOLDER", str(folder))
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setattr(daemon, "ensure_running", lambda _: False)
    opened = Store.open(url)
    yield opened
    opened.close()
    state.open_store.clear()
    state.start_daemon.clear()


def run(page: str, **query: list[str]) -> AppTest:
    """The app at a page."""
    app = AppTest.from_file(str(TOP / "dashboard.py"), default_timeout=30)
    for name, values in query.items():
        app.query_params[name] = values
    app.run()
    app.switch_page(page)
    return again(app)


def again(app: AppTest) -> AppTest:
    """One more run, which must not fail."""
    app.run()
    assert [error.value for error in app.exception] == []
    return app


def click(app: AppTest, label: str) -> AppTest:
    """Click the button of that name."""
    next(one for one in app.button if one.label == label).click()
    return again(app)


def said(app: AppTest) -> str:
    """All words of the page."""
    kinds = (
        app.title,
        app.error,
        app.warning,
        app.info,
        app.success,
        app.text,
        app.markdown,
        app.caption,
        app.subheader,
    )
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def now_ms() -> int:
    """The present."""
    return time.time_ns() // 10**6
