"""The commands for scripts: their JSON, and their exit status."""

import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from lib.model import NO_LOCAL_TOKENS, Session
from lib.report import Scope, grouped_report, sessions_report, totals_report
from lib.store import Batch, Store
from tests.collecting import NOW, collect
from tests.readers import cursor_records
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


def test_tokens_that_are_kept_elsewhere_are_no_zero(
    environ: dict[str, str], tmp_path: Path
) -> None:
    cursor_records.chat(tmp_path / ".cursor", [cursor_records.user(), cursor_records.answer()])
    (session,) = report(environ, "sessions", "--json")
    assert (session["agent"], session["requests"], session["cost_usd"]) == ("cursor", 0, None)
    assert session["flags"] == [NO_LOCAL_TOKENS]


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
    "words",
    [
        [],
        ["what"],
        ["totals", "--timezone", "Mars/Olympus"],
        ["sessions", "--xml"],
        ["daily", "--since", "yesterday"],
        ["daily", "--since", "2026-11-23", "--until", "2026-11-22"],
        ["daily", "--until", "9999-12-31"],
        ["daily", "--since", "0001-01-01"],
    ],
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


def two_days(home: Path) -> None:
    """One call before and one after the midnight of Berlin, and one of a subagent's model."""
    Claude(home, "s1").prompt("hello").say("hi", 3_600 * 7).say("ho", 3_600 * 9)
    Claude(home, "s2", cwd="/home/dev/beta").prompt("hello").say("hi", 60, model="claude-haiku-5-5")


BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("name", "column", "groups"),
    [
        ("daily", "date", {"2026-11-22": 2, "2026-11-23": 1}),
        ("weekly", "week", {"2026-11-16": 2, "2026-11-23": 1}),
        ("monthly", "month", {"2026-11": 3}),
        ("projects", "project", {"alpha": 2, "beta": 1}),
        ("models", "model", {"claude-haiku-5-5": 1, "claude-opus-5-5": 2}),
        ("tools", "agent", {"claude-code": 3}),
        ("branches", "branch", {"main": 3}),
    ],
)
def test_calls_are_grouped_and_add_up_to_the_total(
    file_store: Store, tmp_path: Path, name: str, column: str, groups: dict[str, int]
) -> None:
    two_days(tmp_path)
    collect(file_store, tmp_path)
    found = grouped_report(file_store, name, Scope(BERLIN), NOW)
    assert found["timezone"] == "Europe/Berlin"
    assert {row[column]: row["requests"] for row in found["rows"]} == groups
    for figure in ("requests", "input_tokens", "output_tokens", "cost_usd"):
        assert sum(row[figure] for row in found["rows"]) == pytest.approx(found["total"][figure])


@pytest.mark.parametrize(
    ("since", "until", "requests"),
    [(23, None, 1), (None, 22, 2), (22, 23, 3), (24, None, 0)],
)
def test_a_period_is_days_of_the_time_zone(
    file_store: Store, tmp_path: Path, since: int | None, until: int | None, requests: int
) -> None:
    two_days(tmp_path)
    collect(file_store, tmp_path)
    first, last = (None if day is None else date(2026, 11, day) for day in (since, until))
    scope = Scope(BERLIN, first, last)
    assert totals_report(file_store, scope, NOW)["total"]["requests"] == requests
    sessions = sessions_report(file_store, scope, NOW)
    assert sum(session["requests"] for session in sessions) == requests


def test_why_says_what_was_left_out_and_what_the_agent_says_itself(
    environ: dict[str, str], tmp_path: Path
) -> None:
    session = Claude(tmp_path, "s1").prompt("hello").say("hi", call="a").say("hi", call="a")
    session.say("ho", 2, model="nobody-knows-it").add({"type": "telepathy"}).exit()
    Claude(tmp_path, "s2").prompt("hello").say("hi", 2).exit()
    found = report(environ, "why", "--json", "--session", "claude-code:s1")
    records = found["records"]
    assert (records["records"], records["usage_records"], records["repeated"]) == (6, 3, 1)
    assert (records["requests"], records["copied"]) == (2, 0)
    assert records["unpriced"] == {"nobody-knows-it": 1}
    assert records["unknown"] == {"record type: telepathy": 1}
    assert "price" in found["meaning"]["claude-code:unpriced"]
    assert found["reported_by_the_agent"] == [
        {"key": "claude-code:s1", "reported_usd": 0.1, "ours_usd": None}
    ]
    everything = json.loads(run(environ, "lib.report", "why", "--json").stdout)
    assert everything["records"]["requests"] == 3
    assert [one["key"] for one in everything["reported_by_the_agent"]] == [
        "claude-code:s1",
        "claude-code:s2",
    ]


def test_people_get_a_table(environ: dict[str, str], tmp_path: Path) -> None:
    two_days(tmp_path)
    assert run(environ, "lib.daemon", "--once").returncode == 0
    for name, word in (("daily", "2026-11-22"), ("why", "claude-opus-5-5")):
        shown = run(environ, "lib.report", name)
        assert (shown.returncode, shown.stderr) == (0, "")
        assert "{" not in shown.stdout
        assert word in shown.stdout
        with pytest.raises(ValueError, match="Expecting value"):
            json.loads(shown.stdout)


def test_a_session_that_is_not_there_is_said_and_exits_with_one(environ: dict[str, str]) -> None:
    result = run(environ, "lib.report", "why", "--session", "claude-code:nobody")
    assert (result.returncode, result.stdout) == (1, "")
    assert "claude-code:nobody" in result.stderr


def test_what_a_servers_session_costs_is_not_known_and_not_nothing(file_store: Store) -> None:
    server = Session(
        key="leanspec:a", agent="leanspec", session_id="a", server="http://s", reported_tokens=9
    )
    file_store.write(Batch(sessions=[server]))
    (told,) = sessions_report(file_store, Scope(ZoneInfo("UTC")), NOW)
    assert (told["requests"], told["cost_usd"]) == (0, None)


def test_a_reader_that_has_seen_enough_ends_it_without_a_complaint(
    environ: dict[str, str],
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as output:
        ended = subprocess.run(
            [sys.executable, "-m", "lib.report", "totals"],
            cwd=Path(__file__).parent.parent,
            env=environ,
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (ended.returncode, ended.stderr) == (0, "")
