"""What Cursor's databases tell, and that they tell no tokens."""

import json
import sqlite3
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.model import NO_LOCAL_TOKENS, FileFacts, Session
from lib.readers import cursor
from lib.readers.cursor_editor import NO_LIFE
from lib.readers.databases import DatabaseError
from tests.readers.cursor_records import (
    CHAT,
    COMPOSER,
    FOLDER,
    Editor,
    answer,
    chat,
    injected,
    result,
    text,
    tool,
    user,
)
from tests.readers.json_lines import Json, Place, anything, moment_ms, places, replaced, told

OTHER = "ccccdddd-1111-4222-8333-444455556666"
SYSTEM: Json = {"role": "system", "content": "You are"}


def sessions_of(facts: FileFacts) -> dict[str, Session]:
    found = (facts.session, *facts.more_sessions)
    return {one.session_id: one for one in found if one is not None}


@pytest.fixture
def editor(tmp_path: Path) -> Editor:
    return Editor(tmp_path)


@pytest.mark.parametrize("in_hexadecimal", [True, False])
def test_a_chat_of_the_command_line_is_told(tmp_path: Path, in_hexadecimal: bool) -> None:
    messages: list[Json | bytes] = [SYSTEM, injected(), user(), b"\x0a\x05graph", answer()]
    path = chat(tmp_path, messages, {"name": "Repair"}, in_hexadecimal=in_hexadecimal)
    facts = cursor.read(path, None)
    session = told(facts)
    assert (session.key, session.title, session.entrypoint) == (f"cursor:{CHAT}", "Repair", "cli")
    assert (session.project_path, session.model) == (FOLDER, "composer-2.5")
    assert (session.turn, session.turns) == ("idle", 1)
    assert (session.first_prompt, session.last_message) == ("Fix it", "Done.")
    assert session.started_at == moment_ms(0)
    assert facts.state.records == 4


def test_nothing_is_said_of_tokens(tmp_path: Path, editor: Editor) -> None:
    editor.bubble(1, 2, tokenCount={"inputTokens": 100, "outputTokens": 10})
    editor.session(2)
    for path in (editor.path, chat(tmp_path, [user(), answer()])):
        facts = cursor.read(path, None)
        assert facts.requests == []
        assert NO_LOCAL_TOKENS in told(facts).flags
    assert cursor.CANNOT_KNOW[NO_LOCAL_TOKENS]


def test_the_file_beside_a_chat_has_its_title_and_times(tmp_path: Path) -> None:
    beside = {"title": "Repair", "createdAtMs": moment_ms(1), "updatedAtMs": moment_ms(9)}
    session = told(cursor.read(chat(tmp_path, [user()], beside=beside), None))
    assert (session.title, session.started_at) == ("Repair", moment_ms(1))
    assert session.last_activity_at == moment_ms(9)
    assert told(cursor.read(chat(tmp_path, [user()], beside={}), None)).title is None


def test_a_folder_is_believed_only_if_the_chat_s_folder_is_named_by_it(tmp_path: Path) -> None:
    session = told(cursor.read(chat(tmp_path, [injected("/etc"), user()]), None))
    assert session.project_path is None
    named = chat(tmp_path, [user()], {"workspacePath": FOLDER})
    assert told(cursor.read(named, None)).project_path == FOLDER


@pytest.mark.parametrize(
    ("messages", "turn", "detail"),
    [
        ([], "idle", None),
        ([injected()], "idle", None),
        ([user()], "running", None),
        ([user(), answer(text("Go"), tool(command="make"))], "running", "Shell: make"),
        ([user(), answer(tool(command="make")), result()], "running", None),
        ([user(), answer(tool(command="make")), result(), answer()], "idle", None),
    ],
)
def test_what_the_newest_message_makes_of_the_turn(
    tmp_path: Path, messages: list[Json | bytes], turn: str, detail: str | None
) -> None:
    session = told(cursor.read(chat(tmp_path, messages), None))
    assert (session.turn, session.turn_detail) == (turn, detail)


def test_spaces_behind_a_folder_are_not_its_and_take_no_time(tmp_path: Path) -> None:
    padded = FOLDER + " " * 90_000
    assert told(cursor.read(chat(tmp_path, [injected(padded)]), None)).project_path == FOLDER
    another = chat(tmp_path, [injected("/home" + " " * 90_000 + "b")])
    assert told(cursor.read(another, None)).project_path is None


def test_a_message_that_cannot_be_read_is_counted(tmp_path: Path) -> None:
    facts = cursor.read(chat(tmp_path, [user(), b"{half", {"role": "ghost"}, answer()]), None)
    assert facts.state.skipped == {"not JSON": 1}
    assert facts.state.unknown == {"role: ghost": 1}
    assert told(facts).turn == "idle"


