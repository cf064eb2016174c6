"""The Failures page, without a browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from lib.model import Session
from lib.store import Batch, Store
from tests.ui.pages import now_ms, run, said, store_of_the_app

PAGE = "pages/failures.py"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store with two sessions that failed alike and one that completed."""
    with store_of_the_app(tmp_path, monkeypatch) as opened:
        sessions = [a_session(name, f"Server said 500 at /w/{name}") for name in ("one", "two")]
        opened.write(Batch(sessions=[*sessions, a_session("done", None)]))
        yield opened


def a_session(name: str, error: str | None) -> Session:
    known = Session(key=f"claude-code:{name}", agent="claude-code", session_id=name)
    known.registered, known.turns = True, 1
    known.started_at, known.last_activity_at = now_ms() - 60_000, now_ms()
    known.turn = "failed" if error else "idle"
    if error:
        known.error_class, known.error_message = "api", error
    return known


def figure(app: AppTest, label: str) -> str:
    return next(str(one.value) for one in app.metric if one.label == label)


def test_sessions_that_failed_alike_are_one_group(store: Store) -> None:
    app = run(PAGE)
    assert (figure(app, "Failed sessions"), figure(app, "Of those that ended")) == ("2", "66.7%")
    (table,) = [table.value for table in app.dataframe]
    assert list(table["text"]) == ["Server said 500 at <path>"]
    assert list(table["sessions"]) == [2]


def test_the_sidebars_filters_narrow_the_groups(store: Store) -> None:
    app = run(PAGE, q=["done"])
    assert figure(app, "Failed sessions") == "0"
    assert "No session failed in this period." in said(app)
