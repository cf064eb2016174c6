"""Whatever the records of OpenCode and Cline hold: no error, nothing negative, nothing twice."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.model import MAXIMUM_TOKENS, FileFacts
from lib.readers import cline, opencode
from tests.readers.json_lines import Place, anything, places, replaced
from tests.readers.json_lines import tokens as kinds
from tests.readers.opencode_records import Database, answer, at, text, tokens, tool, user

OPENCODE: list[dict[str, Any]] = [
    user(1),
    text("Do it", synthetic=False),
    answer(2, tokens(10, 5, read=100, reasoning=2), finish="tool-calls", parentID="m0"),
    tool("bash", "completed", input={"command": "x"}, metadata={"exit": 3}, time={"start": at(2)}),
    answer(3, error={"name": "APIError", "data": {"message": "No", "statusCode": 500}}),
    tool("question", "running", input={"questions": [{"question": "Which?"}]}, time={"start": 1}),
    answer(4, summary=True, mode="compaction"),
    {"type": "step-finish", "tokens": tokens(1, 1), "time": {"start": at(4), "end": at(5)}},
]
OPENCODE_PLACES = [place for place in places(OPENCODE) if len(place) > 1]

CLINE: list[dict[str, Any]] = [
    {
        "session_id": "s1",
        "pid": 1,
        "started_at": "2026-11-22T15:00:00.000Z",
        "ended_at": None,
        "status": "failed",
        "cwd": "/home/dev/alpha",
        "model": "m",
        "prompt": "Do it",
        "metadata": {"title": "T", "git": {"branch": "b"}, "usage": {"outputTokens": 3}},
    },
    {
        "version": 1,
        "messages": [
            {"id": "p", "role": "user", "content": [{"type": "text", "text": "x"}], "ts": at(1)},
            {
                "id": "m1",
                "role": "assistant",
                "content": [
                    {"type": "tool_use", "id": "c", "name": "run", "input": {"commands": ["x"]}}
                ],
                "ts": at(2),
                "modelInfo": {"id": "m"},
                "metrics": {"inputTokens": 9, "outputTokens": 3, "cacheReadTokens": 2},
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c"}]},
            {"role": "assistant", "content": "No", "metadata": {"displayRole": "error"}},
        ],
    },
]
CLINE_PLACES = [place for place in places(CLINE) if place]

Changes = list[tuple[Place, object]]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the tables and no rows, closed."""
    database = Database(tmp_path_factory.mktemp("empty"), wal=False)
    database.close()
    return database.path


def changed(records: list[dict[str, Any]], changes: Changes) -> list[Any]:
    """The records with other values at some places."""
    for place, value in changes:
        records = replaced(records, place, value)
    return records


def plausible(facts: FileFacts) -> None:
    for session in (facts.session, *facts.more_sessions):
        if session is not None:
            counts = (session.turns, session.turn_requests, session.todo_total)
            assert min(*counts, session.context_tokens or 0) >= 0
            assert session.todo_done <= session.todo_total
    for call in facts.requests:
        assert all(0 <= count <= 2 * MAXIMUM_TOKENS for count in kinds(call))
        assert call.reasoning_tokens <= call.output_tokens
    msgspec.json.encode(facts)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(OPENCODE_PLACES), anything), min_size=1, max_size=4))
def test_any_value_in_any_field_of_opencode_is_borne(
    tmp_path_factory: pytest.TempPathFactory, changes: Changes
) -> None:
    folder = tmp_path_factory.mktemp("any")
    records = changed(OPENCODE, changes)
    database = Database(folder, wal=False)
    database.connection.execute("BEGIN")
    database.session("s1")
    storage = folder / "storage"
    (storage / "session" / "p").mkdir(parents=True)
    (storage / "message" / "s1").mkdir(parents=True)
    own = storage / "session" / "p" / "s1.json"
    own.write_text(json.dumps({"time": {"created": at(0)}}))
    for number, (message, part) in enumerate(zip(records[::2], records[1::2], strict=True)):
        name = f"m{number}"
        database.message("s1", name, json.dumps(message), part)
        (storage / "message" / "s1" / f"{name}.json").write_text(json.dumps(message))
        (storage / "part" / name).mkdir(parents=True)
        (storage / "part" / name / "p.json").write_text(json.dumps(part))
    database.connection.execute("COMMIT")
    database.close()
    rows, files = opencode.read(database.path, None), opencode.read(own, None)
    for facts in (rows, files):
        plausible(facts)
        assert facts.state.error is None
        assert facts.state.records == 4
    assert rows.state.skipped == files.state.skipped
    again = opencode.read(database.path, rows.state)
    assert again.state.usage_records == rows.state.usage_records


@settings(deadline=None)
@given(
    st.sampled_from(["session", "message", "part", "todo"]),
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.binary(max_size=5),
)
def test_any_value_in_any_column_of_opencode_is_borne(
    tmp_path_factory: pytest.TempPathFactory, table: str, value: object
) -> None:
    database = Database(tmp_path_factory.mktemp("column"), wal=False)
    database.connection.execute("BEGIN")
    database.session("s1")
    database.message("s1", "m1", user(1), text("Do it"))
    database.message("s1", "m2", answer(2, tokens(1, 1)), text("Done"))
    database.run("INSERT INTO todo VALUES ('s1', 'x', 'completed', 'high', 0)")
    rows = database.connection.execute(f"PRAGMA table_info({table})").fetchall()
    for _, column, _, required, *_ in rows:
        if value is not None or not required:
            database.run(
                f"UPDATE {table} SET {column} = ? WHERE rowid = (SELECT max(rowid) FROM {table})",
                value if not isinstance(value, str) else value.encode("utf-8", "replace"),
            )
    database.connection.execute("COMMIT")
    database.close()
    plausible(opencode.read(database.path, None))


@settings(deadline=None)
@given(cut=st.floats(0, 1), junk=st.binary(max_size=64), place=st.floats(0, 1))
def test_half_a_database_and_one_with_junk_in_it_break_nothing(
    empty: Path, tmp_path_factory: pytest.TempPathFactory, cut: float, junk: bytes, place: float
) -> None:
    content = bytearray(empty.read_bytes())
    start = int(len(content) * place)
    content[start : start + len(junk)] = junk
    path = tmp_path_factory.mktemp("junk") / "opencode.db"
    path.write_bytes(content[: int(len(content) * cut)])
    try:
        facts = opencode.read(path, None)
    except OSError:
        return
    plausible(facts)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(CLINE_PLACES), anything), min_size=1, max_size=4))
def test_any_value_in_any_field_of_cline_is_borne(
    tmp_path_factory: pytest.TempPathFactory, changes: Changes
) -> None:
    home = tmp_path_factory.mktemp("any")
    folder = home / ".cline" / "data" / "sessions" / "s1"
    folder.mkdir(parents=True)
    own, conversation = folder / "s1.json", folder / "s1.messages.json"
    for path, content in zip((own, conversation), changed(CLINE, changes), strict=True):
        path.write_text(json.dumps(content))
    for path in (own, conversation):
        plausible(cline.read(path, None))
    list(cline.live({"HOME": str(home)}, at(0)))
