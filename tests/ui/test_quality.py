"""The page Data quality, as Streamlit runs it, without a browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lib import daemon
from lib.store import Store
from lib.ui import state
from tests.collecting import collect
from tests.tool_rows import found
from tests.trees import Claude
from tests.ui.test_app import run, said


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    monkeypatch.setenv("QUARTERDECK_STORE_URL", url)
    monkeypatch.setenv("QUARTERDECK_DATA_FOLDER", str(tmp_path))
    monkeypatch.setattr(daemon, "ensure_running", lambda _: False)
    store = Store.open(url)
    yield store
    store.close()
    state.open_store.clear()
    state.start_daemon.clear()


def test_the_page_says_what_every_figure_is_made_of(opened: Store, tmp_path: Path) -> None:
    session = Claude(tmp_path, "s1").prompt("hello").say("hi", call="a").say("hi", call="a")
    session.say("ho", 2, model="nobody-knows-it").add({"type": "telepathy"}).exit()
    collect(opened, tmp_path)
    app = run("pages/quality.py")
    metrics = {metric.label: metric.value for metric in app.metric}
    assert metrics["Model calls"] == "2"
    assert (metrics["Copies not counted"], metrics["Unpriced calls"]) == ("1", "1")
    tables = " ".join(frame.value.to_string() for frame in app.dataframe)
    for word in ("nobody-knows-it", "record type: telepathy", "Claude Code", "s1.jsonl"):
        assert word in tables
    assert "Sessions that say what they have cost: 1." in said(app)
    assert "python -m lib.report why --json" in [code.value for code in app.code]


def test_an_empty_store_is_no_failure(opened: Store) -> None:
    assert opened.version() == 0
    assert "Every record is of a kind that its reader knows." in said(run("pages/quality.py"))


def test_a_session_s_page_says_what_its_own_figures_are_made_of(
    opened: Store, tmp_path: Path
) -> None:
    Claude(tmp_path, "s1").prompt("hello").say("hi", call="a").say("hi", call="a").exit()
    Claude(tmp_path, "s2").prompt("hello").say("hi").exit()
    collect(opened, tmp_path)
    app = run("pages/session.py", session=["claude-code:s1"])
    toggle = next(one for one in app.toggle if one.label == "Why these figures")
    toggle.set_value(True).run()
    metrics = {metric.label: metric.value for metric in app.metric}
    assert (metrics["Model calls"], metrics["Copies not counted"]) == ("1", "1")
    assert "The agent itself says $0.10; here it is" in said(app)


def test_a_transcript_without_readable_tool_calls_is_told(opened: Store, tmp_path: Path) -> None:
    Claude(tmp_path, "s1").prompt("hello")
    collect(opened, tmp_path)
    assert "Every transcript that was looked at" in said(run("pages/quality.py"))
    opened.tool_calls.replace([found("claude-code:s1", problem="It is <b>odd</b>.")])
    app = run("pages/quality.py")
    assert "could not be read for tool calls: 1." in said(app)
    assert any("It is <b>odd</b>." in frame.value.to_string() for frame in app.dataframe)
