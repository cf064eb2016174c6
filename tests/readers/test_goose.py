"""What Goose's database tells, and its files before 1.10, and what they can't."""

import json
import shutil
import sqlite3
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lib.model import FileFacts, FileState, Request, Session
from lib.readers import goose
from lib.readers.databases import DatabaseError
from lib.readers.goose_session import (
    AGGREGATE,
    HIDDEN_REQUESTS,
    MISSING_MODEL,
    NO_RUNNING_TOOL,
    TOTAL_MISMATCH,
)
from tests.readers.goose_records import (
    DAY,
    NOON,
    OLD,
    SCHEMA,
    Database,
    header,
    message,
    old_file,
    response,
    text,
    tool,
)
from tests.readers.json_lines import Json, tokens, told

KEY = f"goose:{DAY}_1-{NOON}"


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path)


def read(database: Database, state: FileState | None = None) -> FileFacts:
    return goose.read(database.path, state)


def sessions_of(facts: FileFacts) -> dict[str, Session]:
    return {one.key: one for one in (facts.session, *facts.more_sessions) if one is not None}


def sums(requests: list[Request]) -> list[int]:
    return [sum(kind) for kind in zip(*map(tokens, requests), strict=True)]


def ask(database: Database, number: int = 1, second: float = 0) -> str:
    session = database.session(number, second)
    database.say(session, "user", second + 1, text("Fix it"), name=f"m{number}")
    return session


def test_a_session_is_told(database: Database) -> None:
    session = ask(database)
    database.say(session, "user", 1, text("<turn-context>"), userVisible=False)
    database.say(session, "assistant", 2, text("Running."), tool(command="make"))
    database.say(session, "user", 3, response())
    database.count(session, 3)
    database.say(session, "assistant", 4, text("Done."))
    database.count(session, 4)
    database.touch(session, 5, name="Repair", input_tokens=100)
    one = told(read(database))
    assert (one.key, one.session_id, one.title) == (KEY, f"{DAY}_1", "Repair")
    assert (one.turn, one.turns, one.turn_requests) == ("idle", 1, 2)
    assert (one.first_prompt, one.last_message) == ("Fix it", "Done.")
    assert (one.project_path, one.model) == ("/home/dev/alpha", "gpt-5-mini")
    assert (one.started_at, one.last_activity_at) == (NOON * 1000, (NOON + 4) * 1000)
    assert (one.context_tokens, one.entrypoint) == (100, "user")
    assert one.flags == [HIDDEN_REQUESTS, NO_RUNNING_TOOL]


def test_cached_tokens_are_inside_of_input(database: Database) -> None:
    database.count(ask(database), 2, 5700, 60, 5000, 300, cost=0.004725)
    (call,) = read(database).requests
    assert tokens(call) == (400, 60, 5000, 300, 0)
    assert (call.model, call.at, call.reported_cost_usd) == (
        "gpt-5-mini",
        (NOON + 2) * 1000,
        0.004725,
    )


def test_more_cached_than_given_and_totals_of_no_parts_are_flagged(database: Database) -> None:
    database.count(ask(database, 1), 2, 10, 5, 40)
    database.count(ask(database, 2), 2, 10, 5, 0, total_tokens=99)
    facts = read(database)
    assert all(TOTAL_MISMATCH in one.flags for one in sessions_of(facts).values())
    assert sums(facts.requests) == [20, 10, 40, 0, 0]


def test_only_what_changed_is_read_again(database: Database) -> None:
    ask(database, 1)
    second = ask(database, 2, 300)
    database.count(second, 301)
    first = read(database)
    assert len(sessions_of(first)) == 2
    again = read(database, first.state)
    assert (len(sessions_of(again)), again.requests) == (1, [])
    database.count(second, 302)
    third = read(database, again.state)
    assert [one.at for one in third.requests] == [(NOON + 302) * 1000]
    assert (third.state.usage_records, third.state.records) == (2, 2)


