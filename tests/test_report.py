"""The commands for scripts: their JSON, and their exit status."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.trees import Claude

TOP = Path(__file__).parent.parent
SESSION_FIELDS = {
    "key",
    "session_id",
    "agent",
    "parent_key",
    "project_path",
    "branch",
    "title",
    "status",
    "error_class",
    "error_message",
    "started_at",
    "ended_at",
    "last_activity_at",
    "requests",
    "input_tokens",
    "output_tokens",
    "cache_write_tokens",
    "cache_read_tokens",
    "reasoning_tokens",
    "cost_usd",
    "models",
    "flags",
}


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "QUARTERDECK_DATA_FOLDER": str(tmp_path / "data"),
    }


def run(environ: dict[str, str], *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", *words]
    return subprocess.run(
        command, cwd=TOP, env=environ, capture_output=True, text=True, check=False
    )


def report(environ: dict[str, str], *words: str) -> Any:
    assert run(environ, "lib.daemon", "--once").returncode == 0
    result = run(environ, "lib.report", *words)
    assert (result.returncode, result.stderr) == (0, "")
    return json.loads(result.stdout)


def test_sessions_carry_every_documented_field(environ: dict[str, str], tmp_path: Path) -> None:
    Claude(tmp_path, "s1").prompt("hello").say("hi").say("ho", 2, model="nobody-knows-it").exit()
    (session,) = report(environ, "sessions", "--json")
    assert session.keys() == SESSION_FIELDS
    assert (session["key"], session["status"]) == ("claude-code:s1", "completed")
    assert (session["requests"], session["input_tokens"]) == (2, 200)
    assert session["started_at"] == "2026-11-22T15:00:00.000Z"
    assert session["flags"] == ["unpriced"]
    unpriced = [model for model in session["models"] if model["cost_usd"] is None]
    assert [model["model"] for model in unpriced] == ["nobody-knows-it"]


def test_totals_add_up_and_say_what_they_leave_out(environ: dict[str, str], tmp_path: Path) -> None:
    first = Claude(tmp_path, "s1").prompt("hello").say("hi", call="a").say("hi", call="a")
    fork = Claude(tmp_path, "s2")
    fork.path.write_bytes(first.path.read_bytes())
    fork.say("ho", 2, model="nobody-knows-it")
    with fork.path.open("ab") as file:
        file.write(b"not JSON\n")
    totals = report(environ, "totals", "--json", "--timezone", "Asia/Tokyo")
    assert totals["total"]["requests"] == 2
    assert totals["total"]["unpriced_requests"] == 1
    assert [(day["date"], day["requests"]) for day in totals["days"]] == [
        ("2026-11-23", 1),
        ("2026-11-23", 1),
    ]
    assert totals["records"]["duplicate"] == {"repeated_record": 2, "copied_call": 1}
    assert totals["records"]["unpriced"] == {"nobody-knows-it": 1}
    assert totals["records"]["skipped"] == {"not JSON": 1}
    for name in ("agents", "models", "days"):
        assert sum(part["input_tokens"] for part in totals[name]) == 200


def test_an_empty_store_is_no_failure(environ: dict[str, str]) -> None:
    assert report(environ, "sessions", "--json") == []
    assert report(environ, "totals", "--json")["total"]["cost_usd"] == 0


@pytest.mark.parametrize(
    "words", [[], ["what"], ["totals", "--timezone", "Mars/Olympus"], ["sessions", "--xml"]]
)
def test_bad_use_exits_with_two(environ: dict[str, str], words: list[str]) -> None:
    result = run(environ, "lib.report", *words)
    assert (result.returncode, result.stdout) == (2, "")
    assert "usage" in result.stderr


def test_a_store_that_fails_exits_with_one(environ: dict[str, str]) -> None:
    environ["QUARTERDECK_STORE_URL"] = "sqlite:////proc/nowhere/store.db"
    result = run(environ, "lib.report", "sessions", "--json")
    assert (result.returncode, result.stdout) == (1, "")
    assert "Traceback" not in result.stderr
