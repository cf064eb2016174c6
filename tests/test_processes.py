"""Knowing a process again."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib import processes


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(["sleep", "60"], cwd=tmp_path, env={"MARK": "mine"})
    yield process
    process.kill()
    process.wait()


def test_the_start_mark_is_what_the_kernel_says(sleeper: "subprocess.Popen[bytes]") -> None:
    fact = processes.look(sleeper.pid)
    assert fact is not None
    if sys.platform == "linux":
        stat = Path(f"/proc/{sleeper.pid}/stat").read_text()
        assert fact.started == stat.rsplit(")", 1)[1].split()[19]
    assert abs(fact.created_ms - time.time() * 1000) < 60_000
    assert (fact.uid, fact.ppid, fact.suspended) == (os.getuid(), os.getpid(), False)


def test_a_stopped_process_is_suspended_until_it_goes_on(
    sleeper: "subprocess.Popen[bytes]",
) -> None:
    def is_suspended() -> bool:
        fact = processes.look(sleeper.pid)
        assert fact is not None
        return fact.suspended

    sleeper.send_signal(signal.SIGSTOP)
    while not is_suspended():
        time.sleep(0.01)
    sleeper.send_signal(signal.SIGCONT)
    while is_suspended():
        time.sleep(0.01)


def test_a_zombie_is_no_process() -> None:
    process = subprocess.Popen(["true"])
    while Path(f"/proc/{process.pid}/stat").exists() and processes.look(process.pid) is not None:
        time.sleep(0.01)
    assert processes.look(process.pid) is None
    process.wait()


@pytest.mark.parametrize("pid", [0, -1, 2**31])
def test_no_such_process_is_none(pid: int) -> None:
    assert processes.look(pid) is None
    assert processes.arguments(pid) == []
    assert processes.descendants(pid) == []
    assert processes.environment_value(pid, "HOME") is None


def test_arguments_environment_and_folder_are_read(
    sleeper: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    assert processes.arguments(sleeper.pid) == ["sleep", "60"]
    assert processes.environment_value(sleeper.pid, "MARK") == "mine"
    assert sleeper.pid in processes.descendants(os.getpid())
    assert sleeper.pid in processes.working_folders(frozenset({"sleep"}))[str(tmp_path)]
    assert str(tmp_path) not in processes.working_folders(frozenset({"claude"}))
