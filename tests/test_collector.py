"""Files and live sources become facts in the store: once each, in the right order."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib import processes
from lib.collector import Collector, now_ms
from lib.frame import load_sessions
from lib.readers import READERS
from lib.store import Batch, Store, StoreError
from tests.trees import Claude, Registry, at, at_ms

NOW = at_ms(600)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    yield store
    store.close()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def agent() -> Iterator[subprocess.Popen[bytes]]:
    """A process that stands for an agent's."""
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def a_collector(store: Store, home: Path) -> Collector:
    return Collector(store, READERS, {"HOME": str(home)}, "here")


def collect(store: Store, home: Path) -> None:
    """One daemon's whole life: scan once, with nothing remembered but what is stored."""
    collector = a_collector(store, home)
    collector.collect(collector.sweep())
    collector.note_gone()


def announce(home: Path, agent: "subprocess.Popen[bytes]", session: Claude) -> Registry:
    fact = processes.look(agent.pid)
    assert fact is not None
    return Registry(home, agent.pid, fact.started, session)


def requests_of(store: Store) -> int:
    return sum(usage.requests for usage in store.usage())


def status_of(store: Store) -> str:
    return load_sessions(store, NOW)["status"].iloc[0]


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


def test_a_live_session_shows_what_it_does_and_its_end(
    store: Store, home: Path, agent: "subprocess.Popen[bytes]"
) -> None:
    session = Claude(home, "s1").prompt("hello").use("Bash", command="sleep 30")
    registry = announce(home, agent, session)
    registry.say("busy")
    collector = a_collector(store, home)
    collector.collect(collector.sweep())
    assert status_of(store) == "running"
    registry.say("waiting", waitingFor="permission prompt")
    collector.collect([])
    assert status_of(store) == "waiting"
    agent.kill()
    agent.wait()
    collector.collect([])
    row = load_sessions(store, NOW).iloc[0]
    assert (row["status"], row["error_class"]) == ("failed", "killed")
    assert [event.kind for event in store.events()] == ["waiting", "failed"]


def test_what_a_process_wrote_before_it_went_is_read_before_it_counts_as_gone(
    store: Store, home: Path, agent: "subprocess.Popen[bytes]"
) -> None:
    session = Claude(home, "s1").prompt("hello").use("Bash", command="true")
    registry = announce(home, agent, session)
    registry.say("busy")
    collector = a_collector(store, home)
    collector.collect(collector.sweep())
    session.result("ok").say("done", 3).exit()
    registry.leave()
    agent.kill()
    agent.wait()
    collector.collect(collector.sweep())
    assert status_of(store) == "completed"
    assert [event.kind for event in store.events()] == ["completed"]


