"""Live sources become facts in the store: at the right moment, and never a wrong one."""

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.collector import Collector, now_ms
from lib.frame import load_sessions
from lib.readers import READERS
from lib.store import Store
from tests.collecting import NOW, a_collector, announce, collect, status_of
from tests.readers import qwen_records
from tests.readers.genai_records import SESSION, lines_of
from tests.trees import Claude, at


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


def test_what_was_written_beside_a_session_after_its_last_word_tells_how_it_ended(
    store: Store, home: Path, agent: "subprocess.Popen[bytes]"
) -> None:
    chats = home / ".qwen/projects/-home-dev-alpha/chats"
    chats.mkdir(parents=True)
    records = [qwen_records.prompt(1, "Look."), qwen_records.answer(2, qwen_records.call())]
    (chats / f"{SESSION}.jsonl").write_bytes(lines_of(records))
    claim = {"pid": agent.pid, "session_id": SESSION, "hostname": socket.gethostname()}
    announced = chats / f"{SESSION}.runtime.json"
    announced.write_text(json.dumps(claim | {"started_at": time.time(), "work_dir": "/home/dev"}))
    collector = a_collector(store, home)
    collector.collect(collector.sweep())
    assert status_of(store) == "running"
    mark = {"sessionId": SESSION, "timestamp": now_ms()}
    (home / ".qwen/usage_record.jsonl").write_text(json.dumps(mark) + "\n")
    agent.kill()
    agent.wait()
    collector.collect([])
    assert status_of(store) == "cancelled"
    assert [event.kind for event in store.events()] == ["cancelled"]


def test_the_same_for_a_session_whose_process_was_never_announced(store: Store, home: Path) -> None:
    chats = home / ".qwen/projects/-home-dev-alpha/chats"
    chats.mkdir(parents=True)
    records = [qwen_records.prompt(1, "Look."), qwen_records.answer(2, qwen_records.call())]
    (chats / f"{SESSION}.jsonl").write_bytes(lines_of(records))
    collector = a_collector(store, home)
    collector.collect(collector.sweep())
    mark = {"sessionId": SESSION, "timestamp": now_ms()}
    (home / ".qwen/usage_record.jsonl").write_text(json.dumps(mark) + "\n")
    collector.judge_unannounced()
    assert status_of(store) == "cancelled"
    assert [event.kind for event in store.events()] == ["cancelled"]
