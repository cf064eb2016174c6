"""Reading on every core: the same facts, whatever becomes of the reading processes."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from lib import pool
from lib.pool import Work, read_all
from lib.readers.worker import Task
from tests.trees import Claude


@pytest.fixture
def work(tmp_path: Path) -> list[Work]:
    paths = [Claude(tmp_path, f"s{n}").prompt("hello").say("hi").path for n in range(40)]
    return [Work(Task("claude-code", os.fsencode(path), None), 1 << 20) for path in paths]


@pytest.fixture
def forks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Reading is worth three processes; the ids of those that were started."""
    started: list[int] = []
    fork = os.fork

    def remember() -> int:
        pid = fork()
        started.extend([pid] if pid else [])
        return pid

    monkeypatch.setattr(os, "fork", remember)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    monkeypatch.setattr(pool, "WORTH_PROCESSES", 1)
    return started


def read(work: list[Work]) -> list[tuple[bytes, str]]:
    return sorted(
        (item.task.path, answer.facts.requests[0].key)
        for group in read_all(work)
        for item, answer in group
        if answer.facts is not None
    )


def test_processes_give_the_same_facts_as_one(
    work: list[Work], forks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    many = read(work)
    assert len(forks) == 3
    monkeypatch.setattr(pool, "WORTH_PROCESSES", 1 << 40)
    assert many == read(work)
    assert len(many) == len(work)
    assert len(forks) == 3


def test_a_process_with_threads_reads_by_itself(work: list[Work], forks: list[int]) -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    found = read(work)
    done.set()
    thread.join()
    assert len(found) == len(work)
    assert forks == []


def test_a_killed_reader_takes_nothing_with_it(
    work: list[Work], forks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    fork = os.fork

    def kill_at_once() -> int:
        pid = fork()
        if pid:
            os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)
        return pid

    monkeypatch.setattr(os, "fork", kill_at_once)
    assert len(read(work)) == len(work)
    assert len(forks) == 3


def test_readers_hold_nothing_of_their_parent_open(work: list[Work], forks: list[int]) -> None:
    held: set[int] = set()
    with open(__file__, "rb"):
        for _ in read_all(work):
            deadline = time.monotonic() + 10
            while held != {3} and time.monotonic() < deadline:
                held = {len(os.listdir(f"/proc/{pid}/fd")) for pid in forks}
    assert held == {3}
    assert not any(Path(f"/proc/{pid}").exists() for pid in forks)


def test_an_unreadable_file_is_answered_with_its_reason(tmp_path: Path) -> None:
    missing = Work(Task("claude-code", os.fsencode(tmp_path / "no.jsonl"), None), 1)
    unknown = Work(Task("no-such-agent", os.fsencode(tmp_path / "no.jsonl"), None), 1)
    ((_, first), (_, second)) = [pair for group in read_all([missing, unknown]) for pair in group]
    assert (first.facts, first.error) == (None, "No such file or directory")
    assert second.error == "KeyError: 'no-such-agent'"


def test_a_name_that_is_no_utf8_is_read(tmp_path: Path) -> None:
    session = Claude(tmp_path, "s1").prompt("hello").say("hi")
    odd = os.fsencode(session.path.parent) + b"/\xff\xfe.jsonl"
    os.rename(session.path, odd)
    ((_, answer),) = next(read_all([Work(Task("claude-code", odd, None), 1)]))
    assert answer.facts is not None
    assert answer.facts.state.path.endswith("/\\xff\\xfe.jsonl")
