"""Which threads are loaded, told by locks that real processes hold, and never by taking one."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lib import processes
from lib.model import Evidence
from lib.readers import codex, codex_live
from tests.readers.codex_rollouts import (
    CHILD,
    PARENT,
    Json,
    context,
    event,
    item,
    meta,
    write,
)

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="reads /proc as Linux has it"
)

HOLD = """
import fcntl, sys
lock, rollout, mode = sys.argv[1:4]
held = []
if lock:
    held.append(open(lock, "w"))
    fcntl.flock(held[0], fcntl.LOCK_EX)
if rollout:
    held.append(open(rollout, mode))
print("held", flush=True)
sys.stdin.read()
"""
RUN_TOOL = """
import os, subprocess, sys
subprocess.Popen(["sleep", "60"], env={**os.environ, "CODEX_THREAD_ID": sys.argv[4]},
                 start_new_session=True)
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "thread-writer-locks").mkdir()
    (tmp_path / "thread-writer-locks" / ".coordination.lock").touch()
    (tmp_path / "sessions").mkdir()
    return tmp_path


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codex_live, "_watch", codex_live._Watch())


@contextmanager
def holder(
    lock: Path | str = "",
    rollout: Path | str = "",
    *,
    mode: str = "a",
    tool_of: str = "",
    program: str = sys.executable,
) -> Generator[subprocess.Popen[str]]:
    """A process that holds a lock and a rollout, and perhaps runs a tool for a thread."""
    code = HOLD if not tool_of else RUN_TOOL + HOLD
    process = subprocess.Popen(
        [program, "-c", code, str(lock), str(rollout), mode, tool_of],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        for child in processes.descendants(process.pid):
            os.kill(child, signal.SIGKILL)
        process.kill()
        process.communicate()


def lock_of(home: Path, thread: str = PARENT) -> Path:
    return home / "thread-writer-locks" / f"{thread}.lock"


def look(home: Path, now: int = 1_000_000) -> list[Evidence]:
    return [
        claim
        for claim in codex.live({"CODEX_HOME": str(home)}, now)
        if claim.session_id in (PARENT, CHILD)
    ]


def test_a_thread_whose_lock_is_held_is_alive(home: Path):
    with holder(lock_of(home)) as process:
        (claim,) = look(home)
        fact = processes.look(process.pid)
    assert fact is not None
    assert claim.session_key == f"codex:{PARENT}"
    assert (claim.source, claim.process, claim.turn) == ("codex-lock", "alive", None)
    assert (claim.pid, claim.process_started) == (process.pid, fact.started)


def test_a_stopped_process_is_suspended(home: Path):
    with holder(lock_of(home)) as process:
        process.send_signal(signal.SIGSTOP)
        deadline = time.monotonic() + 5
        while look(home)[0].process != "suspended" and time.monotonic() < deadline:
            time.sleep(0.01)
        (claim,) = look(home)
    assert claim.process == "suspended"


def test_a_lock_that_a_killed_process_left_is_nothing(home: Path):
    with holder(lock_of(home)):
        assert len(look(home)) == 1
    assert lock_of(home).exists()
    assert look(home) == []


def test_without_folders_there_is_nothing(tmp_path: Path):
    assert look(tmp_path / "missing") == []


def test_looking_takes_no_lock(home: Path):
    with holder(lock_of(home)), lock_of(home, CHILD).open("w") as other:
        look(home)
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert {claim.session_id for claim in look(home)} == {PARENT, CHILD}


def test_a_holder_outside_of_our_view_is_unknown(home: Path, monkeypatch: pytest.MonkeyPatch):
    status = lock_of(home)
    status.touch()
    device, inode = status.stat().st_dev, status.stat().st_ino
    proc = home / "proc"
    proc.mkdir()
    (proc / "locks").write_text(
        f"1: FLOCK  ADVISORY  WRITE 0 {os.major(device):02x}:{os.minor(device):02x}:{inode} 0 EOF\n"
    )
    monkeypatch.setattr(codex_live, "_PROC", proc)
    (claim,) = look(home)
    assert (claim.process, claim.pid) == ("unknown", None)


def test_another_devices_file_of_the_same_number_is_not_ours(
    home: Path, monkeypatch: pytest.MonkeyPatch
):
    lock_of(home).touch()
    proc = home / "proc"
    proc.mkdir()
    inode = lock_of(home).stat().st_ino
    (proc / "locks").write_text(
        f"1: FLOCK  ADVISORY  WRITE {os.getpid()} 77:77:{inode} 0 EOF\n"
        f"1: -> FLOCK  ADVISORY  WRITE {os.getpid()} 77:77:{inode} 0 EOF\n"
        f"2: POSIX  ADVISORY  WRITE {os.getpid()} 77:77:{inode} 0 EOF\n"
    )
    monkeypatch.setattr(codex_live, "_PROC", proc)
    assert look(home) == []


class TestOlderVersions:
    """They hold no lock, but the rollout open for writing."""

    @pytest.fixture
    def program(self, tmp_path: Path) -> str:
        link = tmp_path / "codex"
        link.symlink_to(sys.executable)
        return str(link)

    def test_a_rollout_that_codex_writes_is_alive(self, home: Path, program: str):
        path = write(home / "sessions", PARENT, [meta(PARENT)])
        with holder(rollout=path, program=program) as process:
            (claim,) = look(home)
            assert (claim.source, claim.process) == ("codex-open-file", "alive")
            assert (claim.pid, claim.session_id) == (process.pid, PARENT)

    def test_a_rollout_that_it_only_reads_is_not(self, home: Path, program: str):
        path = write(home / "sessions", PARENT, [meta(PARENT)])
        with holder(rollout=path, program=program, mode="r"):
            assert look(home) == []

    def test_a_home_behind_a_link_is_the_same(self, home: Path, program: str):
        path = write(home / "sessions", PARENT, [meta(PARENT)])
        link = home / "link"
        link.symlink_to(home)
        with holder(rollout=path, program=program):
            assert len(look(link)) == 1

    def test_a_new_process_is_found_within_seconds(self, home: Path, program: str):
        path = write(home / "sessions", PARENT, [meta(PARENT)])
        assert look(home, 1_000_000) == []
        with holder(rollout=path, program=program):
            assert look(home, 1_001_000) == []
            assert len(look(home, 1_005_000)) == 1


def asking(home: Path, *after: Json, policy: str = "on-request") -> Path:
    arguments = '{"cmd": "touch x", "sandbox_permissions": "require_escalated"}'
    asked = item("function_call", 2, name="exec_command", call_id="a", arguments=arguments)
    started = event("task_started", 1)
    records = [meta(PARENT), started, context(approval_policy=policy), asked, *after]
    return write(home / "sessions", PARENT, records)


class TestPermission:
    def test_a_call_that_needs_one_and_does_not_run_waits(self, home: Path):
        with holder(lock_of(home), asking(home)):
            (claim,) = look(home)
        assert (claim.turn, claim.detail) == ("waiting", "permission to run")

    def test_a_call_that_runs_does_not_wait(self, home: Path):
        with holder(lock_of(home), asking(home), tool_of=PARENT):
            assert look(home)[0].turn is None

    def test_one_who_holds_the_lock_may_only_read_the_rollout(self, home: Path):
        with holder(lock_of(home), asking(home), mode="r"):
            assert look(home)[0].turn == "waiting"

    def test_another_threads_tool_does_not_end_the_waiting(self, home: Path):
        with holder(lock_of(home), asking(home), tool_of=CHILD):
            assert look(home)[0].turn == "waiting"

    @pytest.mark.parametrize(
        "path",
        [
            lambda home: asking(home, policy="never"),
            lambda home: asking(home, item("function_call_output", 3, call_id="a", output="")),
            lambda home: asking(home, event("turn_aborted", 3)),
            lambda home: write(home / "sessions", PARENT, [meta(PARENT), context()]),
        ],
        ids=["never asks", "has its output", "was aborted", "has no call"],
    )
    def test_otherwise_nothing_waits(self, home: Path, path: Callable[[Path], Path]):
        with holder(lock_of(home), path(home)):
            assert look(home)[0].turn is None

    def test_only_the_end_of_a_long_rollout_is_needed(self, home: Path):
        path = asking(home)
        asked = path.read_bytes().splitlines()
        noise = b'{"timestamp":"x","type":"world_state","payload":{"a":"' + b"x" * 400_000 + b'"}}'
        path.write_bytes(b"\n".join([asked[0], asked[1], asked[2], noise, asked[3], b""]))
        with holder(lock_of(home), path):
            assert look(home)[0].turn == "waiting"

    def test_what_was_appended_is_seen(self, home: Path):
        path = asking(home)
        with holder(lock_of(home), path):
            assert look(home)[0].turn == "waiting"
            with path.open("a") as file:
                file.write('{"type":"event_msg","payload":{"type":"task_complete"}}\n')
            assert look(home)[0].turn is None


def test_a_look_without_threads_is_cheap(home: Path):
    look(home)
    started = time.process_time()
    for _ in range(50):
        look(home)
    assert (time.process_time() - started) / 50 < 0.002
