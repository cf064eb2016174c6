"""Files written by the real Gemini CLI and Qwen Code, through the whole of collection.

The corpus lies beside the repository where it is developed; without it these tests say so.
"""

import json
import shutil
import socket
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from lib.collector import Collector
from lib.frame import load_sessions
from lib.readers import gemini, qwen
from lib.readers.base import Reader
from lib.readers.gemini_parser import FAILURE, NO_TURN_MARKS
from lib.store import Store
from tests.corpus import CORPUS, NOW, collect, recorded, scenarios, sent

SCENARIOS = scenarios("gemini", "qwen")
READERS: tuple[Reader, ...] = (gemini, qwen)

# How the main session ended, and the class of its error; all others were completed.
ENDED = {
    "gemini/api_401": ("failed", "unknown"),  # Gemini CLI records no error's kind,
    "gemini/api_429": ("failed", "killed"),  # nor that it retries.
    "gemini/api_500": ("failed", "killed"),
    # A tool is recorded when it has finished: until then the file looks like one of an
    # answered turn, which the flag says.
    "gemini/sigkill_midtool": ("completed", None),
    "gemini/sigterm_group_midtool": ("completed", None),
    "qwen/api_401": ("failed", "authentication"),
    "qwen/api_500": ("failed", "api"),
    "qwen/sigkill_midtool": ("failed", "killed"),
    "qwen/sigterm_midtool": ("failed", "killed"),
}

pytestmark = pytest.mark.skipif(not CORPUS.exists(), reason="no corpus beside the repository")


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_token_the_server_sent_is_counted_once(scenario: str, file_store: Store) -> None:
    collect(file_store, CORPUS / scenario / "home", READERS)
    assert recorded(file_store) == sent(scenario)
    assert file_store.counts().skipped == {}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_end_of_every_session_is_told_right(scenario: str, file_store: Store) -> None:
    frame = collect(file_store, CORPUS / scenario / "home", READERS)
    main = frame[frame["parent_key"].isna()]
    told = ENDED.get(scenario, ("completed", None))
    assert {(row.status, row.error_class) for row in main.itertuples()} == {told}
    assert set(frame[frame["parent_key"].notna()]["status"]) <= {"completed"}
    if scenario.startswith("gemini"):
        assert all(NO_TURN_MARKS in session.flags for session in file_store.sessions())
    else:
        assert not any(session.flags for session in file_store.sessions())


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_session_names_its_project_and_prompt(scenario: str, file_store: Store) -> None:
    collect(file_store, CORPUS / scenario / "home", READERS)
    for session in file_store.sessions():
        assert session.project_path in {
            f"/home/dev/code/workspace/{name}" for name in ("alpha", "beta")
        }
        assert session.first_prompt
        assert session.started_at
        assert session.last_activity_at


@pytest.mark.parametrize("agent", ["gemini", "qwen"])
def test_a_plan_shows_how_far_it_is(agent: str, file_store: Store) -> None:
    collect(file_store, CORPUS / agent / "todo" / "home", READERS)
    session = file_store.sessions()[0]
    assert (session.todo_done, session.todo_total) == (1, 2)


@pytest.mark.parametrize("agent", ["gemini", "qwen"])
def test_a_subagent_is_its_parents_and_owns_its_calls(agent: str, file_store: Store) -> None:
    collect(file_store, CORPUS / agent / "subagent" / "home", READERS)
    sessions = {session.key: session for session in file_store.sessions()}
    child = next(session for session in sessions.values() if session.parent_key is not None)
    assert child.parent_key in sessions
    outputs: Counter[str] = Counter()
    for usage in file_store.usage():
        outputs[usage.session_key] += usage.output_tokens
    expected = {"gemini": 35, "qwen": 21}[agent]
    assert outputs[child.key] == expected


def test_a_resumed_session_stays_one_with_all_its_prompts(file_store: Store) -> None:
    collect(file_store, CORPUS / "gemini" / "resumed" / "home", READERS)
    (session,) = file_store.sessions()
    assert (session.turns, session.turn_requests, session.last_message) == (3, 1, "Third answer.")


def test_a_failure_that_gemini_does_not_record_is_told_as_such(file_store: Store) -> None:
    row = collect(file_store, CORPUS / "gemini" / "api_401" / "home", READERS).iloc[0]
    assert row["error_message"] == FAILURE


def test_a_running_tool_of_qwen_is_named(file_store: Store) -> None:
    collect(file_store, CORPUS / "qwen" / "success_tool" / "home_mid0_1", READERS)
    (session,) = file_store.sessions()
    assert session.turn == "running"
    assert (session.turn_detail or "").startswith("run_shell_command: echo hi; sleep 4")
    assert not session.ended_cleanly


def test_a_live_terminal_session_of_qwen_runs_until_its_process_is_gone(
    file_store: Store, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(CORPUS / "qwen" / "success_tool" / "home_mid0_1", home)
    transcript = next(home.rglob("chats/*.jsonl"))
    agent = subprocess.Popen(["sleep", "60"])
    said = {"pid": agent.pid, "session_id": transcript.stem, "started_at": time.time()}
    announced = json.dumps({**said, "hostname": socket.gethostname()})
    transcript.with_suffix(".runtime.json").write_text(announced)
    collector = Collector(file_store, READERS, {"HOME": str(home)}, "here")
    collector.collect(collector.sweep())
    row = load_sessions(file_store, NOW).iloc[0]
    assert (row["status"], row["activity"].split(":")[0]) == ("running", "run_shell_command")
    agent.kill()
    agent.wait()
    collector.collect(collector.sweep())
    row = load_sessions(file_store, NOW).iloc[0]
    assert (row["status"], row["error_class"]) == ("failed", "killed")


def test_the_end_mark_of_qwen_is_seen(file_store: Store) -> None:
    collect(file_store, CORPUS / "qwen" / "success_tool" / "home", READERS)
    assert file_store.sessions()[0].ended_cleanly
