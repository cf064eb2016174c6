"""The Failures page, without a browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from lib.failures import signature
from lib.model import Session
from lib.model_notes import FailureNote
from lib.store import Batch, Store
from lib.ui.access import PUBLIC_VARIABLE
from tests.tool_rows import call, found
from tests.ui.pages import again, click, now_ms, run, said, store_of_the_app

PAGE = "pages/failures.py"
ALIKE = signature("api", "Server said 500 at /w/one").id
NASTY = (
    "# Boom <script>alert(1)</script> **bold** $a$ :red[x] [link](http://x)\n"
    "nul \x00 esc \x1b[31mred\x1b[0m | cell | ☃"
)


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store without a session."""
    monkeypatch.setenv("QUARTERDECK_MACHINE", "me@here")
    with store_of_the_app(tmp_path, monkeypatch) as opened:
        yield opened


@pytest.fixture
def store(empty: Store) -> Store:
    """A store with two sessions that failed alike and one that completed."""
    one = a_session("one", "Server said 500 at /w/one", ago=1_000)
    two = a_session("two", "Server said 500 at /w/two")
    empty.write(Batch(sessions=[one, two, a_session("done", None)]))
    return empty


def a_session(name: str, error: str | None, ago: int = 0) -> Session:
    known = Session(key=f"claude-code:{name}", agent="claude-code", session_id=name)
    known.registered, known.turns = True, 1
    known.started_at, known.last_activity_at = now_ms() - ago - 60_000, now_ms() - ago
    known.turn = "failed" if error is not None else "idle"
    if error is not None:
        known.error_class, known.error_message = "api", error
    return known


def figure(app: AppTest, label: str) -> str:
    return next(str(one.value) for one in app.metric if one.label == label)


def listed(app: AppTest) -> list[str]:
    """The errors in the table of groups."""
    tables = [table.value for table in app.dataframe]
    return [text for table in tables if "text" in table for text in table["text"]]


def labels(app: AppTest) -> set[str]:
    return {one.label for one in app.button}


def test_sessions_that_failed_alike_are_one_group(store: Store) -> None:
    app = run(PAGE)
    assert (figure(app, "Failed sessions"), figure(app, "Of those that ended")) == ("2", "66.7%")
    (table,) = [table.value for table in app.dataframe]
    assert list(table["text"]) == ["Server said 500 at <path>"]
    assert (list(table["class"]), list(table["sessions"])) == (["API error"], [2])


def test_the_sidebars_filters_narrow_the_groups(store: Store) -> None:
    app = run(PAGE, q=["done"])
    assert figure(app, "Failed sessions") == "0"
    assert "No session failed in this period." in said(app)


def test_a_link_selects_a_group_and_one_of_no_group_is_said_to_name_none(store: Store) -> None:
    app = run(PAGE, group=[ALIKE])
    assert [block.value.strip() for block in app.code] == ["Server said 500 at /w/two"]
    (sessions,) = [one.value for one in app.dataframe if "link" in one.value]
    assert set(sessions["link"]) == {
        "session?session=claude-code%3Aone",
        "session?session=claude-code%3Atwo",
    }
    assert "did not fail in this period" in said(run(PAGE, group=["<b>no</b>"]))


def test_a_resolved_group_is_out_of_the_way_until_it_is_reopened(store: Store) -> None:
    app = run(PAGE, group=[ALIKE])
    app.text_area[0].input("  Their side  ")
    click(app, "Resolve")
    (note,) = store.failure_notes.listed()
    assert (note.kind, note.text, note.by) == ("resolve", "Their side", "me@here")
    assert abs(note.at - now_ms()) < 60_000
    assert listed(app) == []
    assert "1 group (1 ✔ resolved)" in said(app)
    assert "me@here resolved it: Their side" in said(app)
    app.segmented_control[0].set_value("Resolved")
    assert listed(again(app)) == ["Server said 500 at <path>"]
    click(app, "Reopen")
    app.segmented_control[0].set_value("Open")
    assert listed(again(app)) == ["Server said 500 at <path>"]
    assert [one.kind for one in store.failure_notes.listed()] == ["resolve", "reopen"]


def test_what_another_viewer_decided_meanwhile_is_not_decided_twice(store: Store) -> None:
    app = run(PAGE, group=[ALIKE])
    other = FailureNote(signature=ALIKE, kind="resolve", by="you@there", at=now_ms())
    store.failure_notes.add(other)
    click(app, "Resolve")
    assert [one.by for one in store.failure_notes.listed()] == ["you@there"]
    assert "you@there resolved it" in said(app)


