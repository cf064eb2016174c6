"""What OpenCode's records mean, on small databases and files of our own."""

import json
import os
import shutil
from pathlib import Path

import pytest

from lib.collector import Collector
from lib.model import FileFacts, Session
from lib.readers import opencode
from lib.readers.databases import DatabaseError
from lib.readers.opencode_session import (
    HIDDEN_REQUESTS,
    TOTAL_MISMATCH,
    UNKNOWN_LAYOUT,
)
from lib.store import Store
from lib.sweep import Tree
from tests.readers.opencode_records import (
    Database,
    answer,
    ask,
    at,
    one,
    read,
    sessions,
    text,
    tokens,
    tool,
    user,
)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "opencode")


def test_kinds_of_tokens_do_not_overlap_but_for_reasoning_in_output(database: Database) -> None:
    ask(database, counted=tokens(100, 20, read=1_000, reasoning=5))
    (call,) = read(database).requests
    assert (call.input_tokens, call.cache_read_tokens) == (100, 1_000)
    assert (call.output_tokens, call.reasoning_tokens) == (25, 5)
    assert (call.model, call.at) == ("m-1", at(2))


def test_a_total_that_holds_reasoning_in_output_is_believed(database: Database) -> None:
    ask(database, counted=tokens(100, 20, reasoning=5) | {"total": 120})
    facts = read(database)
    (call,) = facts.requests
    assert (call.output_tokens, call.reasoning_tokens) == (20, 5)
    assert facts.session is not None
    assert TOTAL_MISMATCH not in facts.session.flags


def test_a_total_that_no_parts_make_is_flagged(database: Database) -> None:
    ask(database, counted=tokens(100, 20) | {"total": 7})
    assert TOTAL_MISMATCH in one(database).flags


def test_only_what_changed_is_read_again(database: Database) -> None:
    for name, second in (("s1", 0), ("s2", 5_000)):
        database.session(name, second)
        database.message(name, f"{name}-1", user(1), text("Do it"))
        database.message(name, f"{name}-2", answer(2, tokens(1, 1)))
    first = read(database)
    assert set(sessions(first)) == {"s1", "s2"}
    database.run("UPDATE session SET time_updated = ? WHERE id = 's2'", at(9_000))
    database.message("s2", "s2-3", user(9_000), text("And that"))
    database.message("s2", "s2-4", answer(9_001, tokens(2, 2)))
    second = read(database, first.state)
    assert set(sessions(second)) == {"s2"}
    assert [call.at for call in second.requests][-1] == at(9_001)
    assert (second.state.usage_records, second.state.records) == (3, 6)


def test_an_answer_that_is_completed_later_is_counted_once(database: Database) -> None:
    ask(database)
    first = read(database)
    assert (first.requests, first.state.usage_records) == ([], 0)
    database.message("s1", "m2", answer(2, tokens(1, 1)))
    second = read(database, first.state)
    assert len(second.requests) == second.state.usage_records == 1
    third = read(database, second.state)
    assert third.state.usage_records == 1


def test_reading_in_pieces_tells_the_same_as_reading_at_once(database: Database) -> None:
    state = None
    calls: dict[str, int] = {}
    told: dict[str, Session] = {}

    def look() -> FileFacts:
        facts = read(database, state)
        told.update(sessions(facts))
        calls.update((call.key, call.output_tokens) for call in facts.requests)
        return facts

    database.session("s1")
    state = look().state
    for number in range(1, 20, 2):
        database.message("s1", f"m{number:02}", user(number), text(f"Prompt {number}"))
        state = look().state
        later = f"m{number + 1:02}"
        database.message("s1", later, answer(number + 0.5), tool("bash", "running", metadata={}))
        state = look().state
        database.message("s1", later, answer(number + 0.5, tokens(1, number)), text("Done"))
        state = look().state
    whole = read(database)
    assert told == sessions(whole)
    assert calls == {call.key: call.output_tokens for call in whole.requests}
    assert (state.usage_records, state.records) == (
        whole.state.usage_records,
        whole.state.records,
    )


def test_a_vacuum_does_not_hide_what_comes_after_it(database: Database) -> None:
    ask(database, counted=tokens(1, 1))
    database.run("INSERT INTO message (rowid, id, session_id, data) VALUES (900, 'x', 's9', '{}')")
    first = read(database)
    database.run("DELETE FROM message WHERE id = 'x'")
    database.run("VACUUM")
    database.session("s2")
    database.message("s2", "n1", user(3))
    database.message("s2", "n2", answer(4, tokens(2, 2)))
    second = read(database, first.state)
    assert "s2" in sessions(second)
    assert second.state.usage_records == 2