def test_reading_in_pieces_tells_the_same_as_reading_at_once(database: Database) -> None:
    state: FileState | None = None
    sessions: dict[str, Session] = {}
    calls: dict[str, Request] = {}
    first, other = ask(database, 1), ask(database, 2, 20)
    for step in range(6):
        database.say(first, "assistant", 30 + step, text(f"Step {step}"), tool(command="x"))
        database.count(first if step % 2 else other, 30 + step, 100 + step)
        facts = read(database, state)
        state = facts.state
        sessions |= sessions_of(facts)
        calls |= {one.key: one for one in facts.requests}
    whole = read(database)
    assert sessions == sessions_of(whole)
    assert calls == {one.key: one for one in whole.requests}
    assert state is not None
    assert (state.records, state.usage_records) == (whole.state.records, whole.state.usage_records)


def test_sessions_that_other_machines_number_alike_are_others(tmp_path: Path) -> None:
    here, there = Database(tmp_path / "a"), Database(tmp_path / "b")
    ask(here, 1, 0)
    ask(there, 1, 7)
    assert told(read(here)).key != told(read(there)).key


def test_a_copy_of_the_database_holds_the_same_calls(tmp_path: Path) -> None:
    database = Database(tmp_path / "a")
    database.count(ask(database), 2)
    copy = tmp_path / "b" / "sessions.db"
    copy.parent.mkdir()
    copy.write_bytes(database.path.read_bytes())
    assert goose.read(copy, None).requests == read(database).requests


def test_older_schemas_have_sums_only(tmp_path: Path) -> None:
    database = Database(tmp_path, SCHEMA)
    session = ask(database)
    columns = {"accumulated_input_tokens": 900, "accumulated_output_tokens": 90}
    database.touch(session, 9, **columns, accumulated_total_tokens=990)
    facts = read(database)
    (call,) = facts.requests
    assert (tokens(call), call.at, call.model) == ((900, 90, 0, 0, 0), NOON * 1000, "gpt-5-mini")
    assert AGGREGATE in told(facts).flags


def test_what_was_summed_before_the_ledger_is_counted_once(tmp_path: Path) -> None:
    database = Database(tmp_path)
    session = ask(database)
    before = {"accumulated_input_tokens": 900, "accumulated_output_tokens": 90}
    database.touch(session, 2, **before, accumulated_total_tokens=990)
    (summed,) = read(database).requests
    database.count(session, 3, 900, 90, None, cost_source="carried_forward", model=None)
    database.count(session, 3, 100, 10, 40)
    after = {"accumulated_input_tokens": 1000, "accumulated_output_tokens": 100}
    database.touch(session, 3, **after, accumulated_cache_read_tokens=40)
    calls = read(database).requests
    assert sums(calls) == [960, 100, 40, 0, 0]
    assert [one for one in calls if one.key == summed.key] == [summed]


def test_a_subagent_names_its_parent(database: Database) -> None:
    parent = ask(database)
    child = database.session(2, 5, parent_session_id=parent, session_type="sub_agent")
    database.say(child, "user", 6, text("Subagent ID: 20260301_2\n\nCompute it"))
    database.count(child, 7)
    facts = read(database)
    one = sessions_of(facts)[f"goose:{child}-{NOON + 5}"]
    assert (one.parent_key, one.first_prompt, one.entrypoint) == (KEY, "Compute it", "sub_agent")
    assert facts.requests[0].owner_rank.startswith("1")
    assert HIDDEN_REQUESTS not in one.flags


def test_a_copied_session_names_the_one_it_was_copied_from(database: Database) -> None:
    ask(database)
    copy = database.session(2, 5)
    database.say(copy, "user", 1, text("Fix it"), name="m1")
    told_all = sessions_of(read(database))
    assert told_all[f"goose:{copy}-{NOON + 5}"].forked_from == KEY
    assert told_all[KEY].forked_from is None


