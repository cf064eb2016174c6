"""Files written by the real Gemini CLI and Qwen Code, through the whole of collection.

The corpus lies beside the repository where it is developed; without it these tests say so.
"""

import json
import shutil
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lib.collector import Collector
from lib.frame import load_sessions
from lib.readers import gemini, qwen
from lib.readers.gemini_parser import FAILURE, NO_TURN_MARKS
from lib.store import Store

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
SCENARIOS = sorted(
    path.parent.relative_to(CORPUS).as_posix()
    for agent in ("gemini", "qwen")
    for path in CORPUS.glob(f"{agent}/*/expected.json")
)
NOW = 1_795_365_000_000
KINDS = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cache_read": "cache_read_tokens",
    "cache_5m": "cache_write_5m_tokens",
    "cache_1h": "cache_write_1h_tokens",
    "reasoning": "reasoning_tokens",
}

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


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    yield store
    store.close()


def collect(store: Store, scenario: str, tree: str = "home") -> Any:
    """The sessions of one tree, as the board sees them after everything has ended."""
    home = {"HOME": str(CORPUS / scenario / tree)}
    collector = Collector(store, (gemini, qwen), home, "here")
    collector.collect(collector.sweep())
    collector.judge_unannounced()
    return load_sessions(store, NOW)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_token_the_server_sent_is_counted_once(scenario: str, store: Store) -> None:
    collect(store, scenario)
    expected = json.loads((CORPUS / scenario / "expected.json").read_text(encoding="utf-8"))
    sent: Counter[tuple[str, str]] = Counter()
    for response in expected["responses_completed"]:
        for kind, tokens in response["usage"].items():
            sent[response["model"], kind] += tokens
    recorded: Counter[tuple[str, str]] = Counter()
    for usage in store.usage():
        for kind, column in KINDS.items():
            recorded[usage.model or "", kind] += getattr(usage, column)
    assert +recorded == +sent
    assert store.counts().skipped == {}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_end_of_every_session_is_told_right(scenario: str, store: Store) -> None:
    frame = collect(store, scenario)
    main = frame[frame["parent_key"].isna()]
    told = ENDED.get(scenario, ("completed", None))
    assert {(row.status, row.error_class) for row in main.itertuples()} == {told}
    assert set(frame[frame["parent_key"].notna()]["status"]) <= {"completed"}
    if scenario.startswith("gemini"):
        assert all(NO_TURN_MARKS in session.flags for session in store.sessions())
    else:
        assert not any(session.flags for session in store.sessions())


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_session_names_its_project_and_prompt(scenario: str, store: Store) -> None:
    collect(store, scenario)
    for session in store.sessions():
        assert session.project_path in {
            f"/home/dev/code/workspace/{name}" for name in ("alpha", "beta")
        }
        assert session.first_prompt
        assert session.started_at
        assert session.last_activity_at


@pytest.mark.parametrize("agent", ["gemini", "qwen"])
def test_a_plan_shows_how_far_it_is(agent: str, store: Store) -> None:
    collect(store, f"{agent}/todo")
    session = store.sessions()[0]
    assert (session.todo_done, session.todo_total) == (1, 2)


@pytest.mark.parametrize("agent", ["gemini", "qwen"])
def test_a_subagent_is_its_parents_and_owns_its_calls(agent: str, store: Store) -> None:
    collect(store, f"{agent}/subagent")
    sessions = {session.key: session for session in store.sessions()}
    child = next(session for session in sessions.values() if session.parent_key is not None)
    assert child.parent_key in sessions
    outputs: Counter[str] = Counter()
    for usage in store.usage():
        outputs[usage.session_key] += usage.output_tokens
    expected = {"gemini": 35, "qwen": 21}[agent]
    assert outputs[child.key] == expected


def test_a_resumed_session_stays_one_with_all_its_prompts(store: Store) -> None:
    collect(store, "gemini/resumed")
    (session,) = store.sessions()
    assert (session.turns, session.turn_requests, session.last_message) == (3, 1, "Third answer.")


def test_a_failure_that_gemini_does_not_record_is_told_as_such(store: Store) -> None:
    row = collect(store, "gemini/api_401").iloc[0]
    assert row["error_message"] == FAILURE


def test_a_running_tool_of_qwen_is_named(store: Store) -> None:
    collect(store, "qwen/success_tool", "home_mid0_1")
    (session,) = store.sessions()
    assert session.turn == "running"
    assert (session.turn_detail or "").startswith("run_shell_command: echo hi; sleep 4")
    assert not session.ended_cleanly


def test_a_live_terminal_session_of_qwen_runs_until_its_process_is_gone(
    store: Store, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(CORPUS / "qwen" / "success_tool" / "home_mid0_1", home)
    transcript = next(home.rglob("chats/*.jsonl"))
    agent = subprocess.Popen(["sleep", "60"])
    said = {"pid": agent.pid, "session_id": transcript.stem, "started_at": time.time()}
    announced = json.dumps({**said, "hostname": socket.gethostname()})
    transcript.with_suffix(".runtime.json").write_text(announced)
    collector = Collector(store, (gemini, qwen), {"HOME": str(home)}, "here")
    collector.collect(collector.sweep())
    row = load_sessions(store, NOW).iloc[0]
    assert (row["status"], row["activity"].split(":")[0]) == ("running", "run_shell_command")
    agent.kill()
    agent.wait()
    collector.collect(collector.sweep())
    row = load_sessions(store, NOW).iloc[0]
    assert (row["status"], row["error_class"]) == ("failed", "killed")


def test_the_end_mark_of_qwen_is_seen(store: Store) -> None:
    collect(store, "qwen/success_tool")
    assert store.sessions()[0].ended_cleanly
