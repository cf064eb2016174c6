"""Reading on every core: the same facts, whatever becomes of the reading processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lib.pool import Work, read_all
from lib.readers.worker import Task
from tests.pool_scenarios import SCENARIOS
from tests.trees import Claude

TOP = Path(__file__).parent.parent


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_reading_processes_keep_their_promises(scenario: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.pool_scenarios", scenario, str(tmp_path)]
    result = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


def test_an_unreadable_file_is_answered_with_its_reason(tmp_path: Path) -> None:
    missing = Work(Task("claude-code", os.fsencode(tmp_path / "no.jsonl"), None), 1)
    unknown = Work(Task("no-such-agent", os.fsencode(tmp_path / "no.jsonl"), None), 1)
    ((_, first), (_, second)) = [pair for group in read_all([missing, unknown]) for pair in group]
    assert (first.facts, first.error) == (None, "No such file or directory")
    assert second.error == "KeyError: 'no-such-agent'"


def test_a_name_that_is_no_utf8_is_read(tmp_path: Path) -> None:
    session = Claude(tmp_path, "s1").prompt("hello").say("hi")
    odd = os.fsencode(session.path.parent) + b"/\xff\xfe.jsonl"
    os.rename(session.path, odd)
    ((_, answer),) = next(read_all([Work(Task("claude-code", odd, None), 1)]))
    assert answer.facts is not None
    assert answer.facts.state.path.endswith("/\\xff\\xfe.jsonl")