def test_the_list_of_todos_is_the_plan(database: Database) -> None:
    todos = '{"todo.v0": {"content": "# Plan\\n- [x] a\\n- [ ] b\\n  * [X] c"}}'
    database.session(extension_data=todos)
    one = told(read(database))
    assert (one.todo_done, one.todo_total) == (2, 3)


def test_empty_lines_in_a_list_of_todos_take_no_time(database: Database) -> None:
    content = "a" + "\n" * 200_000 + "- [x] b"
    database.session(extension_data=json.dumps({"todo.v0": {"content": content}}))
    one = told(read(database))
    assert (one.todo_done, one.todo_total) == (1, 1)


@pytest.mark.parametrize(
    ("blocks", "turn", "detail", "kind"),
    [
        ([text("Done.")], "idle", None, None),
        ([text("Go"), tool(command="make")], "running", "shell: make", None),
        (
            [{"type": "error", "kind": "authentication", "message": "401 Unauthorized"}],
            "failed",
            None,
            "authentication",
        ),
        ([{"type": "error", "message": "429 slow down"}], "rate_limited", None, "rate_limit"),
        (
            [text("Ran into this error: Server error.\n\nPlease retry if you think")],
            "failed",
            None,
            "api",
        ),
        (
            [text("The existing call to shell was interrupted. How would you like to proceed?")],
            "stopped",
            None,
            None,
        ),
        (
            [
                {
                    "type": "toolConfirmationRequest",
                    "toolName": "shell",
                    "arguments": {"command": "x"},
                }
            ],
            "waiting",
            "permission to run shell: x",
            None,
        ),
        ([{"type": "systemNotification", "msg": "compacted"}], "running", None, None),
    ],
)
def test_what_the_newest_message_makes_of_the_turn(
    database: Database, blocks: list[Json], turn: str, detail: str | None, kind: str | None
) -> None:
    database.say(ask(database), "assistant", 2, *blocks)
    one = told(read(database))
    assert (one.turn, one.turn_detail, one.error_class) == (turn, detail, kind)


def test_a_prompt_without_an_answer_runs_and_a_new_session_is_idle(database: Database) -> None:
    ask(database)
    assert told(read(database)).turn == "running"
    database.session(2)
    facts = read(database)
    assert sessions_of(facts)[f"goose:{DAY}_2-{NOON}"].turn == "idle"


def test_names_that_every_session_begins_with_are_no_titles(database: Database) -> None:
    database.session(1)
    assert told(read(database)).title is None
    database.session(2, name="", description="Repair")
    assert sessions_of(read(database))[f"goose:{DAY}_2-{NOON}"].title == "Repair"


def test_records_that_cannot_be_read_are_counted_once(database: Database) -> None:
    session = ask(database)
    database.count(session, 2, -5)
    database.add(
        "messages", session_id=session, role="user", content_json="{half", created_timestamp=NOON
    )
    facts = read(database)
    assert facts.state.skipped == {"implausible token count": 1, "not JSON": 1}
    assert facts.requests == []
    database.say(session, "assistant", 9, text("On."))
    assert read(database, facts.state).state.skipped == facts.state.skipped


def test_another_program_s_database_is_an_error_and_nothing_else(tmp_path: Path) -> None:
    database = Database(tmp_path, "CREATE TABLE sessions (number INTEGER)")
    facts = read(database)
    assert (facts.session, facts.requests) == (None, [])
    assert facts.state.error == "not a layout of Goose's database that is known"


def test_a_damaged_database_keeps_what_was_read_until_it_changes(database: Database) -> None:
    database.count(ask(database), 2)
    first = read(database)
    database.path.write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    damaged = goose.read(database.path, first.state)
    assert damaged.state.error
    assert damaged.state.usage_records == 1
    assert goose.read(database.path, damaged.state).state is damaged.state


def test_a_locked_database_is_an_os_error(database: Database) -> None:
    ask(database)
    connection = sqlite3.connect(database.path)
    connection.executescript("PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE")
    connection.execute("DELETE FROM messages")
    with pytest.raises(DatabaseError):
        read(database)
    connection.close()