def test_busy_to_idle_is_believed_on_the_second_look(
    store: Store,
    home: Path,
    agent: "subprocess.Popen[bytes]",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = Claude(home, "s1").prompt("hello").use("Bash", command="true")
    registry = announce(home, agent, session)
    registry.say("busy")
    collector = a_collector(store, home)
    collector.collect(collector.sweep())
    registry.say("idle")
    collector.collect([])
    assert status_of(store) == "running"
    monkeypatch.setattr("lib.live.CONFIRM_MS", 0)
    collector.collect([])
    assert status_of(store) == "idle"


def test_a_registry_file_that_is_being_rewritten_does_not_end_its_session(
    store: Store, home: Path, agent: "subprocess.Popen[bytes]"
) -> None:
    session = Claude(home, "s1").prompt("hello").use("Bash", command="true")
    registry = announce(home, agent, session)
    registry.say("busy")
    collector = a_collector(store, home)
    collector.collect(collector.sweep())
    registry.path.write_bytes(b"")
    collector.collect([])
    assert status_of(store) == "running"


def test_a_session_without_transcript_yet_is_shown(
    store: Store, home: Path, agent: "subprocess.Popen[bytes]"
) -> None:
    session = Claude(home, "s1")
    announce(home, agent, session).say("idle")
    collect(store, home)
    assert status_of(store) == "idle"


def test_the_session_of_another_machine_is_never_judged_from_here(
    store: Store, home: Path, agent: "subprocess.Popen[bytes]"
) -> None:
    session = Claude(home, "s1").prompt("hello").use("Bash", command="true")
    announce(home, agent, session).say("busy")
    there = Collector(store, READERS, {"HOME": str(home)}, "there")
    there.collect(there.sweep())
    collect(store, home.parent / "empty")
    assert status_of(store) == "running"


def test_one_readers_broken_live_source_blinds_no_other_and_ends_no_session(
    store: Store,
    home: Path,
    agent: "subprocess.Popen[bytes]",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = Claude(home, "s1").prompt("hello").use("Bash", command="true")
    announce(home, agent, session).say("busy")
    collector = a_collector(store, home)
    collector.collect(collector.sweep())

    def broken(*_: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr("lib.readers.claude_code.live", broken)
    collector.collect([])
    assert status_of(store) == "running"
    assert collector.observer.errors == {"claude-code": "RuntimeError: boom"}


def test_old_versions_that_announce_nothing_are_judged_by_the_process_table(
    store: Store, home: Path
) -> None:
    session = Claude(home, "s1", cwd="/nowhere/at/all").prompt("hello").use("Bash", command="true")
    text = session.path.read_text().replace("2.1.330", "1.0.100")
    session.path.write_text(text)
    collector = a_collector(store, home)
    collector.collect(collector.sweep())
    assert status_of(store) == "unknown"
    collector.judge_unannounced()
    row = load_sessions(store, NOW).iloc[0]
    assert (row["status"], row["error_class"]) == ("failed", "killed")


def test_a_last_word_whose_notice_is_late_is_read_before_the_end_is_told(
    store: Store, home: Path, agent: "subprocess.Popen[bytes]"
) -> None:
    session = Claude(home, "s1").prompt("hello").use("Bash", command="true")
    registry = announce(home, agent, session)
    registry.say("busy")
    collector = a_collector(store, home)
    collector.collect(collector.sweep())
    session.result("ok").say("done", 3).exit()
    registry.leave()
    agent.kill()
    agent.wait()
    collector.collect([])
    assert [event.kind for event in store.events()] == ["completed"]


def test_the_first_session_of_an_empty_machine_is_an_event(store: Store, home: Path) -> None:
    collector = a_collector(store, home)
    collector.collect(collector.sweep())
    Claude(home, "s1").prompt("hello").say("hi").exit()
    collector.collect(collector.sweep())
    assert [event.kind for event in store.events()] == ["completed"]


def test_a_killed_parent_ends_its_subagents_in_the_feed(
    store: Store, home: Path, agent: "subprocess.Popen[bytes]"
) -> None:
    session = Claude(home, "s1").prompt("hello").use("Agent", description="look")
    child = Claude(home, "agent-a")
    child.add({"type": "user", "message": {"role": "user", "content": "look"}, "timestamp": at(1)})
    folder = session.path.parent / "s1" / "subagents"
    folder.mkdir(parents=True)
    text = child.path.read_text().replace('"sessionId": "agent-a"', '"sessionId": "s1"')
    (folder / "agent-a.jsonl").write_text(text)
    child.path.unlink()
    announce(home, agent, session).say("busy")
    collector = a_collector(store, home)
    collector.collect(collector.sweep())
    agent.kill()
    agent.wait()
    collector.collect([])
    assert sorted(event.kind for event in store.events()) == ["failed", "failed"]


def test_one_folder_named_twice_is_one_source(store: Store, home: Path) -> None:
    Claude(home, "s1").prompt("hello").say("hi")
    environ = {"HOME": str(home), "CLAUDE_CONFIG_DIR": f"{home}/.claude,{home}/.claude/"}
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


def test_an_old_version_that_is_resumed_is_not_taken_for_dead(store: Store, home: Path) -> None:
    session = Claude(home, "s1", str(home), now_ms()).prompt("hello").use("Bash", command="true")
    old = session.path.read_text().replace("2.1.330", "1.0.100")
    session.path.write_text(old)
    collector = a_collector(store, home)
    collector.collect(collector.sweep())
    collector.judge_unannounced()
    assert status_of(store) == "failed"
    claude = home / "claude"
    claude.symlink_to("/bin/sleep")
    process = subprocess.Popen([claude, "60"], cwd=home)
    try:
        again = Claude(home, "s1", str(home), now_ms() + 1_000)
        again.prompt("more")
        session.path.write_text(session.path.read_text().replace("2.1.330", "1.0.100"))
        collector.collect(collector.sweep())
    finally:
        process.kill()
        process.wait()
    assert status_of(store) == "unknown"


def test_a_process_that_began_after_the_last_word_is_another_sessions(
    store: Store, home: Path
) -> None:
    session = Claude(home, "s1", str(home), now_ms() - 60_000)
    session.prompt("hello").use("Bash", command="true")
    session.path.write_text(session.path.read_text().replace("2.1.330", "1.0.100"))
    claude = home / "claude"
    claude.symlink_to("/bin/sleep")
    process = subprocess.Popen([claude, "60"], cwd=home)
    collector = a_collector(store, home)
    collector.collect(collector.sweep())
    collector.judge_unannounced()
    process.kill()
    process.wait()
    assert status_of(store) == "failed"
