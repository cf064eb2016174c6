"""The app as Streamlit runs it, without a browser."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from lib import daemon, filters, samples
from lib.model import DaemonRow, Session, SourceRow
from lib.settings import settings
from lib.store import Batch, Store
from lib.ui import board, state
from lib.ui.access import PUBLIC_VARIABLE

TOP = Path(__file__).parent.parent.parent


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The store that the app of this test reads. No daemon is started for it."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    monkeypatch.setenv("QUARTERDECK_STORE_URL", url)
    monkeypatch.setenv("QUARTERDECK_DATA_FOLDER", str(tmp_path))
    monkeypatch.setattr(daemon, "ensure_running", lambda _: False)
    opened = Store.open(url)
    yield opened
    opened.close()
    state.open_store.clear()
    state.start_daemon.clear()


def now_ms() -> int:
    return time.time_ns() // 10**6


def a_daemon(beat_ago_ms: int = 0, **facts: object) -> DaemonRow:
    beat = now_ms() - beat_ago_ms
    row = DaemonRow(
        machine=settings().machine, pid=1, started_at=beat, beat_at=beat, phase="watching"
    )
    for name, value in facts.items():
        setattr(row, name, value)
    return row


def run(page: str | None = None, **query: list[str]) -> AppTest:
    app = AppTest.from_file(str(TOP / "dashboard.py"), default_timeout=30)
    for name, values in query.items():
        app.query_params[name] = values
    app.run()
    if page:
        app.switch_page(page).run()
    assert [error.value for error in app.exception] == []
    return app


def said(app: AppTest) -> str:
    """All words outside the board."""
    kinds = (app.error, app.warning, app.info, app.success, app.text, app.markdown, app.subheader)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def options(app: AppTest, label: str) -> list[str]:
    return next(one for one in app.multiselect if one.label == label).options


def test_an_empty_board_says_where_it_looked_and_offers_samples(store: Store) -> None:
    store.save_daemon(a_daemon())
    root = SourceRow(machine=settings().machine, agent="codex", root="/x/sessions", state="absent")
    store.save_sources([root])
    app = run()
    assert app.title[0].value == "AI Sessions"
    assert "No sessions yet" in said(app)
    assert "absent  Codex: /x/sessions" in said(app)
    next(one for one in app.button if one.label == "Show sample sessions").click().run().run()
    assert "samples, not real sessions" in said(app)
    assert options(app, "Status")[0] == "🟢 Running (2)"
    next(one for one in app.button if one.label == "Remove samples").click().run().run()
    assert "No sessions yet" in said(app)


def test_counts_of_one_filter_follow_the_others(store: Store) -> None:
    samples.write(store, now_ms())
    app = run()
    assert options(app, "Tool") == ["Claude Code (7)", "Codex (3)"]
    next(one for one in app.multiselect if one.label == "Project").select("my-app").run()
    assert options(app, "Tool") == ["Codex (2)", "Claude Code (0)"]
    assert options(app, "Project")[0] == "lean-spec (4)"


def test_a_choice_stays_when_its_count_moves(store: Store) -> None:
    samples.write(store, now_ms())
    app = run(tool=["codex"])
    choice = next(one for one in app.multiselect if one.label == "Tool")
    assert choice.value == ["codex"]
    rows = state.sessions_frame(store)
    ended = rows[(rows["agent"] == "codex") & (rows["section"] == "recent")]
    store.dismiss(ended["key"].iloc[0], now_ms())
    app.run()
    assert options(app, "Tool")[1] == "Codex (2)"
    assert next(one for one in app.multiselect if one.label == "Tool").value == ["codex"]


def test_a_link_sets_the_filters_and_names_what_does_not_exist(store: Store) -> None:
    store.save_daemon(a_daemon())
    samples.write(store, now_ms())
    app = run(project=["lean-spec", "nowhere"], q=["runner"], range=["7d"], sort=["cost"])
    assert next(one for one in app.multiselect if one.label == "Project").value == ["lean-spec"]
    assert app.text_input[0].value == "runner"
    assert [one.value for one in app.selectbox][:2] == ["7d", "cost"]
    assert "no project “nowhere”" in said(app)
    next(one for one in app.button if one.label == "Clear filters").click().run()
    assert next(one for one in app.multiselect if one.label == "Project").value == []
    assert "nowhere" not in said(app)


def test_filters_stay_when_the_page_changes(store: Store) -> None:
    samples.write(store, now_ms())
    app = run("pages/costs.py", tool=["codex"])
    assert next(one for one in app.multiselect if one.label == "Tool").value == ["codex"]


def test_filters_that_leave_nothing_say_so(store: Store) -> None:
    samples.write(store, now_ms())
    assert "No session matches the filters. There are 10 in all." in said(run(q=["no such thing"]))


def test_the_first_scan_shows_how_far_it_is(store: Store) -> None:
    store.save_daemon(
        a_daemon(phase="scanning", files_done=1_200, files_total=3_000, bytes_total=2 << 30)
    )
    app = run()
    assert "No sessions yet" not in said(app)
    assert app.get("progress")[0].proto.text == (
        "Reading session files, newest first: 1,200 of 3,000 files, 0 B of 2.0 GB, 0 sessions"
    )


def test_a_silent_daemon_is_noticed(store: Store) -> None:
    allowed = state.STALE_SECONDS
    store.save_daemon(a_daemon(beat_ago_ms=(allowed + 15) * 1000))
    assert f"gave its last sign of life {allowed + 15} seconds ago" in said(run())
    store.save_daemon(a_daemon(beat_ago_ms=(allowed - 15) * 1000))
    assert "sign of life" not in said(run())


def test_an_unreadable_source_hides_no_other(store: Store) -> None:
    samples.write(store, now_ms())
    source = SourceRow(
        machine="here", agent="codex", root="/locked", state="unreadable", error="EACCES"
    )
    store.save_sources([source])
    app = run()
    assert "Codex: this folder can't be read" in said(app)
    assert "EACCES" in said(app)
    assert options(app, "Status")[0] == "🟢 Running (2)"


def test_starting_a_daemon_is_told_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "ensure_running", lambda _: True)
    app = run()
    assert ["Started the background daemon" in toast.value for toast in app.toast] == [True]
    assert not app.run().toast


def test_a_daemon_that_cannot_be_started_is_told(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> bool:
        raise PermissionError("no such luck")

    monkeypatch.setattr(daemon, "ensure_running", refuse)
    assert "no such luck" in said(run())


def test_a_store_that_cannot_be_read_is_told_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder").mkdir()
    monkeypatch.setenv("QUARTERDECK_STORE_URL", f"sqlite:///{tmp_path / 'folder'}")
    monkeypatch.setenv("QUARTERDECK_DATA_FOLDER", str(tmp_path))
    monkeypatch.setattr(daemon, "ensure_running", lambda _: False)
    state.open_store.clear()
    app = run()
    assert "The store can't be read" in said(app)
    assert [one.label for one in app.button] == ["Refresh now"]


def test_what_viewers_look_at_alike_is_made_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples.write(store, now_ms())
    made: list[tuple[pd.DataFrame, str]] = []
    make, count = board._content, filters.counts

    def making(shared: Any, frame: pd.DataFrame, *rest: Any) -> Any:
        made.append((frame, f"board of {shared.filters}"))
        return make(shared, frame, *rest)

    def counting(frame: pd.DataFrame, chosen: Any, now: Any) -> Any:
        made.append((frame, f"counts of {chosen}"))
        return count(frame, chosen, now)

    monkeypatch.setattr(board, "_content", making)
    monkeypatch.setattr(filters, "counts", counting)
    for app in (run(), run(), run(tool=["codex"])):
        app.run()
    # Frames are held in `made`, so each has a number of its own; a minute may end in between.
    told = [(id(frame), what) for frame, what in made]
    assert len({what for _, what in told}) == 4
    assert len(told) == len(set(told))
    assert len(told) <= 4 * len({number for number, _ in told})


def test_nobody_may_act_on_a_public_board(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUARTERDECK_PUBLIC_READONLY", "1")
    store.save_daemon(a_daemon())
    assert {one.label for one in run().button} == {"Clear filters", "Refresh now"}


def test_where_all_are_dismissed_they_can_be_shown_again(store: Store) -> None:
    session = Session(key="claude-code:s1", agent="claude-code", session_id="s1", machine="here")
    session.turn, session.last_activity_at = "idle", now_ms() - 60_000
    store.write(Batch(sessions=[session]))
    store.dismiss("claude-code:s1", now_ms())
    app = run()
    assert "Nothing is left to show: 1 session, all dismissed." in said(app)
    next(one for one in app.button if one.label == "Show them").click().run()
    assert "Nothing is left" not in said(app)


def test_machines_shows_daemons_sources_and_skipped_records(store: Store) -> None:
    store.save_daemon(a_daemon(last_error="disk full"))
    app = run("pages/machines.py")
    assert app.title[0].value == "Machines"
    daemons = app.dataframe[0].value
    assert list(daemons["Last error"]) == ["disk full"]
    assert list(daemons["State"]) == ["🟢 watching"]
    assert "Every record of every file could be read." in said(app)


def a_session(store: Store, **facts: object) -> Session:
    session = Session(key="codex:s1", agent="codex", session_id="s1", title="Fix <b>it</b> :red[x]")
    session.machine, session.source_path = settings().machine, "/nowhere/rollout-1.jsonl"
    for name, value in facts.items():
        setattr(session, name, value)
    store.write(Batch(sessions=[session]))
    return session


def test_the_page_of_no_session_offers_those_there_are(store: Store) -> None:
    a_session(store)
    for query, words in (({}, "Choose a session"), ({"session": ["codex:x"]}, "no session with")):
        app = run("pages/session.py", **query)
        assert words in said(app)
        assert "Session" in [one.label for one in app.selectbox]


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"machine": "dev@else<where>"}, r"on machine dev\@else\<where\>"),
        ({}, "outside the folders"),
        ({"machine": "sample"}, "a sample"),
    ],
)
def test_a_session_without_a_file_to_read_says_why(
    store: Store, facts: dict[str, str], words: str
) -> None:
    key = a_session(store, **facts).key
    app = run("pages/session.py", session=[key])
    assert words in said(app)
    assert r"Fix \<b\>it\<\/b\> \:red\[x\]" in [header.value for header in app.header]


def test_a_public_board_shows_no_transcript(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    key = a_session(store).key
    monkeypatch.setenv(PUBLIC_VARIABLE, "1")
    app = run("pages/session.py", session=[key])
    assert "to the person at this machine only" in said(app)


def test_a_store_whose_file_was_replaced_is_opened_anew(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples.write(store, now_ms())
    assert state.open_store().sessions()
    assert state.open_store() is state.open_store()
    store.close()
    for path in tmp_path.glob("store.db*"):
        path.unlink()
    assert state.open_store().sessions() == []
    assert not state.open_store().is_replaced()