def test_a_session_before_the_database_is_told(tmp_path: Path) -> None:
    counted = {"accumulated_input_tokens": 900, "accumulated_output_tokens": 90}
    records = [
        header(**counted, accumulated_total_tokens=990),
        message("user", 1, text("Fix it")),
        message("assistant", 2, text("Go"), tool(command="make")),
        message("user", 3, response()),
        message("assistant", 4, text("Done.")),
    ]
    facts = goose.read(old_file(tmp_path, records), None)
    one = told(facts)
    assert (one.key, one.title, one.turn, one.turns) == (f"goose:{OLD}", "Repair", "idle", 1)
    assert (one.project_path, one.last_message) == ("/home/dev/alpha", "Done.")
    assert one.flags == [AGGREGATE, HIDDEN_REQUESTS, MISSING_MODEL, NO_RUNNING_TOOL]
    (call,) = facts.requests
    assert (tokens(call), call.model) == ((900, 90, 0, 0, 0), None)


@pytest.mark.parametrize(
    ("zone", "hour"), [("UTC", 20), ("Europe/Berlin", 19), ("America/New_York", 24)]
)
def test_the_name_of_an_old_file_is_a_time_on_this_machine_s_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zone: str, hour: int
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        one = told(goose.read(old_file(tmp_path, [header()]), None))
    finally:
        monkeypatch.undo()
        time.tzset()
    midnight = datetime(2025, 3, 25, tzinfo=UTC)
    assert (
        one.started_at
        == (midnight + timedelta(hours=hour, minutes=6, seconds=15)).timestamp() * 1000
    )


def test_a_session_that_the_database_took_over_is_the_same(tmp_path: Path) -> None:
    counted = {"accumulated_input_tokens": 900, "accumulated_output_tokens": 90}
    old = goose.read(old_file(tmp_path / "old", [header(**counted)]), None)
    database = Database(tmp_path)
    database.session(id=OLD, created_at="2025-03-25T20:06:15+00:00", **counted)
    new = read(database)
    assert told(new).key == told(old).key
    assert [one.key for one in new.requests] == [one.key for one in old.requests]
    assert new.requests[0].owner_rank < old.requests[0].owner_rank


def test_where_it_looks(tmp_path: Path) -> None:
    home = {"HOME": "/h"}
    assert goose.roots(home) == [Path("/h/.local/share/goose/sessions")]
    assert goose.roots(home | {"XDG_DATA_HOME": "/x"}) == [Path("/x/goose/sessions")]
    assert goose.roots(home | {"GOOSE_PATH_ROOT": "/g"}) == [Path("/g/data/sessions")]
    names = ("sessions.db", f"{OLD}.jsonl", "sessions.db-wal", "notes.txt")
    assert [goose.is_session_file(tmp_path / name) for name in names] == [True, True, False, False]


def test_what_is_new_is_counted_by_name_once(database: Database) -> None:
    session = ask(database)
    database.say(session, "assistant", 2, {"type": "telepathy"}, text("Done."))
    database.say(session, "ghost", 2, text("Boo"))
    database.count(session, 3, cost_source="guessed")
    facts = read(database)
    known = {"block type: telepathy": 1, "role: ghost": 1, "cost source: guessed": 1}
    assert facts.state.unknown == known
    assert (told(facts).last_message, len(facts.requests)) == ("Done.", 1)
    database.count(session, 4)
    assert read(database, facts.state).state.unknown == known


def test_another_database_in_the_place_of_one_is_read_anew(
    database: Database, tmp_path: Path
) -> None:
    ask(database)
    other = Database(tmp_path / "other")
    for number in (2, 3):
        ask(other, number, -900)
    state = read(database).state
    shutil.copyfile(other.path, database.path)
    facts = read(database, state)
    assert {one.session_id for one in sessions_of(facts).values()} == {f"{DAY}_2", f"{DAY}_3"}
    assert facts.state.records == 2
