"""What Copilot's events, and the small files beside them, say of a session."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from lib.model import FileFacts, Session
from lib.readers import copilot
from tests.readers.copilot_records import (
    CHILD,
    SESSION,
    answer,
    event,
    events_file,
    prompt,
    result,
    shutdown,
    start,
    tool,
    used,
)
from tests.readers.json_lines import Json, told, write

OLD = start(version="0.0.400")


def read(folder: Path, *records: Json) -> FileFacts:
    return copilot.read(events_file(folder, list(records)), None)


def session_of(folder: Path, *records: Json) -> Session:
    return told(read(folder, start(), prompt(), *records))


def turn_end(second: float = 6) -> Json:
    return event("assistant.turn_end", second)


def test_a_turn_ends_with_a_call_that_asked_for_no_tool(tmp_path: Path):
    begun = [event("assistant.turn_start", 2), used(), answer("Looking.", 3, tools=1)]
    assert session_of(tmp_path, *begun, turn_end()).turn == "running"
    ended = [*begun, turn_end(), event("assistant.turn_start", 7), answer("Done.", 8)]
    assert session_of(tmp_path, *ended).turn == "running"
    session = session_of(tmp_path, *ended, turn_end(9))
    assert (session.turn, session.last_message) == ("idle", "Done.")


def test_a_tool_is_shown_from_its_start_to_its_end(tmp_path: Path):
    running = tool(command="make test")
    session = session_of(tmp_path, running)
    assert (session.turn, session.turn_detail) == ("running", "bash: make test")
    assert session_of(tmp_path, running, result()).turn_detail is None


def test_a_permission_is_waited_for_until_it_is_settled(tmp_path: Path):
    wanted = {"kind": "shell", "toolCallId": "t1", "intention": "run"}
    asked = [
        tool(command="rm x"),
        event("permission.requested", 5, requestId="r", permissionRequest=wanted),
    ]
    session = session_of(tmp_path, *asked)
    assert (session.turn, session.turn_detail) == ("waiting", "permission: bash: rm x")
    settled = event("permission.completed", 6, requestId="r", result={"kind": "approved"})
    for after in (settled, result(), turn_end()):
        assert session_of(tmp_path, *asked, after).turn == "running"
    by_hook = event("permission.requested", 5, requestId="r", resolvedByHook=True)
    assert session_of(tmp_path, by_hook).turn == "running"


def test_a_question_waits_for_the_user(tmp_path: Path):
    session = session_of(tmp_path, tool("ask_user", question="Which?"))
    assert (session.turn, session.turn_detail) == ("waiting", "an answer")
    asked = event("user_input.requested", 5, requestId="r", question="Which?", toolCallId="t1")
    assert session_of(tmp_path, tool("ask_user"), asked).turn_detail == "an answer: Which?"


@pytest.mark.parametrize(
    ("kind", "status", "turn", "expected"),
    [
        ("authentication", 401, "failed", "authentication"),
        ("rate_limit", 429, "rate_limited", "rate_limit"),
        ("quota", 402, "rate_limited", "rate_limit"),
        ("context_limit", 400, "failed", "context_overflow"),
        ("query", 500, "failed", "api"),
        ("brand_new", None, "failed", "api"),
    ],
)
def test_errors_are_told_apart(
    tmp_path: Path, kind: str, status: int | None, turn: str, expected: str
):
    error = event("session.error", 5, errorType=kind, message="It failed.", statusCode=status)
    session = session_of(tmp_path, error)
    assert (session.turn, session.error_class, session.error_message) == (
        turn,
        expected,
        "It failed.",
    )
    again = session_of(tmp_path, error, prompt("More", 7))
    assert (again.turn, again.error_class, again.error_message) == ("running", None, None)


def test_an_abort_and_a_shutdown_leave_their_marks(tmp_path: Path):
    session = session_of(tmp_path, tool(), event("abort", 6, reason="user_initiated"))
    assert (session.turn, session.turn_detail, session.ended_cleanly) == ("stopped", None, False)
    session = session_of(tmp_path, tool(), shutdown())
    assert (session.turn, session.ended_cleanly) == ("running", True)


def test_a_session_opened_again_has_no_tool_from_before(tmp_path: Path):
    session = session_of(tmp_path, tool(), shutdown(), event("session.resume", 12))
    assert (session.turn, session.turn_detail, session.ended_cleanly) == ("stopped", None, False)


@pytest.mark.parametrize("source", ["skill-pdf", "autopilot", "system"])
def test_what_the_agent_says_to_itself_is_no_prompt(tmp_path: Path, source: str):
    session = session_of(tmp_path, prompt("<skill>", 5, source=source))
    assert (session.turns, session.first_prompt, session.turn) == (1, "Fix it", "running")
    notice = prompt("<system_notification>done", 5)
    assert session_of(tmp_path, notice).turns == 1


SUBAGENT = [
    tool("task", "t1", 4, prompt="compute"),
    event("subagent.started", 4, CHILD, toolCallId="t1", agentDisplayName="compute"),
    prompt("Compute", 5, CHILD, source=f"agent-{CHILD}"),
    used("b", second=6, agent=CHILD, source="elsewhere"),
]


def test_a_subagent_is_a_session_with_its_own_calls(tmp_path: Path):
    facts = read(tmp_path, start(), prompt(), used("a"), *SUBAGENT)
    (child,) = facts.more_sessions
    assert (child.key, child.parent_key) == (f"copilot:{SESSION}/{CHILD}", f"copilot:{SESSION}")
    assert (child.title, child.first_prompt, child.turn) == ("compute", "Compute", "running")
    assert (child.project_path, child.branch, child.registered) == ("/home/dev/alpha", "main", True)
    owners = {call.key: call.session_key for call in facts.requests}
    assert owners == {"copilot:a": f"copilot:{SESSION}", "copilot:b": child.key}
    main = told(facts)
    assert (main.turns, main.turn_requests, main.first_prompt) == (1, 1, "Fix it")


@pytest.mark.parametrize(
    ("last", "turn", "message"),
    [
        (event("subagent.completed", 9, CHILD, toolCallId="t1"), "idle", None),
        (event("subagent.completed", 9, CHILD, toolCallId="t1", cancelled=True), "stopped", None),
        (event("subagent.failed", 9, CHILD, toolCallId="t1", error="Boom"), "failed", "Boom"),
        (event("abort", 9, reason="user_initiated"), "stopped", None),
        (shutdown(9), "stopped", None),
        (event("session.resume", 9), "stopped", None),
    ],
)
def test_a_subagent_ends_by_itself_or_with_its_parent(
    tmp_path: Path, last: Json, turn: str, message: str | None
):
    (child,) = read(tmp_path, start(), prompt(), *SUBAGENT, last).more_sessions
    assert (child.turn, child.error_message) == (turn, message)


def test_subagents_of_versions_without_agent_ids_are_known_by_their_call(tmp_path: Path):
    records = [
        tool("task", "t1", 4),
        event("subagent.started", 4, toolCallId="t1", agentDisplayName="compute"),
        tool("bash", "t2", 5) | {"data": {"toolCallId": "t2", "parentToolCallId": "t1"}},
        answer("42", 6, parentToolCallId="t1"),
        event("subagent.completed", 7, toolCallId="t1"),
        result("t1", 8),
    ]
    facts = read(tmp_path, OLD, prompt(), *records)
    (child,) = facts.more_sessions
    assert (child.session_id, child.title, child.last_message) == ("t1", "compute", "42")
    assert (child.turn, told(facts).last_message) == ("idle", None)


def test_a_subagent_of_a_subagent_is_its_child(tmp_path: Path):
    grandchild = "99999999-0000-4000-8000-000000000000"
    nested = [
        tool("task", "t9", 7, CHILD),
        event("subagent.started", 7, grandchild, toolCallId="t9"),
    ]
    facts = read(tmp_path, start(), prompt(), *SUBAGENT, *nested)
    by_id = {session.session_id: session for session in facts.more_sessions}
    assert by_id[grandchild].parent_key == by_id[CHILD].key


def test_hundreds_of_subagents_do_not_grow_what_is_kept(tmp_path: Path):
    prompts = [
        prompt("Compute " * 200, 5, f"agent-{number}", source="agent-x") for number in range(200)
    ]
    facts = read(tmp_path, start(), prompt(), *prompts)
    assert len(facts.more_sessions) == 200
    assert len(facts.state.reader_state) < 200_000


def test_versions_from_1_0_95_announce_what_they_have_open(tmp_path: Path):
    for version, registered in (
        ("1.0.102", True),
        ("1.0.95-2", True),
        ("1.0.94", False),
        ("0.0.400", False),
        ("", False),
    ):
        assert told(read(tmp_path, start(version=version))).registered is registered


def test_other_hosts_of_the_same_store_are_not_judged_by_locks(tmp_path: Path):
    path = events_file(tmp_path, [start(), prompt()])
    (path.parent / "workspace.yaml").write_text("client_name: vscode\nname: 'It''s mine'\n")
    session = told(copilot.read(path, None))
    assert (session.registered, session.entrypoint) == (False, "vscode")
    assert session.title == "It's mine"


@pytest.mark.parametrize(
    ("line", "title"),
    [
        ("name: Fix: the tests", "Fix: the tests"),
        ('name: "Fix \\"it\\""', 'Fix "it"'),
        ("name: |-\n  long", "Fix it"),
        ("name:", "Fix it"),
        ('name: "broken', "Fix it"),
        ("\x00\xff", "Fix it"),
    ],
)
def test_the_name_of_a_session_is_its_title(tmp_path: Path, line: str, title: str):
    path = events_file(tmp_path, [start(), prompt()])
    (path.parent / "workspace.yaml").write_text(f"id: x\n{line}\n", encoding="latin-1")
    assert told(copilot.read(path, None)).title == title


def todo_database(folder: Path, schema: str = "") -> None:
    with closing(sqlite3.connect(folder / "session.db")) as connection:
        connection.execute("PRAGMA journal_mode = wal")
        connection.executescript(
            schema
            or "CREATE TABLE todos (id TEXT, status TEXT);"
            "INSERT INTO todos VALUES ('a', 'done'), ('b', 'pending'), ('c', 'blocked')"
        )


def test_todos_are_counted_while_the_agent_has_their_database_open(tmp_path: Path):
    path = events_file(tmp_path, [start(), prompt(), tool("sql", query="INSERT"), result()])
    with closing(sqlite3.connect(path.parent / "session.db")) as held:
        held.execute("PRAGMA journal_mode = wal")
        held.execute("CREATE TABLE todos (id TEXT, status TEXT)")
        held.execute("INSERT INTO todos VALUES ('a', 'done'), ('b', 'pending')")
        held.commit()
        assert (path.parent / "session.db-wal").stat().st_size > 0
        before = sorted(file.name for file in path.parent.iterdir())
        session = told(copilot.read(path, None))
        assert (session.todo_done, session.todo_total) == (1, 2)
        assert sorted(file.name for file in path.parent.iterdir()) == before


ENDLESS = """
CREATE VIEW todos AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x FROM n)
SELECT x AS id, 'done' AS status FROM n
"""


@pytest.mark.parametrize("schema", ["CREATE TABLE other (id TEXT)", ENDLESS])
def test_a_database_of_another_shape_costs_only_its_todos(tmp_path: Path, schema: str):
    path = events_file(tmp_path, [start(), prompt(), tool("sql")])
    todo_database(path.parent, schema)
    session = told(copilot.read(path, None))
    assert (session.todo_total, session.turn) == (0, "running")


def test_a_damaged_database_costs_only_its_todos(tmp_path: Path):
    path = events_file(tmp_path, [start(), prompt(), tool("sql")])
    (path.parent / "session.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 5_000)
    assert told(copilot.read(path, None)).todo_total == 0


def test_flat_files_of_older_versions_are_read(tmp_path: Path):
    path = write(tmp_path / "session-state" / f"{SESSION}.jsonl", [OLD, prompt(), answer()])
    assert copilot.is_session_file(path)
    assert told(copilot.read(path, None)).key == f"copilot:{SESSION}"


def test_only_events_are_session_files(tmp_path: Path):
    state = Path("/x/session-state")
    assert copilot.is_session_file(state / SESSION / "events.jsonl")
    assert not copilot.is_session_file(state / SESSION / "files" / "events.jsonl")
    assert not copilot.is_session_file(state / SESSION / "other.jsonl")
    assert not copilot.is_session_file(state / SESSION / "workspace.yaml")


def test_the_store_follows_the_environment():
    assert copilot.roots({"HOME": "/home/dev"}) == [Path("/home/dev/.copilot/session-state")]
    named = {"HOME": "/home/dev", "COPILOT_HOME": "~/c", "COPILOT_DIR": "/data"}
    assert copilot.roots(named) == [Path("/home/dev/c/session-state"), Path("/data/session-state")]
