"""The pages of figures with what nobody would call their project, and with more than fits."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from lib import daemon
from lib.model import Request, Session
from lib.store import Batch, Store
from lib.ui import state
from tests.ui.test_app import TOP, now_ms

NAMES = [
    "$\\alpha$ €5 and $6",
    "<script>alert(1)</script><b>bold</b>",
    "**bold** [link](javascript:alert(1)) :red[red] # heading",
    "&amp; &#36; \x00\u202e 'quoted' \"twice\"",
    "=1+1",
    "",
    "All",
    "Other",
    "–",
    "x" * 500,
]
DAY_MS = 86_400_000
YEAR_MS = 365 * DAY_MS


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    monkeypatch.setenv("QUARTERDECK_STORE_URL", url)
    monkeypatch.setenv("QUARTERDECK_DATA_FOLDER", str(tmp_path))
    monkeypatch.setattr(daemon, "ensure_running", lambda _: False)
    opened = Store.open(url)
    yield opened
    opened.close()
    state.open_store.clear()
    state.start_daemon.clear()


def fill(store: Store, names: list[str], every_ms: int) -> None:
    """A failed session for each name, which is everything in it that may be a name."""
    sessions: list[Session] = []
    calls: list[Request] = []
    for number, name in enumerate(names):
        at = now_ms() - 1_000 - number * every_ms
        key = f"claude-code:{number}"
        sessions.append(
            Session(
                key=key,
                agent="claude-code",
                session_id=str(number),
                machine=name,
                project_path=f"/w/{name}",
                branch=name,
                title=name,
                first_prompt=name,
                error_message=name,
                turn="failed",
                registered=True,
                started_at=at - 60_000,
                last_activity_at=at,
            )
        )
        # A price for every other: the names of models are unpriced.
        model = "claude-sonnet-4-5" if number % 2 else name
        calls.append(
            Request(
                key=f"{key}/1",
                session_key=key,
                owner_rank="0",
                at=at,
                model=model,
                input_tokens=100_000,
            )
        )
    store.write(Batch(sessions=sessions, requests=calls))


def run(page: str, **query: str) -> AppTest:
    app = AppTest.from_file(str(TOP / "dashboard.py"), default_timeout=120)
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    app.switch_page(f"pages/{page}.py").run()
    assert [error.value for error in app.exception] == []
    return app


def figures(app: AppTest) -> list[dict[str, Any]]:
    """What plotly is told to draw."""
    return [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]


@pytest.mark.parametrize("by", ["tool", "model", "project", "spec", "branch", "machine", "session"])
def test_names_are_shown_letter_by_letter_and_lose_no_cent(store: Store, by: str) -> None:
    fill(store, NAMES, 60_000)
    app = run("costs", by=by.capitalize(), table=by.capitalize(), period="All time")
    cost = next(one for one in app.metric if one.label == "Cost")
    assert cost.value == "\\$1.50"
    assert any(f"{len(NAMES) // 2:,} calls unpriced" in one.value for one in app.caption)
    (table,) = [one.value for one in app.dataframe]
    assert table["cost_usd"].sum() == pytest.approx(1.5)
    assert table["requests"].sum() == len(NAMES)
    for figure in figures(app):
        for trace in figure["data"]:
            shown = [trace.get("name") or "", *(trace.get("text") or [])]
            assert not [one for one in shown if "<" in one or "$" in one]
    marked = [*app.markdown, *app.caption, *app.title, *app.subheader, *app.info]
    assert not [one.value for one in marked if "alert(1)" in one.value]


def test_failures_bear_such_names(store: Store) -> None:
    fill(store, NAMES, 60_000)
    for by in ("tool", "model", "project", "branch"):
        app = run("failures", by=by.capitalize(), period="All time")
        for figure in figures(app):
            assert not [one for one in figure["data"] if "<b>" in (one.get("name") or "")]


@pytest.mark.parametrize("by", ["project", "session"])
def test_ten_years_of_a_thousand_projects_have_few_bars_and_parts(store: Store, by: str) -> None:
    fill(store, [f"project {number}" for number in range(1_000)], 10 * YEAR_MS // 1_000)
    app = run("costs", period="All time", by=by.capitalize(), table=by.capitalize())
    over_time = figures(app)[0]["data"]
    assert len(over_time) == 8
    assert max(len(trace["x"]) for trace in over_time) <= 125
    offered = next(one for one in app.selectbox if one.label == "By").options
    assert offered == ["Week", "Month"]
    (table,) = [one.value for one in app.dataframe]
    assert len(table) == 1_000
    assert table["cost_usd"].sum() == pytest.approx(150)
