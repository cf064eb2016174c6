"""Files written by the real Copilot CLI, Droid and pi, through the whole of collection.

The corpus lies beside the repository where it is developed; without it these tests say so.
"""

import json
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lib.collector import Collector
from lib.frame import load_sessions
from lib.readers import copilot, droid, pi
from lib.readers.droid_parser import AGGREGATE, CUSTOM_MODEL
from lib.readers.pi_parser import REASONING
from lib.store import Store

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
AGENTS = ("copilot", "droid", "pi")
SCENARIOS = sorted(
    path.parent.relative_to(CORPUS).as_posix()
    for agent in AGENTS
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

# pi and Droid (for this kind of provider) count reasoning as output and say no more of it.
NO_REASONING = {"droid/success_tool", "pi/resumed", "pi/success_tool"}
# Droid's files name a custom model by the alias that the user's settings give it.
NAMED_IN_FILES = {"droid": {"fake-model-1": "custom:Fake-0"}}

# How the main session ended, and the class of its error; all others were completed.
ENDED = {
    "copilot/api_401": ("failed", "authentication"),
    "copilot/api_429": ("failed", "rate_limit"),
    "copilot/api_500": ("failed", "api"),
    "copilot/sigkill_midtool": ("failed", "killed"),
    "copilot/sigterm_midtool": ("cancelled", None),
    "droid/api_401": ("failed", "authentication"),
    "droid/api_500": ("failed", "killed"),  # Killed while it retried, which no file says.
    "droid/sigkill_midtool": ("failed", "killed"),
    "droid/sigterm_midtool": ("failed", "killed"),
    "pi/api_401": ("failed", "authentication"),
    "pi/api_500": ("failed", "api"),
    "pi/sigkill_midtool": ("failed", "killed"),
    "pi/sigterm_midtool": ("failed", "killed"),
}

pytestmark = pytest.mark.skipif(not CORPUS.exists(), reason="no corpus beside the repository")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    yield store
    store.close()


@pytest.fixture
def agent() -> Iterator[int]:
    """The pid of a process that stands for an agent's."""
    process = subprocess.Popen(["sleep", "60"])
    yield process.pid
    process.kill()
    process.wait()


def collect(store: Store, home: Path) -> Any:
    """The sessions of one tree, as the board sees them."""
    collector = Collector(store, (copilot, droid, pi), {"HOME": str(home)}, "here")
    collector.collect(collector.sweep())
    collector.judge_unannounced()
    return load_sessions(store, NOW)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_token_the_server_sent_is_counted_once(scenario: str, store: Store) -> None:
    collect(store, CORPUS / scenario / "home")
    expected = json.loads((CORPUS / scenario / "expected.json").read_text(encoding="utf-8"))
    names: dict[str, str] = NAMED_IN_FILES.get(scenario.partition("/")[0], {})
    sent: Counter[tuple[str, str]] = Counter()
    for response in expected["responses_completed"]:
        for kind, tokens in response["usage"].items():
            if kind != "reasoning" or scenario not in NO_REASONING:
                model: str = response["model"]
                sent[names.get(model, model), kind] += tokens
    recorded: Counter[tuple[str, str]] = Counter()
    for usage in store.usage():
        for kind, column in KINDS.items():
            recorded[usage.model or "", kind] += getattr(usage, column)
    assert +recorded == +sent
    assert store.counts().skipped == {}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_what_the_files_leave_out_is_said(scenario: str, store: Store) -> None:
    collect(store, CORPUS / scenario / "home")
    flags = {flag for session in store.sessions() for flag in session.flags}
    expected: set[str] = set()
    if scenario.startswith("pi/") and scenario in NO_REASONING:
        expected = {REASONING}
    if scenario.startswith("droid/"):
        calls = sum(usage.requests for usage in store.usage())
        expected = {AGGREGATE, CUSTOM_MODEL} if calls else {AGGREGATE}
    assert flags == expected
    known = copilot.CANNOT_KNOW.keys() | droid.CANNOT_KNOW.keys() | pi.CANNOT_KNOW.keys()
    assert flags <= known


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_end_of_every_session_is_told_right(scenario: str, store: Store) -> None:
    frame = collect(store, CORPUS / scenario / "home")
    main = frame[frame["parent_key"].isna()]
    told = ENDED.get(scenario, ("completed", None))
    assert {(row.status, row.error_class) for row in main.itertuples()} == {told}
    assert set(frame[frame["parent_key"].notna()]["status"]) <= {"completed"}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_session_names_its_project_and_prompt(scenario: str, store: Store) -> None:
    collect(store, CORPUS / scenario / "home")
    for session in store.sessions():
        assert session.project_path in {
            f"/home/dev/code/workspace/{name}" for name in ("alpha", "beta")
        }
        assert session.first_prompt
        assert session.title
        assert session.started_at
        assert session.last_activity_at
        if session.agent == "copilot":
            assert session.branch in ("main", "feature/login")
            assert session.agent_version == "1.0.102"


def alive(tree: Path, folder: Path, pid: int) -> Path:
    """A copy of `tree` whose sessions are open in process `pid`."""
    home = folder / "live"
    shutil.copytree(tree, home)
    for path in home.rglob("inuse.*.lock"):
        os.chmod(path.parent, 0o700)
        path.unlink()
        (path.parent / f"inuse.{pid}.lock").write_text(f"{pid}\n")
    return home


@pytest.mark.parametrize(
    ("tree", "status", "activity"),
    [
        ("success_tool/home_mid0_1", "running", "bash: echo hi; sleep 4"),
        ("interactive/home_approval", "waiting", "permission: bash: touch made.txt"),
    ],
)
def test_a_running_copilot_session_is_told_right(
    tree: str, status: str, activity: str, store: Store, tmp_path: Path, agent: int
) -> None:
    row = collect(store, alive(CORPUS / "copilot" / tree, tmp_path, agent)).iloc[0]
    assert row["status"] == status
    assert row["activity"].startswith(activity)


def test_a_lock_left_behind_makes_no_session_alive(store: Store) -> None:
    frame = collect(store, CORPUS / "copilot" / "success_tool" / "home_mid0_1")
    assert frame.iloc[0]["status"] == "failed"
    assert frame.iloc[0]["error_class"] == "killed"


@pytest.mark.parametrize("agent_name", ["droid", "pi"])
def test_a_running_tool_is_named(agent_name: str, store: Store) -> None:
    home = CORPUS / agent_name / "success_tool" / "home_mid0_1"
    collector = Collector(store, (droid, pi), {"HOME": str(home)}, "here")
    collector.collect(collector.sweep())
    (session,) = store.sessions()
    assert session.turn == "running"
    assert "echo hi; sleep 4" in (session.turn_detail or "")


def test_a_subagent_of_copilot_is_its_parents_and_owns_its_calls(store: Store) -> None:
    collect(store, CORPUS / "copilot" / "subagent" / "home")
    sessions = {session.key: session for session in store.sessions()}
    child = next(session for session in sessions.values() if session.parent_key is not None)
    assert child.parent_key in sessions
    assert child.title == "compute: Compute answer"
    outputs: Counter[str] = Counter()
    for usage in store.usage():
        outputs[usage.session_key] += usage.output_tokens
    assert outputs == {child.key: 21, child.parent_key: 18}


def test_the_todos_of_copilot_show_how_far_it_is(store: Store) -> None:
    collect(store, CORPUS / "copilot" / "todo" / "home")
    (session,) = store.sessions()
    assert (session.todo_done, session.todo_total) == (1, 2)


@pytest.mark.parametrize(("agent_name", "turns"), [("copilot", 3), ("pi", 2)])
def test_a_resumed_session_stays_one_with_all_its_prompts(
    agent_name: str, turns: int, store: Store
) -> None:
    collect(store, CORPUS / agent_name / "resumed" / "home")
    (session,) = store.sessions()
    assert (session.turns, session.turn_requests) == (turns, 1)
    assert session.first_prompt == "First prompt"
