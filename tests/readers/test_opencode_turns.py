"""What an OpenCode session is said to be doing."""

import json
from pathlib import Path
from typing import Any

import pytest

from lib.readers.databases import status_of
from lib.readers.opencode_session import UNFINISHED_STEP
from lib.sweep import changed
from tests.readers.opencode_records import (
    Database,
    answer,
    ask,
    at,
    one,
    read,
    tokens,
    tool,
    user,
)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "opencode")


RUNNING = {"input": {"command": "make  test"}, "time": {"start": at(2)}}


@pytest.mark.parametrize(
    ("name", "state", "turn", "detail"),
    [
        ("bash", RUNNING | {"metadata": {"output": ""}}, "running", "bash: make test"),
        ("bash", RUNNING, "waiting", "permission to run bash: make test"),
        ("webfetch", RUNNING, "running", "webfetch: make test"),
        ("question", {"input": {"questions": [{"question": "Which?"}]}}, "waiting", "Which?"),
        ("plan_exit", {}, "waiting", "approval of its plan"),
    ],
)
def test_the_running_tool_tells_what_is_done_or_asked(
    database: Database, name: str, state: dict[str, Any], turn: str, detail: str
) -> None:
    ask(database, tool(name, "running", **state))
    session = one(database)
    assert (session.turn, session.turn_detail) == (turn, detail)
    assert UNFINISHED_STEP in session.flags


def test_a_tool_that_just_started_is_not_said_to_wait_and_is_looked_at_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(database, tool("bash", "running", **RUNNING))
    monkeypatch.setattr("lib.readers.opencode.time.time_ns", lambda: (at(2) + 100) * 1_000_000)
    facts = read(database)
    assert facts.session is not None
    assert facts.session.turn == "running"
    assert changed(status_of(str(database.path)), facts.state)
    monkeypatch.setattr("lib.readers.opencode.time.time_ns", lambda: (at(2) + 9_000) * 1_000_000)
    again = read(database, facts.state)
    assert again.session is not None
    assert again.session.turn == "waiting"
    assert not changed(status_of(str(database.path)), again.state)


@pytest.mark.parametrize(
    ("error", "turn", "error_class"),
    [
        ({"name": "MessageAbortedError"}, "stopped", None),
        ({"name": "ProviderAuthError", "data": {"message": "No"}}, "failed", "authentication"),
        ({"name": "ContextOverflowError", "data": {}}, "failed", "context_overflow"),
        ({"name": "APIError", "data": {"statusCode": 401}}, "failed", "authentication"),
        ({"name": "APIError", "data": {"statusCode": 429}}, "rate_limited", "rate_limit"),
        ({"name": "APIError", "data": {"statusCode": 500}}, "failed", "api"),
        ({"name": "UnknownError", "data": {"message": "Odd"}}, "failed", "unknown"),
        ({"name": 7, "data": "x"}, "failed", "unknown"),
    ],
)
def test_an_error_ends_the_turn_with_its_class(
    database: Database, error: dict[str, Any], turn: str, error_class: str | None
) -> None:
    ask(database, error=error)
    session = one(database)
    assert (session.turn, session.error_class) == (turn, error_class)


REJECTED = tool("bash", "error", error="The user rejected permission to use this tool call.")
HEADLESS = [{"permission": "question", "pattern": "*", "action": "deny"}]


def test_a_rejected_permission_ends_the_turn_and_headless_it_fails(database: Database) -> None:
    ask(database, REJECTED, counted=tokens(1, 1), finish="tool-calls")
    assert one(database).turn == "stopped"
    database.run("UPDATE session SET permission = ?", json.dumps(HEADLESS))
    session = one(database)
    assert (session.turn, session.error_class) == ("failed", "permission")


def test_a_rejection_with_words_is_answered(database: Database) -> None:
    words = "The user rejected permission to use this tool call with the following feedback: No"
    part = tool("bash", "error", error=words)
    ask(database, part, counted=tokens(1, 1), finish="tool-calls")
    assert one(database).turn == "running"


@pytest.mark.parametrize(
    ("finish", "turn"),
    [("stop", "idle"), ("length", "idle"), ("tool-calls", "running"), ("error", "failed")],
)
def test_the_reason_of_the_end_of_a_step_tells_whether_another_follows(
    database: Database, finish: str, turn: str
) -> None:
    ask(database, counted=tokens(1, 1), finish=finish)
    assert one(database).turn == turn


def test_a_prompt_that_opencode_made_up_to_compact_is_none(database: Database) -> None:
    ask(database, counted=tokens(1, 1))
    database.message("s1", "m3", user(5), {"type": "compaction", "auto": True})
    database.message("s1", "m4", answer(6, summary=True))
    session = one(database)
    assert (session.turns, session.first_prompt) == (1, "Do it")
    assert (session.turn, session.turn_detail) == ("running", "compacting its context")