def test_a_session_of_the_editor_is_told(editor: Editor) -> None:
    editor.bubble(1, 1, text="Fix it", workspaceUris=["file:///home/dev/alpha"])
    editor.bubble(2, 2, text="Done.")
    todos = [{"status": "completed"}, {"status": "pending"}]
    more: Json = {"createdOnBranch": "feature/x", "todos": todos, "contextTokensUsed": 500}
    editor.session(1, 2, **more, contextTokenLimit=1000)
    session = told(cursor.read(editor.path, None))
    assert (session.key, session.title) == (f"cursor:{COMPOSER}", "Repair")
    assert (session.project_path, session.branch) == (FOLDER, "feature/x")
    assert (session.first_prompt, session.last_message) == ("Fix it", "Done.")
    assert (session.turn, session.turns, session.entrypoint) == ("idle", 1, "editor")
    assert (session.todo_done, session.todo_total) == (1, 2)
    assert (session.context_tokens, session.context_window) == (500, 1000)
    assert session.model == "claude-4.5-opus-high-thinking"
    assert (session.started_at, session.last_activity_at) == (moment_ms(0), moment_ms(2))


def test_a_session_nobody_wrote_in_is_none(editor: Editor) -> None:
    editor.session()
    assert cursor.read(editor.path, None).session is None


def test_a_subagent_names_its_parent_and_a_workspace_its_folder(editor: Editor) -> None:
    workspace = {"uri": {"fsPath": "/home/dev/beta"}}
    parent = {"parentComposerId": OTHER}
    editor.session(1, subagentInfo=parent, workspaceIdentifier=workspace)
    session = told(cursor.read(editor.path, None))
    assert (session.parent_key, session.project_path) == (f"cursor:{OTHER}", "/home/dev/beta")


@pytest.mark.parametrize(
    ("status", "turn"),
    [
        ("completed", "idle"),
        ("none", "idle"),
        ("aborted", "stopped"),
        ("error", "failed"),
        ("generating", "unknown"),
        ("bored", "unknown"),
    ],
)
def test_how_the_editor_says_a_turn_ended(editor: Editor, status: str, turn: str) -> None:
    editor.bubble(1, 2, errorDetails={"message": "429 too many requests"})
    editor.session(1, status=status)
    facts = cursor.read(editor.path, None)
    session = told(facts)
    assert session.turn == turn
    assert session.error_class == ("rate_limit" if status == "error" else None)
    assert (NO_LIFE in session.flags) == (turn == "unknown")
    assert facts.state.unknown == ({"status: bored": 1} if status == "bored" else {})


@pytest.mark.parametrize(
    ("call", "detail"),
    [
        ({"name": "run_terminal_cmd", "rawArgs": '{"command": "make"}'}, "run_terminal_cmd: make"),
        ({"name": "ask_question", "params": '{"questions": [{"prompt": "Which?"}]}'}, "Which?"),
        ({"name": "read_file", "params": "half {"}, "read_file"),
    ],
)
def test_a_call_under_way_is_told_and_its_fate_is_unknown(
    editor: Editor, call: Json, detail: str
) -> None:
    editor.bubble(1, 1, text="Fix it")
    editor.bubble(2, 2, toolFormerData=call | {"status": "loading"})
    editor.session(1, 2, status="generating")
    session = told(cursor.read(editor.path, None))
    assert (session.turn, session.turn_detail) == ("unknown", detail)


def test_of_the_editor_only_what_changed_is_read_again(editor: Editor) -> None:
    for name in (COMPOSER, OTHER):
        editor.bubble(1, 1, session=name, text="Fix it")
        editor.session(1, session=name)
    first = cursor.read(editor.path, None)
    assert set(sessions_of(first)) == {COMPOSER, OTHER}
    editor.bubble(2, 2, session=COMPOSER, text="Done.")
    second = cursor.read(editor.path, first.state)
    # The last row is looked at again: it may have been written anew under its old number.
    assert sessions_of(second)[COMPOSER].last_message == "Done."
    editor.session(1, session=OTHER, name="Renamed")
    third = cursor.read(editor.path, second.state)
    assert sessions_of(third)[OTHER].title == "Renamed"
    editor.session(1, session=OTHER, name="Again")
    fourth = cursor.read(editor.path, third.state)
    assert sessions_of(fourth)[OTHER].title == "Again"
    assert set(sessions_of(fourth)) == {OTHER}


def test_a_vacuum_does_not_hide_what_comes_after_it(editor: Editor) -> None:
    editor.put("something", {})
    editor.bubble(1, 1, text="Fix it")
    editor.session(1)
    first = cursor.read(editor.path, None)
    editor.run("DELETE FROM cursorDiskKV WHERE key = 'something'")
    with closing(sqlite3.connect(editor.path)) as connection:
        connection.execute("VACUUM")
    editor.session(1, name="Renamed")
    assert told(cursor.read(editor.path, first.state)).title == "Renamed"


def test_another_program_s_database_is_an_error_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "globalStorage" / "state.vscdb"
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE ItemTable (key TEXT, value BLOB)")
    facts = cursor.read(path, None)
    assert facts.session is None
    assert facts.state.error == "not a layout of Cursor's database that is known"


def test_a_damaged_chat_says_why_until_it_changes(tmp_path: Path) -> None:
    path = chat(tmp_path, [user(), answer()])
    first = cursor.read(path, None)
    path.write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    damaged = cursor.read(path, first.state)
    assert damaged.state.error
    assert cursor.read(path, damaged.state).state is damaged.state


