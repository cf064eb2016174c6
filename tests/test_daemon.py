"""The background process, as a real process: sole, steady, and losing nothing however it ends."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lib import daemon
from lib.daemon import ensure_running, is_running
from lib.settings import Settings, settings
from lib.store import Store
from tests.trees import Claude

TOP = Path(__file__).parent.parent
KILLS = 50


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "home").mkdir()
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "home"),
        "QUARTERDECK_DATA_FOLDER": str(tmp_path / "data"),
    }


@pytest.fixture
def config(environ: dict[str, str]) -> Settings:
    return settings(environ)


@pytest.fixture
def start(environ: dict[str, str]) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Starts daemons; whatever still lives at the end of the test is killed."""
    started: list[subprocess.Popen[str]] = []

    def begin(*arguments: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", "lib.daemon", *arguments],
            cwd=TOP,
            env=environ,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()


def home(environ: dict[str, str]) -> Path:
    return Path(environ["HOME"])


def until(seen: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def facts(config: Settings) -> tuple[object, ...]:
    """Everything the store knows of sessions and calls, without the store's own versions."""
    store = Store.open(config.store_url)
    sessions = sorted(
        (row.key, row.turn, row.turns, row.last_activity_at, row.last_message, row.todo_done)
        for row in store.sessions()
    )
    usage = sorted((u.session_key, u.model or "", *u[7:]) for u in store.usage())
    counts = store.counts()
    store.close()
    return (sessions, usage, counts)


def requests_in(config: Settings) -> int:
    if not (config.data_folder / "quarterdeck.db").exists():
        return 0
    store = Store.open(config.store_url)
    requests = store.counts().requests
    store.close()
    return requests


def grow(folder: Path, sessions: int, calls: int) -> None:
    """Sessions with enough calls, and results enough, for a scan to take a while."""
    for number in range(sessions):
        session = Claude(folder, f"session-{number:03d}").prompt(f"task {number}")
        for call in range(calls):
            session.use("Bash", call + 1, command="make").result("output " * 600, call + 1)
        session.say("done", calls + 1)


def test_once_scans_everything_and_exits(
    environ: dict[str, str], config: Settings, start: Callable[..., "subprocess.Popen[str]"]
) -> None:
    Claude(home(environ), "s1").prompt("hello").say("hi")
    process = start("--once")
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")
    assert requests_in(config) == 1


def test_once_reads_tool_calls_only_when_asked(
    environ: dict[str, str], config: Settings, start: Callable[..., "subprocess.Popen[str]"]
) -> None:
    Claude(home(environ), "s1").prompt("hello").use("Bash").result("out")
    for options, calls in (["--once"], 0), (["--once", "--tools"], 1):
        process = start(*options)
        _, errors = process.communicate(timeout=30)
        assert (process.returncode, errors) == (0, "")
        store = Store.open(config.store_url)
        assert len(store.tool_calls.of_session("claude-code:s1")) == calls
        store.close()


@pytest.mark.parametrize("options", [["--what"], ["--tools"]])
def test_bad_use_exits_with_two(
    options: list[str], start: Callable[..., "subprocess.Popen[str]"]
) -> None:
    process = start(*options)
    process.communicate(timeout=30)
    assert process.returncode == 2


def test_it_has_tool_calls_read_by_another_process_that_ends_with_it(
    environ: dict[str, str], config: Settings, start: Callable[..., "subprocess.Popen[str]"]
) -> None:
    Claude(home(environ), "s1").prompt("hello").use("Bash")
    process = start()
    store = Store.open(config.store_url)
    until(lambda: store.tool_calls.of_session("claude-code:s1"))
    store.close()
    children = _children(process.pid)
    assert children
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert not any(_alive(pid) for pid in children)


def test_a_store_that_can_not_be_opened_is_a_clear_failure(
    environ: dict[str, str], start: Callable[..., "subprocess.Popen[str]"]
) -> None:
    environ["QUARTERDECK_STORE_URL"] = "sqlite:////proc/nowhere/store.db"
    process = start("--once")
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "Traceback" not in errors
    assert errors.strip()


def test_it_follows_new_and_growing_files_and_stops_cleanly_on_sigterm(
    environ: dict[str, str], config: Settings, start: Callable[..., "subprocess.Popen[str]"]
) -> None:
    first = Claude(home(environ), "s1").prompt("hello").say("hi")
    process = start()
    until(lambda: requests_in(config) == 1)
    first.say("more", 2)
    until(lambda: requests_in(config) == 2)
    Claude(home(environ), "s2", cwd="/home/dev/new").prompt("hello").say("hi")
    until(lambda: requests_in(config) == 3)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert process.returncode == 0
    store = Store.open(config.store_url)
    assert [row.phase for row in store.daemons()] == ["stopped"]
    store.close()


def test_it_finds_files_of_an_agent_that_is_installed_later(
    environ: dict[str, str], config: Settings, start: Callable[..., "subprocess.Popen[str]"]
) -> None:
    start()
    until(lambda: is_running(config))
    time.sleep(1)
    Claude(home(environ), "s1").prompt("hello").say("hi")
    until(lambda: requests_in(config) == 1)


def test_only_one_lives_per_store(
    config: Settings, start: Callable[..., "subprocess.Popen[str]"]
) -> None:
    first = start()
    until(lambda: is_running(config))
    second = start()
    _, errors = second.communicate(timeout=30)
    assert second.returncode == 1
    assert f"already running (pid {first.pid})" in errors


def test_ensure_running_starts_one_detached_and_only_one(
    config: Settings, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    started = [ensure_running(config)]
    until(lambda: is_running(config))
    started.append(ensure_running(config))
    pid = int(config.lock_path.read_text())
    session_id = os.getsid(pid)
    os.kill(pid, signal.SIGTERM)
    daemon._started[-1].wait(10)
    assert started == [True, False]
    assert session_id == pid


def test_detaching_tells_of_a_daemon_that_can_not_start(
    config: Settings, start: Callable[..., "subprocess.Popen[str]"]
) -> None:
    database = Path(config.store_url.removeprefix("sqlite:///"))
    database.parent.mkdir(parents=True, exist_ok=True)
    database.write_bytes(b"no database" * 1_000)
    detaching = start("--detach")
    _, errors = detaching.communicate(timeout=30)
    assert detaching.returncode == 1
    assert errors == f"The daemon ended at once. {config.log_path} says why.\n"
    assert "not a database" in config.log_path.read_text()


def test_a_detached_daemon_writes_to_the_store_that_a_relative_url_means_here(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in (environ | {"QUARTERDECK_STORE_URL": "sqlite:///mine.db"}).items():
        monkeypatch.setenv(name, value)
    assert ensure_running(settings())
    until(lambda: is_running(settings()) and (tmp_path / "mine.db").exists())
    os.kill(int(settings().lock_path.read_text()), signal.SIGTERM)
    daemon._started[-1].wait(10)


def test_fifty_kills_lose_nothing_and_double_nothing(
    environ: dict[str, str],
    config: Settings,
    tmp_path: Path,
    start: Callable[..., "subprocess.Popen[str]"],
) -> None:
    chance = random.Random(7)
    grow(home(environ), sessions=40, calls=120)
    growing = Claude(home(environ), "growing").prompt("go")
    for kill in range(KILLS):
        process = start()
        growing.say(f"answer {kill}", kill + 1)
        time.sleep(chance.uniform(0.25, 1.1))
        process.kill()
        process.communicate()
    start("--once").communicate(timeout=60)
    disturbed = facts(config)

    environ["QUARTERDECK_DATA_FOLDER"] = str(tmp_path / "undisturbed")
    start("--once").communicate(timeout=60)
    assert disturbed == facts(settings(environ))


def test_a_killed_daemon_leaves_no_process_behind(
    environ: dict[str, str], config: Settings, start: Callable[..., "subprocess.Popen[str]"]
) -> None:
    grow(home(environ), sessions=40, calls=400)
    process = start()
    workers: set[int] = set()

    def reading() -> bool:
        workers.update(_children(process.pid))
        return bool(workers)

    until(reading)
    process.kill()
    process.communicate()
    until(lambda: not any(_alive(pid) for pid in workers))


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
