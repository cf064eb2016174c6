"""Files written by the real OpenCode and Cline, through the whole of collection.

The corpus lies beside the repository where it is developed; without it these tests say so.
"""

import json
import os
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lib import processes
from lib.frame import load_usage
from lib.readers import cline, opencode
from lib.readers.base import Reader
from lib.readers.cline_session import NO_APPROVALS, NO_REASONING
from lib.readers.opencode_session import HIDDEN_REQUESTS, UNFINISHED_STEP
from lib.store import Store
from tests.corpus import CORPUS, NOW, collect, recorded, scenarios, sent

SCENARIOS = scenarios("cline", "opencode")
READERS: tuple[Reader, ...] = (cline, opencode)

# A step's tokens are written when its tools have ended: these were killed before.
UNFINISHED = {"opencode/sigkill_midtool", "opencode/sigterm_midtool"}
# Requests of which no answer came leave the same trace.
UNANSWERED = {"opencode/api_400", "opencode/api_500"}
# Cline counts reasoning as output and says no more of it.
NO_REASONING_TOLD = {"cline/success_tool"}

# How the main session ended, and the class of its error; all others were completed.
ENDED = {
    "cline/api_401": ("failed", "authentication"),
    "cline/sigkill_midtool": ("failed", "killed"),
    "opencode/api_400": ("failed", "killed"),  # Killed while it retried, which no record says.
    "opencode/api_401": ("failed", "authentication"),
    "opencode/api_500": ("failed", "killed"),
    "opencode/ask": ("failed", "permission"),
    "opencode/sigkill_midtool": ("failed", "killed"),
    "opencode/sigterm_midtool": ("failed", "killed"),
}

pytestmark = pytest.mark.skipif(not CORPUS.exists(), reason="no corpus beside the repository")


def is_counted(scenario: str, response: dict[str, Any]) -> bool:
    """Whether any record can tell of this answer."""
    if response["thread"] == "side":  # OpenCode's request for a title
        return False
    return scenario not in UNFINISHED


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_token_the_server_sent_is_counted_once(scenario: str, file_store: Store) -> None:
    collect(file_store, CORPUS / scenario / "home", READERS)

    def told(response: dict[str, Any], kind: str) -> bool:
        if kind == "reasoning" and scenario in NO_REASONING_TOLD:
            return False
        return is_counted(scenario, response)

    assert recorded(file_store) == sent(scenario, told)
    assert file_store.counts().skipped == {}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_what_the_files_leave_out_is_said(scenario: str, file_store: Store) -> None:
    collect(file_store, CORPUS / scenario / "home", READERS)
    flags = {flag for session in file_store.sessions() for flag in session.flags}
    expected = {NO_APPROVALS, NO_REASONING} if scenario.startswith("cline") else {HIDDEN_REQUESTS}
    if scenario in UNFINISHED | UNANSWERED:
        expected |= {UNFINISHED_STEP}
    assert flags == expected
    assert flags <= cline.CANNOT_KNOW.keys() | opencode.CANNOT_KNOW.keys()


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
        assert not session.first_prompt.startswith(('"', "<"))
        assert session.title


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_figures_are_the_same_in_every_frame(scenario: str, file_store: Store) -> None:
    sessions = collect(file_store, CORPUS / scenario / "home", READERS)
    usage = load_usage(file_store, NOW)
    for name in ("requests", "input_tokens", "output_tokens", "cache_read_tokens"):
        assert sessions[name].sum() == usage[name].sum()


def test_a_fork_owns_its_own_answers_only_and_names_its_origin(file_store: Store) -> None:
    home = CORPUS / "opencode" / "resumed" / "home"
    frame = collect(file_store, home, READERS).set_index("session_id")
    fork = frame[frame["title"].str.contains("fork")].iloc[0]
    original = frame[~frame["title"].str.contains("fork")].iloc[0]
    assert (fork["requests"], fork["input_tokens"]) == (1, 9)
    assert (original["requests"], original["input_tokens"]) == (4, 717)
    counts = file_store.counts()
    assert (counts.usage_records, counts.requests) == (9, 5)
    forked_from = {session.title: session.forked_from for session in file_store.sessions()}
    assert forked_from[fork["title"]] == original["key"]
    assert forked_from[original["title"]] is None


def test_a_subagent_belongs_to_its_parent(file_store: Store) -> None:
    collect(file_store, CORPUS / "opencode" / "subagent" / "home", READERS)
    parent, child = sorted(file_store.sessions(), key=lambda session: session.parent_key or "")
    assert child.parent_key == parent.key
    assert parent.parent_key is None


def test_the_plan_is_read(file_store: Store) -> None:
    collect(file_store, CORPUS / "opencode" / "todo" / "home", READERS)
    (session,) = file_store.sessions()
    assert (session.todo_done, session.todo_total) == (1, 2)


def test_a_running_opencode_tool_and_a_permission_that_is_asked_are_told(file_store: Store) -> None:
    for tree, turn, words in (
        ("success_tool/home_mid0_1", "running", "bash: echo hi"),
        ("interactive/home_approval", "waiting", "permission to run bash: touch made.txt"),
    ):
        collect(file_store, CORPUS / "opencode" / tree, READERS)
        found = [session for session in file_store.sessions() if session.turn == turn]
        assert len(found) == 1
        assert (found[0].turn_detail or "").startswith(words)


def test_a_running_cline_session_is_told_right(file_store: Store, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(CORPUS / "cline" / "success_tool" / "home_mid0_1", home)
    (own,) = (path for path in home.rglob("*.json") if path.stem == path.parent.name)
    os.chmod(own, 0o600)
    process = subprocess.Popen(["sleep", "60"])
    try:
        fact = processes.look(process.pid)
        assert fact is not None
        started = datetime.fromtimestamp(fact.created_ms / 1000 + 5, UTC).isoformat()
        content = json.loads(own.read_text()) | {"pid": process.pid, "started_at": started}
        own.write_text(json.dumps(content))
        row = collect(file_store, home, READERS).iloc[0]
    finally:
        process.kill()
        process.wait()
    assert row["status"] == "running"
    assert row["activity"].startswith("run_commands: echo hi")


def test_reading_the_corpus_leaves_no_trace(file_store: Store, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(CORPUS / "opencode" / "success_tool" / "home", home)
    (database,) = home.rglob("opencode.db")
    before = (database.read_bytes(), database.stat().st_mtime_ns, os.listdir(database.parent))
    collect(file_store, home, READERS)
    after = (database.read_bytes(), database.stat().st_mtime_ns, os.listdir(database.parent))
    assert after == before
