"""The pass over transcripts: what it stores, when it reads, and that nothing stops it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lib import analyser, analyser_process
from lib.analyser import Analyser, read_all
from lib.analyser_process import AnalyserProcess
from lib.readers import READERS
from lib.settings import Settings
from lib.store import Store
from tests.collecting import a_collector, collect
from tests.corpus import CORPUS, scenarios
from tests.corpus import collect as collect_corpus
from tests.trees import MODEL, Claude

TOP = Path(__file__).parent.parent
ONE = "82e0f46e-8aa2-4ea4-9488-7e0ad9d655e8"
OTHER = "508e449d-f7ac-462c-9346-e77c9e0b5b80"
KEY = f"claude-code:{ONE}"


def passed(store: Store, home: Path) -> None:
    read_all(store, "here", {"HOME": str(home)}, lambda: False)


def outcomes(store: Store) -> dict[str, str]:
    return {
        call.tool: call.outcome
        for row in store.sessions()
        for call in store.tool_calls.of_session(row.key)
    }


@pytest.fixture
def session(tmp_path: Path) -> Claude:
    made = Claude(tmp_path, ONE).prompt("Go").use("Bash", 10, command="make")
    return made.result("out", 13, failed=True).use("Read", 20)


def test_tool_calls_of_a_transcript_are_stored(
    session: Claude, file_store: Store, tmp_path: Path
) -> None:
    collect(file_store, tmp_path)
    passed(file_store, tmp_path)
    assert outcomes(file_store) == {"Bash": "failed", "Read": "pending"}
    first, _ = file_store.tool_calls.of_session(KEY)
    assert (first.duration_ms, first.model) == (3_000, MODEL)
    (facts,) = file_store.analyses.since()
    assert (facts.session_key, facts.problem, facts.error_streak) == (KEY, None, 1)


def test_only_what_changed_is_read_again(
    session: Claude, file_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collect(file_store, tmp_path)
    passed(file_store, tmp_path)
    version = file_store.analyses.version()
    passed(file_store, tmp_path)
    assert file_store.analyses.version() == version
    session.result("out", 25).use("Edit", 30)
    collect(file_store, tmp_path)
    passed(file_store, tmp_path)
    assert outcomes(file_store) == {"Bash": "failed", "Read": "ok", "Edit": "pending"}
    monkeypatch.setattr(analyser, "_MEANS", "another meaning:")
    version = file_store.analyses.version()
    passed(file_store, tmp_path)
    assert file_store.analyses.version() > version


def test_a_deleted_transcript_leaves_what_it_told(
    session: Claude, file_store: Store, tmp_path: Path
) -> None:
    collect(file_store, tmp_path)
    passed(file_store, tmp_path)
    session.path.unlink()
    passed(file_store, tmp_path)
    assert set(outcomes(file_store)) == {"Bash", "Read"}
    assert file_store.analyses.problems() == []


def test_a_transcript_that_can_not_be_read_is_told_and_tried_again(
    session: Claude, file_store: Store, tmp_path: Path
) -> None:
    Claude(tmp_path, OTHER).prompt("Go")
    collect(file_store, tmp_path)
    passed(file_store, tmp_path)
    content = session.path.read_bytes()
    session.path.unlink()
    session.path.mkdir()
    passed(file_store, tmp_path)
    (told,) = file_store.analyses.problems()
    assert (told.session_key, told.problem) == (KEY, "Its transcript is no plain file.")
    version = file_store.version()
    passed(file_store, tmp_path)
    assert (file_store.version(), file_store.analyses.problems()) == (version, [told])
    assert set(outcomes(file_store)) == {"Bash", "Read"}
    session.path.rmdir()
    session.path.write_bytes(content)
    passed(file_store, tmp_path)
    assert file_store.analyses.problems() == []


def test_a_reader_that_fails_costs_its_own_transcript_only(
    session: Claude, file_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Claude(tmp_path, OTHER).prompt("Go").use("Grep", 10)
    collect(file_store, tmp_path)
    original = analyser.read_through

    def odd(one: object, *rest: object) -> object:
        if getattr(one, "key", "") == KEY:
            raise RecursionError("too deep")
        return original(one, *rest)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(analyser, "read_through", odd)
    passed(file_store, tmp_path)
    assert outcomes(file_store) == {"Grep": "pending"}
    assert [one.problem for one in file_store.analyses.problems()] == ["RecursionError: too deep"]


def test_broken_records_and_half_a_last_line_cost_nothing_else(
    session: Claude, file_store: Store, tmp_path: Path
) -> None:
    with open(session.path, "a", encoding="utf-8") as file:
        file.write("{broken\n" + "[" * 100_000 + "\n\0\0\n")
    session.use("Edit", 30)
    with open(session.path, "a", encoding="utf-8") as file:
        file.write('{"type": "us')
    collect(file_store, tmp_path)
    passed(file_store, tmp_path)
    assert set(outcomes(file_store)) == {"Bash", "Read", "Edit"}


def test_the_newest_are_read_first(file_store: Store, tmp_path: Path) -> None:
    for number in range(3):
        one = Claude(tmp_path, f"{number}{ONE[1:]}")
        one.prompt("Go", number).use(f"Tool{number}", 10 + number)
    collect(file_store, tmp_path)
    one_by_one = Analyser(file_store, "here", {"HOME": str(tmp_path)})
    one_by_one.note()
    assert one_by_one.step()
    one_by_one.write()
    assert set(outcomes(file_store)) == {"Tool2"}


def test_what_is_read_again_waits_for_its_rest(
    session: Claude, file_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collect(file_store, tmp_path)
    steady = Analyser(file_store, "here", {"HOME": str(tmp_path)})
    steady.note()
    assert steady.step()
    session.use("Edit", 30)
    collect(file_store, tmp_path)
    steady.note()
    assert not steady.step()
    assert not steady.is_done
    later = time.monotonic() + analyser.SHORTEST_REST_SECONDS + 1
    monkeypatch.setattr(analyser.time, "monotonic", lambda: later)
    assert steady.step()
    assert steady.is_done
    assert "Edit" in outcomes(file_store)


def test_one_that_starts_anew_comes_to_what_changed_before_what_did_not(
    file_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [Claude(tmp_path, f"{number}{ONE[1:]}") for number in range(5)]
    for number, one in enumerate(made):
        one.prompt("Go", number).use("Bash", 10 + number)
    collect(file_store, tmp_path)
    passed(file_store, tmp_path)
    made[0].use("Edit", 60)
    collect(file_store, tmp_path)
    anew = Analyser(file_store, "here", {"HOME": str(tmp_path)})
    anew.note()
    assert anew.step()
    assert "Edit" in outcomes(file_store)
    # What is only looked at keeps the others waiting for no whole second.
    assert not anew.is_done
    assert anew.pause < 1
    made[0].use("Write", 70)
    collect(file_store, tmp_path)
    anew.note()
    later = time.monotonic() + analyser.SHORTEST_REST_SECONDS + 1
    monkeypatch.setattr(analyser.time, "monotonic", lambda: later)
    assert anew.step()
    assert "Write" in outcomes(file_store)
    assert not anew.is_done


def test_what_did_not_change_since_a_version_that_was_seen_is_not_looked_at(
    session: Claude, file_store: Store, tmp_path: Path, process: AnalyserProcess
) -> None:
    Claude(tmp_path, OTHER).prompt("Go").use("Glob", 10)
    collect(file_store, tmp_path)
    seen = file_store.version()
    anew = Analyser(file_store, "here", {"HOME": str(tmp_path)}, since=seen)
    anew.note()
    assert anew.is_done
    session.use("Edit", 30)
    collect(file_store, tmp_path)
    process._seen = seen
    process.tend()
    until(lambda: outcomes(file_store))
    assert set(outcomes(file_store)) == {"Bash", "Read", "Edit"}


def test_sessions_of_other_machines_are_left_alone(
    session: Claude, file_store: Store, tmp_path: Path
) -> None:
    collect(file_store, tmp_path)
    read_all(file_store, "elsewhere", {"HOME": str(tmp_path)}, lambda: False)
    assert file_store.analyses.since() == []


@pytest.mark.skipif(not CORPUS.exists(), reason="no corpus beside the repository")
@pytest.mark.parametrize("scenario", scenarios("claude", "codex", "opencode", "copilot", "gemini"))
def test_the_real_files_of_agents_are_read_without_a_problem_and_once(
    scenario: str, file_store: Store
) -> None:
    home = CORPUS / scenario / "home"
    collect_corpus(file_store, home, READERS)
    passed(file_store, home)
    assert file_store.analyses.problems() == []
    assert set(file_store.analyses.marks()) == {row.key for row in file_store.sessions()}
    version = file_store.analyses.version()
    passed(file_store, home)
    assert file_store.analyses.version() == version
    told = {outcome for one in file_store.sessions() for outcome in [one.turn]}
    assert told
    if scenario.endswith("/tool_fail"):
        assert sum(one.failed for one in file_store.tool_calls.sums()) >= 1
        assert {one.exit_status for one in file_store.tool_calls.exit_statuses()} == {3}
    if scenario.endswith("/success_tool"):
        assert not sum(one.failed for one in file_store.tool_calls.sums())


@pytest.fixture
def process(tmp_path: Path, file_store: Store) -> Iterator[AnalyserProcess]:
    config = Settings(f"sqlite:///{tmp_path / 'store.db'}", tmp_path / "data", "here")
    tended = AnalyserProcess(file_store, config)
    tended._environ["HOME"] = str(tmp_path)
    yield tended
    tended.close()


def until(seen: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def pid_of(process: AnalyserProcess) -> int:
    assert process._process is not None
    return process._process.pid


def test_a_process_of_its_own_keeps_up_and_ends_at_once_when_told(
    session: Claude, file_store: Store, tmp_path: Path, process: AnalyserProcess
) -> None:
    process.tend()
    assert process._process is None, "nothing is there to read"
    collect(file_store, tmp_path)
    process.tend()
    until(lambda: len(outcomes(file_store)) == 2)
    began = time.monotonic()
    process.close()
    assert time.monotonic() - began < 3
    assert process._process is None


def test_a_process_that_can_not_be_started_is_told_and_tried_again_later(
    session: Claude,
    file_store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    collect(file_store, tmp_path)
    monkeypatch.setattr(analyser_process.sys, "executable", str(tmp_path / "gone"))
    kept = AnalyserProcess(file_store, Settings(f"sqlite:///{tmp_path}/store.db", tmp_path, "here"))
    kept.tend()
    kept.tend()
    kept.close()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "gone" in caplog.text


def test_a_killed_one_is_followed_by_another_after_a_while(
    session: Claude,
    file_store: Store,
    tmp_path: Path,
    process: AnalyserProcess,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    collect(file_store, tmp_path)
    process.tend()
    os.kill(pid_of(process), signal.SIGKILL)
    assert process._process is not None
    process._process.wait()
    process.tend()
    assert process._process is None
    monkeypatch.setattr(analyser_process.time, "monotonic", lambda: time.perf_counter() + 10**6)
    process.tend()
    until(lambda: len(outcomes(file_store)) == 2)


def test_it_ends_with_the_daemon_that_started_it(
    session: Claude, file_store: Store, tmp_path: Path
) -> None:
    collect(file_store, tmp_path)
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "QUARTERDECK_STORE_URL": f"sqlite:///{tmp_path / 'store.db'}",
        "QUARTERDECK_DATA_FOLDER": str(tmp_path / "data"),
        "QUARTERDECK_MACHINE": "here",
    }
    starts = (
        "import subprocess, sys, time\n"
        "made = subprocess.Popen([sys.executable, '-m', 'lib.analyser'])\n"
        "print(made.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", starts], cwd=TOP, env=environ, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        until(lambda: len(outcomes(file_store)) == 2)
        parent.kill()
    until(lambda: not Path(f"/proc/{pid}").exists() or _is_zombie(pid))


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_it_ends_when_its_daemon_ended_before_it_began(
    session: Claude, file_store: Store, tmp_path: Path
) -> None:
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], check=True, capture_output=True
    )
    late = [sys.executable, "-m", "lib.analyser", "--parent", gone.stdout.decode().strip()]
    environ = {"PATH": os.environ["PATH"], "QUARTERDECK_DATA_FOLDER": str(tmp_path / "data")}
    subprocess.run(late, cwd=TOP, env=environ, timeout=30, check=True)


def test_kills_at_any_moment_lose_and_double_nothing(
    session: Claude, file_store: Store, tmp_path: Path, process: AnalyserProcess
) -> None:
    for number in range(3, 200):
        session.use(f"Tool{number}", number).result("ok", number + 0.5)
    collect(file_store, tmp_path)
    for delay in (0.3, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2):
        process._not_before = 0
        process.tend()
        time.sleep(delay)
        process.close()
        assert len(outcomes(file_store)) in (0, 199)
    passed(file_store, tmp_path)
    assert len(outcomes(file_store)) == 199
    assert a_collector(file_store, tmp_path).sweep() == []
