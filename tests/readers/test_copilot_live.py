"""Lock files of Copilot: whose they are, and which of them were left behind."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib import processes
from lib.model import Evidence
from lib.readers import copilot
from tests.readers.copilot_records import OTHER, SESSION


@pytest.fixture
def pid() -> Iterator[int]:
    """The pid of a process that stands for Copilot's."""
    process = subprocess.Popen(["sleep", "60"])
    yield process.pid
    process.kill()
    process.wait()


def lock(home: Path, pid: int, content: str | None = None, session: str = SESSION) -> Path:
    folder = home / ".copilot" / "session-state" / session
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"inuse.{pid}.lock"
    path.write_text(f"{pid}\n" if content is None else content)
    return path


def live(home: Path) -> list[Evidence]:
    return list(copilot.live({"HOME": str(home)}, 0))


def test_a_lock_of_a_running_process_is_a_live_session(tmp_path: Path, pid: int):
    lock(tmp_path, pid)
    (claim,) = live(tmp_path)
    fact = processes.look(pid)
    assert fact is not None
    assert (claim.session_key, claim.source) == (f"copilot:{SESSION}", "copilot-lock")
    assert (claim.process, claim.turn) == ("alive", None)
    assert (claim.pid, claim.process_started) == (pid, fact.started)


def test_a_stopped_process_is_suspended(tmp_path: Path, pid: int):
    lock(tmp_path, pid)
    os.kill(pid, signal.SIGSTOP)
    deadline = time.monotonic() + 5
    while live(tmp_path)[0].process != "suspended" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [claim.process for claim in live(tmp_path)] == ["suspended"]


def test_a_lock_left_behind_is_no_live_session(tmp_path: Path):
    process = subprocess.Popen(["true"])
    process.wait()
    lock(tmp_path, process.pid)
    assert live(tmp_path) == []


def test_a_pid_that_was_given_to_a_younger_process_is_not_believed(tmp_path: Path, pid: int):
    path = lock(tmp_path, pid)
    fact = processes.look(pid)
    assert fact is not None
    before = fact.created_ms / 1000 - 120
    os.utime(path, (before, before))
    assert live(tmp_path) == []


@pytest.mark.parametrize("content", ["1", "x", "99999999999999999999", "\x00"])
def test_a_lock_that_names_another_process_is_not_believed(tmp_path: Path, pid: int, content: str):
    lock(tmp_path, pid, content)
    assert live(tmp_path) == []


def test_a_lock_just_made_is_known_by_its_name(tmp_path: Path, pid: int):
    lock(tmp_path, pid, "")
    assert len(live(tmp_path)) == 1


def test_of_two_locks_the_running_one_speaks(tmp_path: Path, pid: int):
    gone = subprocess.Popen(["true"])
    gone.wait()
    lock(tmp_path, gone.pid)
    lock(tmp_path, pid)
    lock(tmp_path, os.getpid(), session=OTHER)
    assert {(claim.session_id, claim.pid) for claim in live(tmp_path)} == {
        (SESSION, pid),
        (OTHER, os.getpid()),
    }


def test_no_folder_means_no_live_session(tmp_path: Path):
    assert live(tmp_path) == []
    (tmp_path / ".copilot").mkdir()
    (tmp_path / ".copilot" / "session-state").write_text("a file")
    assert live(tmp_path) == []


def test_other_files_beside_the_lock_are_not_opened(tmp_path: Path, pid: int):
    path = lock(tmp_path, pid)
    for name in (f"inuse.{pid}.hold", "inuse.0.lock", "inuse.x.lock", "inuse.-1.lock"):
        os.mkfifo(path.with_name(name))
    path.unlink()
    os.mkfifo(path)
    assert live(tmp_path) == []


def test_a_lock_that_comes_later_is_seen_in_a_folder_seen_before(tmp_path: Path, pid: int):
    path = lock(tmp_path, pid)
    path.unlink()
    long_ago = time.time() - 100
    os.utime(path.parent, (long_ago, long_ago))
    assert live(tmp_path) == []
    lock(tmp_path, pid)
    assert len(live(tmp_path)) == 1
    path.unlink()
    assert live(tmp_path) == []
