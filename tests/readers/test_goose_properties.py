"""Whatever Goose's database and files hold, and however they grow: the reader stands."""

import json
import shutil
import sqlite3
import tempfile
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.model import FileFacts
from lib.readers import goose, lines
from lib.readers.values import TOO_DEEP
from tests.readers.goose_records import Database, header, message, old_file, response, text, tool
from tests.readers.json_lines import (
    Json,
    Place,
    anything,
    in_pieces,
    lines_of,
    places,
    replaced,
    told,
)

OLD: list[Json] = [
    header(accumulated_input_tokens=9, accumulated_output_tokens=5, accumulated_total_tokens=14),
    message("user", 1, text("Fix it")),
    message("assistant", 2, text("Go"), tool(command="make")),
    message("user", 3, response()),
    message("assistant", 4, {"type": "error", "kind": "x", "message": "429"}),
    message("user", 5, text("More")),
    message("assistant", 6, {"type": "actionRequired", "data": {"toolName": "shell"}}),
]
PLACES: list[Place] = [place for place in places(OLD) if place]
COLUMNS = {
    "sessions": (
        "name", "working_dir", "created_at", "updated_at", "extension_data", "input_tokens",
        "accumulated_input_tokens", "accumulated_cost", "model_config_json", "parent_session_id",
    ),
    "messages": ("message_id", "role", "content_json", "created_timestamp", "metadata_json"),
    "usage_ledger": (
        "created_timestamp", "model", "input_tokens", "output_tokens", "cost", "cost_source",
    ),
}  # fmt: skip
cells = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.binary(max_size=8),
    anything.map(json.dumps).map(lambda words: words.encode("utf-8", "replace").decode()),
)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with a bit of everything."""
    database = Database(tmp_path_factory.mktemp("template"))
    for number in (1, 2):
        session = database.session(number, number, parent_session_id=None)
        for second, record in enumerate(OLD[1:], 1):
            database.say(
                session, str(record["role"]), second, *record["content"], name=f"m{second}"
            )
        database.count(session, 3, cost=0.1)
        database.count(session, 4, cost_source="carried_forward")
    return database.path


@contextmanager
def copied(template: Path) -> Generator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sessions.db"
        shutil.copyfile(template, path)
        yield path


def check(facts: FileFacts) -> None:
    """What holds of any facts: counts are not negative, and every word can be stored."""
    for call in facts.requests:
        counts = (call.input_tokens, call.output_tokens, call.cache_read_tokens)
        assert min(*counts, call.cache_write_5m_tokens) >= 0
        assert call.key.encode()
    for session in (facts.session, *facts.more_sessions):
        if session is not None:
            words = (session.key, session.title, session.turn_detail, session.error_message)
            for word in (*words, session.first_prompt, session.model, session.project_path):
                assert word is None or word.encode("utf-8")


@given(data=st.data())
def test_any_value_in_any_column_is_borne(template: Path, data: st.DataObject):
    with copied(template) as path:
        known = goose.read(path, None).state
        with closing(sqlite3.connect(path)) as connection, connection:
            for _ in range(data.draw(st.integers(1, 4))):
                table = data.draw(st.sampled_from(sorted(COLUMNS)))
                column = data.draw(st.sampled_from(COLUMNS[table]))
                query = f"UPDATE OR IGNORE {table} SET {column} = ? WHERE rowid = ?"
                row = data.draw(st.integers(1, 8))
                with suppress(sqlite3.IntegrityError):
                    connection.execute(query, (data.draw(cells), row))
        check(goose.read(path, None))
        check(goose.read(path, known))


@given(cut=st.floats(0, 1), junk=st.binary(max_size=64), place=st.floats(0, 1))
def test_half_a_database_and_one_with_junk_in_it_break_nothing(
    template: Path, cut: float, junk: bytes, place: float
):
    whole = template.read_bytes()
    at = int(place * len(whole))
    for content in (
        whole[: int(cut * len(whole))],
        whole[:at] + junk + whole[at + len(junk) :],
    ):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "sessions.db"
            path.write_bytes(content)
            with suppress(OSError):
                check(goose.read(path, None))


@given(data=st.data())
def test_any_value_in_any_field_of_an_old_file_is_borne(data: st.DataObject):
    changes = st.tuples(st.sampled_from(PLACES), anything)
    records: Any = OLD
    for place, new in data.draw(st.lists(changes, min_size=1, max_size=4)):
        records = replaced(records, place, new)
    whole = b"".join(json.dumps(record).encode() + b"\n" for record in records)
    with tempfile.TemporaryDirectory() as folder:
        path = old_file(Path(folder), [])
        path.write_bytes(whole)
        facts = goose.read(path, None)
        pieces, _, requests = in_pieces(goose, path, whole, [len(whole) // 3, len(whole) // 2])
    check(facts)
    assert facts.state.records + sum(facts.state.skipped.values()) == len(records)
    assert pieces.session == facts.session
    assert requests == {request.key: request for request in facts.requests}


@given(data=st.data())
def test_reading_an_old_file_in_pieces_tells_what_reading_at_once_does(data: st.DataObject):
    whole = lines_of(OLD)
    cuts = data.draw(st.lists(st.integers(0, len(whole)), max_size=6))
    with tempfile.TemporaryDirectory() as folder:
        path = old_file(Path(folder), OLD)
        facts = goose.read(path, None)
        pieces, _, requests = in_pieces(goose, path, whole, cuts)
    assert pieces.session == facts.session
    assert requests == {request.key: request for request in facts.requests}


@given(noise=st.binary(max_size=200), data=st.data())
def test_any_bytes_anywhere_in_an_old_file_are_borne(noise: bytes, data: st.DataObject):
    whole = lines_of(OLD)
    position = data.draw(st.integers(0, len(whole)))
    with tempfile.TemporaryDirectory() as folder:
        path = old_file(Path(folder), [])
        path.write_bytes(whole[:position] + noise + whole[position:] + b"\n")
        facts = goose.read(path, None)
    check(facts)
    assert facts.state.offset == len(whole) + len(noise) + 1


def test_hostile_lines_of_an_old_file_are_skipped_with_a_reason(tmp_path: Path):
    deep = b'{"role":"user","content":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    long = b'{"role":"user","content":"' + b"x" * (17 << 20) + b'"}'
    other = [b"[1,2]", b"\x00\x00", b"\xff\xfe"]
    facts = goose.read(old_file(tmp_path, [*OLD, deep, long, *other]), None)
    assert facts.state.skipped[TOO_DEEP] == 1
    assert facts.state.skipped[lines.TOO_LONG] == 1
    assert sum(facts.state.skipped.values()) == 5
    assert told(facts) == told(goose.read(old_file(tmp_path, OLD), None))


@pytest.mark.parametrize(
    ("number", "error"),
    [("'x'", "not a layout"), ("x'00'", "not a layout"), ("1.5", "not a layout"), ("null", None)],
)
def test_messages_whose_numbers_are_none_break_nothing(
    tmp_path: Path, number: str, error: str | None
) -> None:
    path = tmp_path / "sessions.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "CREATE TABLE sessions (id); INSERT INTO sessions VALUES ('a');"
            "CREATE TABLE messages (id, session_id, role, content_json);"
            f"INSERT INTO messages VALUES ({number}, 'a', 'user', '[]');"
        )
    told_error = goose.read(path, None).state.error
    assert (told_error or "").startswith(error or "")
    assert bool(told_error) == bool(error)