def test_a_fork_shares_the_keys_of_what_it_copied(database: Database) -> None:
    ask(database, counted=tokens(7, 7))
    database.session("s2", 100, title="A title (fork #1)")
    database.message("s2", "n1", user(1), text("Do it"))
    database.message("s2", "n2", answer(2, tokens(7, 7)))
    database.message("s2", "n3", user(101))
    database.message("s2", "n4", answer(102, tokens(7, 7)))
    facts = read(database)
    original, copy, own = facts.requests
    assert original.key == copy.key != own.key
    assert original.owner_rank < copy.owner_rank
    assert facts.state.usage_records == 3
    assert sessions(facts)["s2"].forked_from == "opencode:s1"


def test_the_fork_of_a_subagent_does_not_take_its_calls(database: Database) -> None:
    database.session("s1", parent_id="s0")
    database.message("s1", "m2", answer(2, tokens(7, 7)))
    database.session("s2", 100)
    database.message("s2", "n2", answer(2, tokens(7, 7)))
    original, copy = read(database).requests
    assert original.key == copy.key
    assert original.owner_rank < copy.owner_rank


def test_a_database_that_lost_rows_is_read_anew(database: Database) -> None:
    ask(database, counted=tokens(1, 1))
    first = read(database)
    database.run("DELETE FROM message WHERE id = 'm2'")
    second = read(database, first.state)
    assert (second.state.records, second.state.usage_records) == (1, 0)


def test_another_database_in_the_place_of_one_is_read_anew(
    database: Database, tmp_path: Path
) -> None:
    ask(database, counted=tokens(1, 1))
    other = Database(tmp_path / "other")
    for name in ("s7", "s8"):
        other.session(name, -9)
        other.message(name, f"u{name}", user(-9), text("Do it"))
        other.message(name, f"a{name}", answer(-8, tokens(2, 2)))
    first = read(database)
    for file in (database, other):
        file.run("PRAGMA wal_checkpoint(TRUNCATE)")
        file.close()
    inode = database.path.stat().st_ino
    shutil.copyfile(other.path, database.path)
    assert database.path.stat().st_ino == inode
    second = read(database, first.state)
    assert set(sessions(second)) == {"s7", "s8"}
    assert (second.state.records, second.state.usage_records) == (4, 2)


def test_two_calls_in_the_same_millisecond_are_two(database: Database) -> None:
    ask(database, counted=tokens(7, 7))
    database.session("s2")
    database.message("s2", "n2", answer(2, tokens(7, 8)))
    assert len({call.key for call in read(database).requests}) == 2


def test_a_subagent_names_its_parent_and_hides_no_title_request(database: Database) -> None:
    database.session("s1", title="New session - 2026-11-22T15:00:00.000Z")
    database.session("s2", parent_id="s1")
    told = sessions(read(database))
    assert (told["s1"].parent_key, told["s2"].parent_key) == (None, "opencode:s1")
    assert (told["s1"].flags, told["s2"].flags) == ([HIDDEN_REQUESTS], [])
    assert told["s1"].title is None


def test_the_todo_table_is_the_plan(database: Database) -> None:
    database.session("s1")
    for number, status in enumerate(("completed", "in_progress", "pending", "completed")):
        database.run("INSERT INTO todo VALUES ('s1', 'x', ?, 'high', ?)", status, number)
    assert (one(database).todo_done, one(database).todo_total) == (2, 4)


def test_messages_that_cannot_be_read_are_counted_once_with_their_reason(
    database: Database,
) -> None:
    ask(database, counted=tokens(1, 1))
    database.message("s1", "m3", "{half")
    database.message("s1", "m4", "[1]")
    database.message("s1", "m5", json.dumps(answer(3, tokens(-5, 1))))
    first = read(database)
    reasons = {"not JSON": 1, "not a JSON object": 1, "implausible token count": 1}
    assert first.state.skipped == reasons
    database.message("s1", "m6", user(9))
    second = read(database, first.state)
    assert second.state.skipped == reasons
    assert len(first.requests) == 1


