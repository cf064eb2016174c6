"""Live terminal sessions of Qwen Code: told while their process lives, and of no other."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib import processes
from lib.readers import qwen
from lib.readers.qwen_live import SOURCE
from tests.readers.genai_records import ALPHA, OTHER, SESSION


@pytest.fixture
def agent() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def announce(home: Path, pid: object, session: str = SESSION, **more: object) -> Path:
    chats = home / ".qwen" / "projects" / "-home-dev-alpha" / "chats"
    chats.mkdir(parents=True, exist_ok=True)
    said = {
        "schema_version": 1,
        "pid": pid,
        "session_id": session,
        "work_dir": ALPHA,
        "hostname": socket.gethostname(),
        "started_at": time.time(),
        "qwen_version": "0.24.4",
    }
    path = chats / f"{session}.runtime.json"
    path.write_text(json.dumps(said | more))
    return path


def live(home: Path) -> list[tuple[str, str]]:
    claims = qwen.live({"HOME": str(home)}, 1_795_365_000_000)
    return [(claim.session_key, claim.process) for claim in claims]


def test_a_session_is_alive_paused_and_gone_with_its_process(
    tmp_path: Path, agent: subprocess.Popen[bytes]
) -> None:
    announce(tmp_path, agent.pid)
    assert live(tmp_path) == [(f"qwen:{SESSION}", "alive")]
    agent.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, agent.pid, os.WSTOPPED | os.WNOWAIT)
    assert live(tmp_path) == [(f"qwen:{SESSION}", "suspended")]
    agent.kill()
    agent.wait()
    assert live(tmp_path) == []


def test_the_claim_says_which_process_it_is(tmp_path: Path, agent: subprocess.Popen[bytes]) -> None:
    announce(tmp_path, agent.pid)
    (claim,) = qwen.live({"HOME": str(tmp_path)}, 1)
    fact = processes.look(agent.pid)
    assert fact is not None
    assert (claim.pid, claim.process_started, claim.source) == (agent.pid, fact.started, SOURCE)
    assert (claim.project_path, claim.turn) == (ALPHA, None)


def test_a_process_that_moved_on_serves_its_new_session_only(
    tmp_path: Path, agent: subprocess.Popen[bytes]
) -> None:
    path = announce(tmp_path, agent.pid)
    assert len(live(tmp_path)) == 1
    path.unlink()
    announce(tmp_path, agent.pid, OTHER)
    assert live(tmp_path) == [(f"qwen:{OTHER}", "alive")]


def test_a_change_within_one_tick_of_the_clock_is_seen(
    tmp_path: Path, agent: subprocess.Popen[bytes]
) -> None:
    chats = announce(tmp_path, agent.pid).parent
    tick = chats.stat().st_mtime_ns
    assert len(live(tmp_path)) == 1
    announce(tmp_path, agent.pid, OTHER)
    os.utime(chats, ns=(tick, tick))
    assert len(live(tmp_path)) == 2


def test_a_reused_pid_is_not_taken_for_the_session(
    tmp_path: Path, agent: subprocess.Popen[bytes]
) -> None:
    announce(tmp_path, agent.pid, started_at=time.time() - 3_600)
    assert live(tmp_path) == []


def test_a_pid_of_another_host_means_nothing_here(
    tmp_path: Path, agent: subprocess.Popen[bytes]
) -> None:
    announce(tmp_path, agent.pid, hostname="elsewhere")
    assert live(tmp_path) == []


@pytest.mark.parametrize("pid", [0, -1, None, "x", 10**12, [], True])
def test_junk_for_a_pid_is_no_session(tmp_path: Path, pid: object) -> None:
    announce(tmp_path, pid)
    assert live(tmp_path) == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xff", b"{}"])
def test_junk_for_a_file_is_no_session(tmp_path: Path, content: bytes) -> None:
    announce(tmp_path, 1).write_bytes(content)
    assert live(tmp_path) == []


def test_without_a_folder_there_is_nothing(tmp_path: Path) -> None:
    assert live(tmp_path) == []