def test_a_locked_database_is_an_os_error(editor: Editor) -> None:
    editor.session(1)
    connection = sqlite3.connect(editor.path)
    connection.executescript("PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE")
    connection.execute("DELETE FROM cursorDiskKV")
    with pytest.raises(DatabaseError):
        cursor.read(editor.path, None)
    connection.close()


MESSAGES: list[Json] = [injected(), user(), answer(text("Go"), tool(command="x")), result()]
MESSAGE_PLACES: list[Place] = [place for place in places(MESSAGES) if place]
COMPOSED: Json = {
    "status": "error",
    "name": "Repair",
    "createdAt": moment_ms(0),
    "modelConfig": {"modelName": "m"},
    "todos": [{"status": "completed"}],
    "subagentInfo": {"parentComposerId": OTHER},
    "workspaceIdentifier": {"uri": {"fsPath": "/x"}},
    "fullConversationHeadersOnly": [{"bubbleId": "b1", "type": 1}, {"bubbleId": "b2", "type": 2}],
}
BUBBLE: Json = {
    "type": 2,
    "text": "Hm",
    "createdAt": "2026-03-01T12:00:00Z",
    "workspaceUris": ["file:///x"],
    "errorDetails": {"message": "x"},
    "toolFormerData": {"status": "loading", "name": "x", "params": '{"questions": []}'},
}


def check(facts: FileFacts) -> None:
    """Every word can be stored."""
    for session in sessions_of(facts).values():
        words = (session.key, session.title, session.turn_detail, session.error_message)
        for word in (*words, session.first_prompt, session.model, session.project_path):
            assert word is None or word.encode("utf-8")


@given(
    st.lists(st.tuples(st.sampled_from(MESSAGE_PLACES), anything), min_size=1, max_size=3), anything
)
def test_any_value_in_any_field_of_a_chat_is_borne(changes: list[Any], record: object) -> None:
    messages: Any = MESSAGES
    for place, new in changes:
        messages = replaced(messages, place, new)
    with tempfile.TemporaryDirectory() as folder:
        path = chat(Path(folder), messages, beside={"title": record, "updatedAtMs": record})
        check(cursor.read(path, None))
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE meta SET value = ?", (json.dumps(record),))
        check(cursor.read(path, None))


@given(data=st.data())
def test_any_value_in_any_field_of_the_editor_is_borne(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        editor = Editor(Path(folder))
        for key, record in ((f"composerData:{COMPOSER}", COMPOSED), ("b1", BUBBLE), ("b2", BUBBLE)):
            name = key if ":" in key else f"bubbleId:{COMPOSER}:{key}"
            place = data.draw(st.sampled_from(places(record)))
            editor.put(name, replaced(record, place, data.draw(anything)))
        editor.put(
            data.draw(st.sampled_from(["composerData:", "bubbleId:", "composerData:a:b"])), {}
        )
        facts = cursor.read(editor.path, None)
        check(facts)
        check(cursor.read(editor.path, facts.state))


@given(cut=st.floats(0, 1), junk=st.binary(max_size=64), place=st.floats(0, 1))
def test_half_a_database_and_one_with_junk_in_it_break_nothing(
    cut: float, junk: bytes, place: float
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        editor = Editor(Path(folder))
        editor.bubble(1, 1, text="Fix it")
        editor.session(1)
        for path in (editor.path, chat(Path(folder), [user(), answer()])):
            whole = path.read_bytes()
            at = int(place * len(whole))
            broken = (whole[: int(cut * len(whole))], whole[:at] + junk + whole[at + len(junk) :])
            for content in broken:
                path.write_bytes(content)
                with suppress(OSError):
                    check(cursor.read(path, None))


def test_where_it_looks() -> None:
    home = {"HOME": "/h"}
    editors = [
        Path("/h/.config/Cursor/User/globalStorage"),
        Path("/h/Library/Application Support/Cursor/User/globalStorage"),
    ]
    assert cursor.roots(home) == [Path("/h/.cursor/chats"), *editors]
    named = home | {"CURSOR_CONFIG_DIR": "/c", "XDG_CONFIG_HOME": "/x"}
    assert cursor.roots(named)[0] == Path("/c/chats")
    assert Path("/x/Cursor/User/globalStorage") in cursor.roots(named)


def test_only_chats_and_the_editor_s_own_database_are_listed() -> None:
    chats, editor = Path("/h/.cursor/chats"), Path("/h/.config/Cursor/User/globalStorage")
    assert cursor.is_session_folder(chats / "hash")
    assert cursor.is_session_folder(chats / "hash" / "id")
    assert not cursor.is_session_folder(editor / "some.extension")
    assert cursor.is_session_file(chats / "hash" / "id" / "store.db")
    assert cursor.is_session_file(editor / "state.vscdb")
    assert not cursor.is_session_file(editor / "state.vscdb.backup")
    assert not cursor.is_session_file(editor / "some.extension" / "state.vscdb")