def test_an_older_layout_without_todos_and_parts_still_tells(database: Database) -> None:
    ask(database, text("Done."), counted=tokens(1, 1))
    database.run("DROP TABLE todo")
    database.run("DROP TABLE part")
    database.run("ALTER TABLE session DROP COLUMN permission")
    database.run("ALTER TABLE message DROP COLUMN time_updated")
    facts = read(database)
    assert facts.state.error is None
    assert len(facts.requests) == 1
    assert one(database).turn == "idle"


def test_messages_in_the_table_of_a_later_version_are_said_to_be_missing(
    database: Database,
) -> None:
    database.run("CREATE TABLE session_message (id text, session_id text, data text)")
    database.session("s1")
    assert UNKNOWN_LAYOUT not in one(database).flags
    database.run("INSERT INTO session_message VALUES ('x', 's1', '{}')")
    assert UNKNOWN_LAYOUT in one(database).flags


def test_another_program_s_database_is_an_error_and_nothing_else(tmp_path: Path) -> None:
    database = Database(tmp_path)
    database.run("DROP TABLE message")
    facts = read(database)
    assert "layout" in (facts.state.error or "")
    assert sessions(facts) == {}


def test_a_damaged_database_keeps_what_was_read_and_is_left_until_it_changes(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(database, counted=tokens(1, 1))
    database.close()
    good = read(database)
    os.truncate(database.path, 5_000)
    bad = read(database, good.state)
    assert bad.state.error
    assert bad.state.usage_records == 1
    with monkeypatch.context() as patch:
        patch.setattr("lib.readers.opencode.opencode_database", None)
        again = read(database, bad.state)
    assert again.state == bad.state
    database.path.unlink()
    repaired = Database(database.path.parent)
    ask(repaired, counted=tokens(1, 1))
    facts = read(repaired, again.state)
    assert facts.state.error is None
    assert len(facts.requests) == facts.state.usage_records == 1


def test_a_passing_error_does_not_stay_with_a_database_that_is_as_before(
    database: Database,
) -> None:
    ask(database)
    database.close()
    good = read(database).state
    good.error, good.gone = "database is locked", True
    again = read(database, good).state
    assert (again.error, again.gone) == (None, False)


def test_a_locked_database_is_an_os_error(database: Database) -> None:
    ask(database)
    database.run("PRAGMA locking_mode=EXCLUSIVE")
    database.run("BEGIN EXCLUSIVE")
    database.run("DELETE FROM part")
    with pytest.raises(DatabaseError):
        read(database)


def test_roots_follow_the_environment(tmp_path: Path) -> None:
    home = {"HOME": "/h"}
    assert opencode.roots(home) == [Path("/h/.local/share/opencode")]
    assert opencode.roots(home | {"XDG_DATA_HOME": "/x"}) == [Path("/x/opencode")]
    named = {"OPENCODE_DATA_DIR": "/a", "OPENCODE_DIR": "/b"}
    assert opencode.roots(home | named) == [Path("/a"), Path("/b")]


def test_of_the_data_folder_only_databases_and_sessions_are_listed(tmp_path: Path) -> None:
    wanted = {
        "opencode.db",
        "opencode-dev.db",
        "storage/session/p1/ses_1.json",
    }
    others = {
        "opencode.db-wal",
        "auth.json",
        "log/opencode.db",
        "snapshot/storage/x/y.json",
        "storage/message/ses_1/msg_1.json",
        "storage/part/msg_1/prt_1.json",
    }
    for name in wanted | others:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    tree = Tree(opencode, tmp_path)
    found = {Path(item.path).relative_to(tmp_path).as_posix() for item in tree.sweep(True, {})}
    assert found == wanted


def test_a_change_that_is_in_the_log_only_is_noticed_without_a_watch(
    database: Database, tmp_path: Path
) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    environ = {"OPENCODE_DATA_DIR": str(database.path.parent)}
    collector = Collector(store, (opencode,), environ, "here")
    ask(database, counted=tokens(1, 1))
    collector.collect(collector.sweep())
    before = os.stat(database.path)
    assert collector.look_at([]) == []
    database.message("s1", "m3", user(5))
    database.message("s1", "m4", answer(6, tokens(2, 2)))
    collector.collect(collector.look_at([]))
    assert os.stat(database.path).st_mtime_ns == before.st_mtime_ns
    assert store.counts().requests == 2
    assert store.sessions()[0].turns == 2
    assert collector.roots == []
    store.close()
