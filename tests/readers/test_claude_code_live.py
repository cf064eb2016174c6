"""Live sessions, against processes that really run."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any

import pytest

from lib import processes
from lib.model import Evidence
from lib.readers import claude_code_live
from lib.readers.claude_code import live

NOW = 1_795_000_000_000


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    program = "import time; time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", program, "-p", "--max-turns", "7"])
    yield process
    process.kill()
    process.wait()


def write(home: Path, pid: int, **more: Any) -> Path:
    fact = processes.look(pid)
    claim = {
        "pid": pid,
        "sessionId": f"session-{pid}",
        "cwd": "/home/dev/alpha",
        "startedAt": 1_795_359_711_241,
        "procStart": fact.started if fact is not None else "1",
        "version": "2.1.330",
        "name": "alpha-85",
        "nameSource": "derived",
        "status": "busy",
        "statusUpdatedAt": 1_795_359_711_058,
        **more,
    }
    path = home / ".claude" / "sessions" / f"{pid}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({key: value for key, value in claim.items() if value is not None}))
    return path


def look(home: Path) -> list[Evidence]:
    return list(live({"HOME": str(home)}, NOW))


def one(home: Path) -> Evidence:
    (evidence,) = look(home)
    return evidence


def test_a_live_process_says_what_it_does(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    write(tmp_path, sleeper.pid)
    fact = processes.look(sleeper.pid)
    assert fact is not None
    assert one(tmp_path) == Evidence(
        session_key=f"claude-code:session-{sleeper.pid}",
        source="claude-registry",
        agent="claude-code",
        session_id=f"session-{sleeper.pid}",
        observed_at=NOW,
        process="alive",
        turn="running",
        since=1_795_359_711_058,
        pid=sleeper.pid,
        process_started=fact.started,
        turn_limit=7,
        project_path="/home/dev/alpha",
        started_at=1_795_359_711_241,
    )


@pytest.mark.parametrize(
    ("claim", "turn", "detail"),
    [
        ({"status": "idle"}, "idle", None),
        ({"status": "shell"}, "idle", "a shell runs in the background"),
        ({"status": "waiting", "waitingFor": "permission prompt"}, "waiting", "permission prompt"),
        ({"status": "waiting"}, "waiting", None),
        ({"status": "pondering"}, None, None),
        ({"status": ["busy"]}, None, None),
        ({"status": None}, None, None),
    ],
)
def test_an_unknown_status_claims_nothing_of_the_turn(
    tmp_path: Path,
    sleeper: subprocess.Popen[bytes],
    claim: dict[str, Any],
    turn: str | None,
    detail: str | None,
) -> None:
    write(tmp_path, sleeper.pid, **claim)
    assert (one(tmp_path).turn, one(tmp_path).detail) == (turn, detail)


def test_a_suspended_process_is_told_from_a_running_one(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    write(tmp_path, sleeper.pid)
    os.kill(sleeper.pid, signal.SIGSTOP)
    limit = time.monotonic() + 5
    while one(tmp_path).process != "suspended" and time.monotonic() < limit:
        time.sleep(0.01)
    assert one(tmp_path).process == "suspended"
    os.kill(sleeper.pid, signal.SIGCONT)


def test_a_file_left_behind_by_a_killed_process_proves_nothing(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    write(tmp_path, sleeper.pid)
    sleeper.kill()
    sleeper.wait()
    assert look(tmp_path) == []


@pytest.mark.skipif(sys.platform != "linux", reason="procStart is compared on Linux only")
def test_a_reused_pid_is_another_process(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    write(tmp_path, sleeper.pid, procStart="1")
    assert look(tmp_path) == []


@pytest.mark.parametrize(("early_ms", "is_it"), [(1_500, True), (130_000, False), (-5_000, False)])
def test_without_a_start_mark_the_start_time_decides(
    tmp_path: Path, sleeper: subprocess.Popen[bytes], early_ms: int, is_it: bool
) -> None:
    fact = processes.look(sleeper.pid)
    assert fact is not None
    write(tmp_path, sleeper.pid, procStart=None, startedAt=fact.created_ms + early_ms)
    assert (len(look(tmp_path)) == 1) is is_it


OTHER_MACHINE = "linux:0123456789abcdef0123456789abcdef:pid:[4026531836]"
NO_MACHINE = "linux:00000000000000000000000000000000:"
HERE = os.readlink("/proc/self/ns/pid") if sys.platform.startswith("linux") else "pid:[1]"


@pytest.mark.skipif(not Path("/etc/machine-id").exists(), reason="this machine has no id")
@pytest.mark.parametrize(
    ("domain", "claims"),
    [
        (OTHER_MACHINE, ["unknown"]),
        (NO_MACHINE + HERE, []),
        (NO_MACHINE + "pid:[7]", ["unknown"]),
        ("linux::pid:[7]", ["unknown"]),
        ("nonsense", []),
        (None, []),
    ],
)
def test_a_process_of_another_machine_is_unknown_here(
    tmp_path: Path, sleeper: subprocess.Popen[bytes], domain: str | None, claims: list[str]
) -> None:
    write(tmp_path, sleeper.pid, procStart="1", pidDomain=domain)
    assert [one.process for one in look(tmp_path)] == claims
    assert not any(one.pid or one.turn for one in look(tmp_path))


def test_only_a_chosen_name_is_a_title(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    write(tmp_path, sleeper.pid, name="my task", nameSource="user")
    assert one(tmp_path).title == "my task"


def test_junk_beside_the_registry_is_left_alone(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    good = write(tmp_path, sleeper.pid)
    key = good.with_name(f"{sleeper.pid}.abc.key")
    key.mkdir()  # opening it would fail
    good.with_name(f"pid-{sleeper.pid}.json").write_text(good.read_text())
    good.with_name("1.json").write_text('{"pid": 1, "sess')
    good.with_name("2.json").write_bytes(b"\xff\x00")
    good.with_name("3.json").write_text("[]")
    good.with_name("4.json").write_text('{"sessionId": 4}')
    good.with_name("5.json").mkdir()
    assert [one.pid for one in look(tmp_path)] == [sleeper.pid]


def test_no_registry_is_no_error(tmp_path: Path) -> None:
    assert look(tmp_path) == []


def test_a_second_look_costs_little(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    for number in range(20):
        write(tmp_path, sleeper.pid if number == 0 else 2**22 + number)
    look(tmp_path)
    costs: list[float] = []
    for _ in range(20):
        begin = time.process_time()
        look(tmp_path)
        costs.append(time.process_time() - begin)
    assert min(costs) < 0.002


def refuse(monkeypatch: pytest.MonkeyPatch, path: Path, owner: int) -> None:
    """Root may read anything: a file that may not be read is feigned."""
    opened, stat = claude_code_live.open_plain, os.stat

    def open_unless_refused(asked: Path) -> BufferedReader:
        if asked == path:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(asked)

    def stat_with_owner(asked: Any, **options: Any) -> os.stat_result:
        status = stat(asked, **options)
        fields = [*status[:4], owner, *status[5:]] if asked == path else status
        return os.stat_result(fields)

    monkeypatch.setattr(claude_code_live, "open_plain", open_unless_refused)
    monkeypatch.setattr(os, "stat", stat_with_owner)


def test_a_file_that_another_user_closed_to_us_hides_nobody_else(
    tmp_path: Path, sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, sleeper.pid)
    refuse(monkeypatch, write(tmp_path, 1), os.getuid() + 1)
    assert one(tmp_path).pid == sleeper.pid


def test_a_file_of_ours_that_can_not_be_read_is_told_after_all_others(
    tmp_path: Path, sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, sleeper.pid)
    refuse(monkeypatch, write(tmp_path, 1), os.getuid())
    told: list[int | None] = []
    with pytest.raises(PermissionError):
        told.extend(claim.pid for claim in live({"HOME": str(tmp_path)}, NOW))
    assert told == [sleeper.pid]


def test_what_is_no_plain_file_is_left_alone(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    folder = write(tmp_path, sleeper.pid).parent
    os.mkfifo(folder / "1.json")
    os.symlink("2.json", folder / "2.json")
    os.mkdir(folder / "3.json")
    assert one(tmp_path).pid == sleeper.pid
