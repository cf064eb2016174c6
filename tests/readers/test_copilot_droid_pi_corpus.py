"""Files written by the real Copilot CLI, Droid and pi, through the whole of collection.

The corpus lies beside the repository where it is developed; without it these tests say so.
"""

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lib.collector import Collector
from lib.readers import copilot, droid, pi
from lib.readers.base import Reader
from lib.readers.droid_parser import AGGREGATE, CUSTOM_MODEL
from lib.readers.pi_parser import REASONING
from lib.store import Store
from tests.corpus import CORPUS, collect, recorded, scenarios, sent

SCENARIOS = scenarios("copilot", "droid", "pi")
READERS: tuple[Reader, ...] = (copilot, droid, pi)

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
def agent() -> Iterator[int]:
    """The pid of a process that stands for an agent's."""
    process = subprocess.Popen(["sleep", "60"])
    yield process.pid
    process.kill()
    process.wait()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_token_the_server_sent_is_counted_once(scenario: str, file_store: Store) -> None:
    collect(file_store, CORPUS / scenario / "home", READERS)

    def told(_: dict[str, Any], kind: str) -> bool:
        return kind != "reasoning" or scenario not in NO_REASONING

    names: dict[str, str] = NAMED_IN_FILES.get(scenario.partition("/")[0], {})
    assert recorded(file_store) == sent(scenario, told, names)
    assert file_store.counts().skipped == {}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_what_the_files_leave_out_is_said(scenario: str, file_store: Store) -> None:
    collect(file_store, CORPUS / scenario / "home", READERS)
    flags = {flag for session in file_store.sessions() for flag in session.flags}
    expected: set[str] = set()
    if scenario.startswith("pi/") and scenario in NO_REASONING:
        expected = {REASONING}
    if scenario.startswith("droid/"):
        calls = sum(usage.requests for usage in file_store.usage())
        expected = {AGGREGATE, CUSTOM_MODEL} if calls else {AGGREGATE}
    assert flags == expected
    known = copilot.CANNOT_KNOW.keys() | droid.CANNOT_KNOW.keys() | pi.CANNOT_KNOW.keys()
    assert flags <= known


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_end_of_every_session_is_told_right(scenario: str, file_store: Store) -> None:
    frame = collect(file_store, CORPUS / scenario / "home", READERS)
    main = frame[frame["parent_key"].isna()]
    told = ENDED.get(scenario, ("completed", None))
    assert {(row.status, row.error_class) for row in main.itertuples()} == {told}
    assert set(frame[frame["parent_key"].notna()]["status"]) <= {"completed"}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_session_names_its_project_and_prompt(scenario: str, file_store: Store) -> None:
    collect(file_store, CORPUS / scenario / "home", READERS)
    for session in file_store.sessions():
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
    tree: str, status: str, activity: str, file_store: Store, tmp_path: Path, agent: int
) -> None:
    row = collect(file_store, alive(CORPUS / "copilot" / tree, tmp_path, agent), READERS).iloc[0]
    assert row["status"] == status
    assert row["activity"].startswith(activity)


def test_a_lock_left_behind_makes_no_session_alive(file_store: Store) -> None:
    frame = collect(file_store, CORPUS / "copilot" / "success_tool" / "home_mid0_1", READERS)
    assert frame.iloc[0]["status"] == "failed"
    assert frame.iloc[0]["error_class"] == "killed"


@pytest.mark.parametrize("agent_name", ["droid", "pi"])
def test_a_running_tool_is_named(agent_name: str, file_store: Store) -> None:
    home = CORPUS / agent_name / "success_tool" / "home_mid0_1"
    collector = Collector(file_store, (droid, pi), {"HOME": str(home)}, "here")
    collector.collect(collector.sweep())
    (session,) = file_store.sessions()
    assert session.turn == "running"
    assert "echo hi; sleep 4" in (session.turn_detail or "")


def test_a_subagent_of_copilot_is_its_parents_and_owns_its_calls(file_store: Store) -> None:
    collect(file_store, CORPUS / "copilot" / "subagent" / "home", READERS)
    sessions = {session.key: session for session in file_store.sessions()}
    child = next(session for session in sessions.values() if session.parent_key is not None)
    assert child.parent_key in sessions
    assert child.title == "compute: Compute answer"
    outputs: Counter[str] = Counter()
    for usage in file_store.usage():
        outputs[usage.session_key] += usage.output_tokens
    assert outputs == {child.key: 21, child.parent_key: 18}


def test_the_todos_of_copilot_show_how_far_it_is(file_store: Store) -> None:
    collect(file_store, CORPUS / "copilot" / "todo" / "home", READERS)
    (session,) = file_store.sessions()
    assert (session.todo_done, session.todo_total) == (1, 2)


@pytest.mark.parametrize(("agent_name", "turns"), [("copilot", 3), ("pi", 2)])
def test_a_resumed_session_stays_one_with_all_its_prompts(
    agent_name: str, turns: int, file_store: Store
) -> None:
    collect(file_store, CORPUS / agent_name / "resumed" / "home", READERS)
    (session,) = file_store.sessions()
    assert (session.turns, session.turn_requests) == (turns, 1)
    assert session.first_prompt == "First prompt"
