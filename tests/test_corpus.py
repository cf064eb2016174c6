"""Session files written by the real CLIs, through the whole of collection: figures and statuses.

The corpus lies beside the repository where it is developed; without it these tests say so.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib import processes
from lib.frame import load_usage
from lib.readers import READERS
from lib.readers.base import Reader
from lib.store import Store
from tests.corpus import CORPUS, NOW, collect, recorded, scenarios, sent

SCENARIOS = scenarios("claude", "codex")

pytestmark = pytest.mark.skipif(not CORPUS.exists(), reason="no corpus beside the repository")

# What the files themselves leave out (see README, "What an agent's files can't tell"):
# tokens by kind that were sent and are in no record.
UNRECORDED: dict[str, dict[str, int]] = {
    # Two tool-less requests of the background classifier are in no transcript.
    "claude/background": {"input": 26, "output": 6},
    # The terminal interface asks for a thread title, and for a summary, in no rollout.
    "codex/interactive": {"input": 18, "output": 16, "cache_read": 5402},
}

# How the main session ended, and the class of its error: status, error class.
ENDED = {
    "api_401": ("failed", "authentication"),
    "api_401_retrying_killed": ("failed", "authentication"),
    "api_429": ("failed", "rate_limit"),
    "api_500": ("failed", "api"),
    "hooks_apierror": ("failed", "api"),
    "claude/hooks_sigterm": ("cancelled", None),
    "claude/interactive_sigkill": ("failed", "killed"),
    "claude/sigkill_midtool": ("failed", "killed"),
    "claude/sigterm_midtool": ("cancelled", None),
    "codex/interactive": ("cancelled", None),
    "codex/sigkill_midtool": ("failed", "killed"),
    "codex/sigkill_native_midtool": ("failed", "killed"),
    "codex/sigterm_midtool": ("failed", "killed"),
    "codex/sigterm_midtool_node20": ("failed", "killed"),
    "codex/sigterm_native_midtool": ("failed", "killed"),
}

# Trees of a running session: status, and a word of what it does.
LIVE_CLAUDE = {
    "success_tool/home_mid0_1": ("running", "Bash"),
    "subagent/home_mid0_1": ("running", "Agent"),
    "todo_tasks/home_mid0_0": ("running", "Bash"),
    "interactive/home_interrupted": ("idle", "interrupted"),
    "interactive_plan_todo/home_question": ("waiting", "input needed"),
    "background/home": ("idle", None),
    "api_401_retrying_killed/home": ("running", "attempt 8 of 10"),
}


@pytest.fixture
def agent() -> Iterator[int]:
    """The pid of a process that stands for an agent's."""
    process = subprocess.Popen(["sleep", "60"])
    yield process.pid
    process.kill()
    process.wait()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_token_the_server_sent_is_counted_once(
    scenario: str, file_store: Store, tmp_path: Path
) -> None:
    collect(file_store, CORPUS / scenario / "home", READERS)
    missing = {
        key: tokens - recorded(file_store).get(key, 0)
        for key, tokens in sent(scenario).items()
        if tokens != recorded(file_store).get(key, 0)
    }
    by_kind: dict[str, int] = {}
    for (_, kind), tokens in missing.items():
        by_kind[kind] = by_kind.get(kind, 0) + tokens
    assert by_kind == UNRECORDED.get(scenario, {})
    assert recorded(file_store).keys() <= sent(scenario).keys()
    assert file_store.counts().skipped == {}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_end_of_every_session_is_told_right(scenario: str, file_store: Store) -> None:
    frame = collect(file_store, CORPUS / scenario / "home", READERS)
    main = frame[frame["parent_key"].isna()]
    name = scenario.split("/")[1]
    told = ENDED.get(scenario) or ENDED.get(name) or ("completed", None)
    assert {(row.status, row.error_class) for row in main.itertuples()} == {told}
    for row in frame.itertuples():
        assert (row.error_message is None) == (row.status != "failed")


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_figures_are_the_same_in_every_frame(scenario: str, file_store: Store) -> None:
    sessions = collect(file_store, CORPUS / scenario / "home", READERS)
    usage = load_usage(file_store, NOW)
    for name in ("requests", "input_tokens", "output_tokens", "cache_read_tokens"):
        assert sessions[name].sum() == usage[name].sum()


def alive(tree: Path, folder: Path, pid: int) -> Path:
    """A copy of `tree` whose registered process is `pid`."""
    home = folder / "live"
    shutil.copytree(tree, home)
    for path in (home / ".claude" / "sessions").glob("*.json"):
        os.chmod(path, 0o600)
        fact = processes.look(pid)
        assert fact is not None
        facts = json.loads(path.read_text()) | {"pid": pid, "procStart": fact.started}
        path.write_text(json.dumps(facts))
    return home


@pytest.mark.parametrize("tree", LIVE_CLAUDE)
def test_a_running_claude_session_is_told_right(
    tree: str, file_store: Store, tmp_path: Path, agent: int
) -> None:
    frame = collect(file_store, alive(CORPUS / "claude" / tree, tmp_path, agent), READERS)
    row = frame[frame["parent_key"].isna()].iloc[0]
    status, word = LIVE_CLAUDE[tree]
    assert row["status"] == status
    assert word is None or word in row["activity"]


HOLD = """
import fcntl, sys, time
rollout, lock = open(sys.argv[1], "rb"), open(sys.argv[2], "rb+")
fcntl.flock(lock, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(60)
"""
LIVE_CODEX = {
    "success_tool/home_mid0_1": ("running", "exec_command"),
    "interactive/home_approval": ("waiting", "permission"),
}


@pytest.mark.parametrize("tree", LIVE_CODEX)
def test_a_running_codex_session_is_told_right(
    tree: str, file_store: Store, tmp_path: Path
) -> None:
    home = tmp_path / "live"
    shutil.copytree(CORPUS / "codex" / tree, home)
    lock = next(path for path in home.rglob("*.lock") if not path.name.startswith("."))
    rollout = next(home.rglob("rollout-*.jsonl"))
    os.chmod(lock, 0o600)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, rollout, lock], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    frame = collect(file_store, home, READERS)
    holder.kill()
    holder.communicate()
    row = frame.iloc[0]
    status, word = LIVE_CODEX[tree]
    assert row["status"] == status
    assert word in row["activity"]


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.AGENT)
def test_nothing_that_a_real_cli_wrote_is_unknown_to_its_reader(reader: Reader) -> None:
    names = {"claude-code": "claude"}
    paths = (CORPUS / names.get(reader.AGENT, reader.AGENT)).rglob("*.*")
    files = [path for path in paths if path.is_file() and reader.is_session_file(path)]
    assert {path.name: reader.read(path, None).state.unknown for path in files} == {
        path.name: {} for path in files
    }
