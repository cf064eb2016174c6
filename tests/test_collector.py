"""Files become facts in the store: once each, whatever happens to them."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.collector import Collector, now_ms
from lib.frame import load_sessions
from lib.readers import READERS
from lib.store import Batch, Store, StoreError
from tests.collecting import NOW, a_collector, collect, requests_of
from tests.trees import Claude


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    yield store
    store.close()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def test_appended_records_are_added_and_nothing_is_doubled(store: Store, home: Path) -> None:
    session = Claude(home, "s1").prompt("hello").say("hi")
    collect(store, home)
    collect(store, home)
    assert requests_of(store) == 1
    session.prompt("more", 2).say("again", 3)
    collect(store, home)
    assert requests_of(store) == 2
    assert store.counts().usage_records == 2


def test_a_half_written_record_counts_once_it_is_whole(store: Store, home: Path) -> None:
    session = Claude(home, "s1").prompt("hello").say("hi")
    whole = session.path.read_bytes()
    session.path.write_bytes(whole[:-40])
    collector = a_collector(store, home)
    collector.collect(collector.sweep())
    assert requests_of(store) == 0
    with session.path.open("ab") as file:
        file.write(whole[-40:])
    collector.collect(collector.sweep())
    assert requests_of(store) == 1
    assert store.counts().skipped == {}


def test_a_replaced_file_is_read_anew_and_its_old_facts_stay(store: Store, home: Path) -> None:
    session = Claude(home, "s1").prompt("hello").say("hi", call="first")
    collect(store, home)
    session.path.unlink()
    Claude(home, "s1").prompt("other").say("hi", call="second").say("ho", call="third")
    collect(store, home)
    assert requests_of(store) == 3


def test_a_truncated_file_is_read_anew(store: Store, home: Path) -> None:
    session = Claude(home, "s1").prompt("hello").say("one").say("two")
    size = session.path.stat().st_size
    collect(store, home)
    os.truncate(session.path, size // 3)
    collect(store, home)
    assert requests_of(store) == 2


def test_a_deleted_file_is_noted_and_its_facts_stay(store: Store, home: Path) -> None:
    session = Claude(home, "s1").prompt("hello").say("hi")
    collect(store, home)
    session.path.unlink()
    collect(store, home)
    assert requests_of(store) == 1
    assert [file.gone for file in store.files()] == [True]


def test_a_fork_that_is_read_first_loses_the_copied_calls_to_the_original(
    store: Store, home: Path
) -> None:
    original = Claude(home, "original").prompt("hello").say("hi", call="shared")
    fork = Claude(home, "fork")
    # As CLI 2.1.330 forks: every record copied, renamed, and its origin named.
    copied = [json.loads(line) for line in original.path.read_text().splitlines()]
    fork.add(*(record | {"requestSessionId": "original"} for record in copied))
    fork.say("mine", 50, call="own")
    original.path.rename(home / "aside")
    collect(store, home)
    assert requests_of(store) == 2
    (home / "aside").rename(original.path)
    collect(store, home)
    frame = load_sessions(store, NOW).set_index("session_id")
    assert (frame.loc["original", "requests"], frame.loc["fork", "requests"]) == (1, 1)


def test_a_file_without_permission_hides_no_other(store: Store, home: Path) -> None:
    Claude(home, "s1").prompt("hello").say("hi")
    folder = home / ".claude" / "projects" / "dangling"
    folder.mkdir()
    (folder / "s2.jsonl").mkdir()  # opens, and can't be read: the same for root as for others
    (folder / "s3.jsonl").symlink_to(folder / "s3.jsonl")
    collect(store, home)
    assert requests_of(store) == 1


def test_an_unreadable_file_is_shown_with_its_reason_and_tried_again(
    store: Store, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Claude(home, "s1").prompt("hello").say("hi")
    collector = a_collector(store, home)
    found = collector.sweep()
    session.path.rename(home / "aside")
    collector.collect(found)
    assert [file.error for file in store.files()] == ["No such file or directory"]
    (home / "aside").rename(session.path)
    collector.collect(collector.sweep())
    assert [file.error for file in store.files()] == [None]
    assert requests_of(store) == 1


def test_a_refused_write_is_collected_again(
    store: Store, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Claude(home, "s1").prompt("hello").say("hi")
    collector = a_collector(store, home)

    def refuse(_: Batch) -> bool:
        raise StoreError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(store, "write", refuse)
        found = collector.sweep()
        with pytest.raises(StoreError):
            collector.collect(found)
    collector.collect(collector.sweep())
    assert requests_of(store) == 1


def test_the_first_session_of_an_empty_machine_is_an_event(store: Store, home: Path) -> None:
    collector = a_collector(store, home)
    collector.collect(collector.sweep())
    Claude(home, "s1").prompt("hello").say("hi").exit()
    collector.collect(collector.sweep())
    assert [event.kind for event in store.events()] == ["completed"]


def test_one_folder_named_twice_is_one_source(store: Store, home: Path) -> None:
    Claude(home, "s1").prompt("hello").say("hi")
    (home / "link").symlink_to(".claude")
    names = ",".join(f"{home}/{name}" for name in (".claude", ".claude/", "link"))
    environ = {"HOME": str(home), "CLAUDE_CONFIG_DIR": names}
    collector = Collector(store, READERS, environ, "here")
    collector.collect(collector.sweep())
    store.save_sources(collector.sources())
    assert [file.records for file in store.files()] == [2]


def test_files_of_a_folder_that_is_closed_for_now_are_not_taken_for_deleted(
    store: Store, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Claude(home, "s1").prompt("hello").say("hi")
    collector = a_collector(store, home)
    collector.collect(collector.sweep())

    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    closed = a_collector(store, home)
    closed.collect(closed.sweep())
    closed.note_gone()
    assert [file.gone for file in store.files()] == [False]


def test_a_record_of_the_future_does_not_keep_its_session_recent_for_ever(
    store: Store, home: Path
) -> None:
    ahead = now_ms() + 400 * 86_400_000
    session = Claude(home, "s1", start=ahead).prompt("hello").say("hi")
    written = int(session.path.stat().st_mtime * 1000)
    collect(store, home)
    row = store.sessions()[0]
    assert (row.started_at, row.last_activity_at) == (written, written)
    assert row.flags == ["clock_ahead"]
    assert requests_of(store) == 1


def test_what_a_reader_does_not_know_is_logged_once_for_each_agent(
    store: Store, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("s1", "s2"):
        Claude(home, name).prompt("hello").say("hi").add({"type": "telepathy"})
    collect(store, home)
    Claude(home, "s3").add({"type": "telepathy"})
    collect(store, home)
    said = [record.getMessage() for record in caplog.records if "telepathy" in record.message]
    assert len(said) == 1
    assert said[0].startswith("claude-code: unknown record type: telepathy, first in ")
    assert requests_of(store) == 2


def test_of_two_files_of_a_session_in_one_batch_the_later_one_tells_what_happens(
    store: Store, home: Path
) -> None:
    collector = a_collector(store, home)
    collector.collect(collector.sweep())
    for folder in ("/home/dev/alpha", "/home/dev/beta"):
        Claude(home, "s1", folder).prompt("hello").say("hi").exit()
    Claude(home, "s1", "/home/dev/alpha").fail("API Error: 500", "api_error", 500, 50).exit()
    collector.collect(collector.sweep())
    [row] = store.sessions()
    assert row.turn == "failed"
    assert [event.kind for event in store.events()] == ["failed"]