@pytest.mark.parametrize("kind", ["resolve", "ignore"])
def test_a_group_that_fails_after_it_was_decided_is_shown_and_says_so(
    kind: str, store: Store
) -> None:
    note = FailureNote(signature=ALIKE, kind=kind, by="me", at=now_ms() + 1_000)  # pyright: ignore[reportArgumentType]
    store.failure_notes.add(note)
    assert listed(run(PAGE)) == []
    store.write(Batch(sessions=[a_session("new", "Server said 500 at /w/new", ago=-2_000)]))
    app = run(PAGE)
    assert listed(app) == ["Server said 500 at <path>"]
    assert list(app.dataframe[0].value["state"]) == ["↩ came back"]


def test_a_note_alone_decides_nothing_and_an_empty_one_is_none(store: Store) -> None:
    app = run(PAGE, group=[ALIKE])
    click(app, "Add note")
    assert store.failure_notes.listed() == []
    app.text_area[0].input("**Look** <b>here</b>")
    click(app, "Add note")
    assert listed(app) == ["Server said 500 at <path>"]
    assert any("me@here said: **Look** <b>here</b>" in one.value for one in app.text)


def test_on_a_public_board_nobody_decides(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PUBLIC_VARIABLE, "1")
    app = run(PAGE, group=[ALIKE])
    assert app.code[0].value.strip() == "Server said 500 at /w/two"
    assert not labels(app) & {"Resolve", "Ignore until it comes back", "Add note", "Reopen"}
    assert not app.text_area


@pytest.mark.parametrize("message", [NASTY, "x" * 3_000_000, "\n\n  \n", "", "<" * 50_000])
def test_whatever_a_message_holds_is_shown_as_text(message: str, empty: Store) -> None:
    session = a_session("bad", message)
    session.project_path, session.title = "/w/<b>$", message[:500]
    empty.write(Batch(sessions=[session]))
    app = run(PAGE, group=[signature("api", message).id])
    assert len(listed(app)) == 1
    shown = [block.value for block in app.code]
    assert all(len(one) < 21_000 for one in shown)
    if message is NASTY:
        assert shown == [NASTY]


def test_a_thousand_groups_are_listed_and_no_session_is_no_error(empty: Store) -> None:
    assert "No session failed in this period." in said(run(PAGE))
    words = [f"{chr(97 + n // 676)}{chr(97 + n // 26 % 26)}{chr(97 + n % 26)}" for n in range(1000)]
    empty.write(Batch(sessions=[a_session(one, f"boom {one}") for one in words]))
    app = run(PAGE, group=[signature("api", "boom bbb").id])
    assert len(listed(app)) == 1000
    assert app.code[0].value.strip() == "boom bbb"


def test_how_often_and_how_long_are_told_by_tool_and_outcome(store: Store) -> None:
    app = run(PAGE, view=["How often"], by=["Tool"], over=["Hour of the day"])
    (table,) = [one.value for one in app.dataframe]
    assert table.to_dict("records") == [
        {"tool": "Claude Code", "ended": 3, "failed": 2, "share": 2 / 3}
    ]
    store.write(Batch(sessions=[a_session("old", None, ago=400 * 86_400_000)]))
    app = run(PAGE, view=["How often"], over=["Hour"], period=["All time"])
    assert "The chart begins" in said(app)
    app = run(PAGE, view=["How long"])
    (table,) = [one.value for one in app.dataframe]
    lasted = table[table["figure"] == "Minutes from start to end"]
    assert list(lasted["status"]) == ["Completed", "Failed"]
    assert list(lasted["median"]) == [1, 1]


def test_what_failed_inside_sessions_is_told_of_transcripts_that_were_read(store: Store) -> None:
    one = "claude-code:one"
    calls = [call("1", one, at=now_ms(), outcome="failed", exit_status=2)]
    health = {"most_repeated_tool": "Bash", "most_repeats": 7, "api_retry_ms": 90_000}
    store.tool_calls.replace([found(one, *calls, **health, api_retries=3, rate_limits=2)])
    app = run(PAGE, view=["Tools and limits"])
    assert figure(app, "API calls tried again") == "3"
    assert figure(app, "Time that cost") == "1m 30s"
    assert figure(app, "Refused by a limit") == "2"
    assert "From the transcripts of 1 of 3 sessions and subagents" in said(app)
    failing, repeating = (one.value for one in app.dataframe)
    assert list(failing["exit_statuses"]) == ["2 × 1"]
    assert (list(repeating["repeated"]), list(repeating["times"])) == (["Bash"], [7])
    app = run(PAGE, view=["Tools and limits"], q=["done"])
    assert "No tool call of this period is known to have failed." in said(app)


@pytest.mark.parametrize("view", ["What went wrong", "How often", "How long", "Tools and limits"])
def test_a_store_without_sessions_is_no_error_in_any_view(view: str, empty: Store) -> None:
    assert figure(run(PAGE, view=[view]), "Failed sessions") == "0"
