"""What a server's answer and a session's log mean, as facts."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import status
from lib.leanspec_answers import ActiveTool, PlanProgress, ServerSession
from lib.leanspec_facts import (
    DELETED,
    MOST_STEPS,
    Origin,
    deleted,
    facts_of,
    tool_label,
    tool_of,
    unreachable,
)
from lib.leanspec_log import SessionLog
from lib.model import Session

NOW = 1_800_000_000_000
ORIGIN = Origin("http://127.0.0.1:3000", "desk", NOW)
HOUR = 3_600_000


def moment(milliseconds: int) -> str:
    """RFC 3339, as the server writes it: nanoseconds, numeric zone."""
    at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f") + "123+00:00"


def told(state: str | None = "running", **fields: Any) -> ServerSession:
    facts: dict[str, Any] = {
        "id": "5f0c",
        "project_path": "/srv/harbour",
        "spec_ids": ["002-mooring"],
        "prompt": "Moor the boat\nand check the ropes",
        "runner": "claude",
        "mode": "guided",
        "started_at": moment(NOW - 60_000),
        "protocol": "acp",
        **fields,
    }
    return ServerSession(status=state, **facts)


def log_of(*lines: tuple[str, str]) -> SessionLog:
    log = SessionLog()
    for level, message in lines:
        log.add(level, message, moment(NOW - 1_000))
    return log


def acp(kind: str, **update: Any) -> tuple[str, str]:
    body = {"update": {"sessionUpdate": kind, **update}}
    return "info", json.dumps({"__acp_method": "session/update", "params": body})


def asks(title: str) -> tuple[str, str]:
    body = {"toolCall": {"title": title}, "options": []}
    return "info", json.dumps({"__acp_method": "session/request_permission", "params": body})


def state_of(
    answer: ServerSession, log: SessionLog | None = None, known: Session | None = None
) -> status.Status:
    session, claim = facts_of(answer, ORIGIN, known, log)
    return status.derive(session, [claim], NOW)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("pending", "pending"),
        ("running", "running"),
        ("paused", "paused"),
        ("completed", "completed"),
        ("failed", "failed"),
        ("cancelled", "cancelled"),
        ("levitating", "unknown"),
        ("", "unknown"),
        (None, "unknown"),
    ],
)
def test_every_status_of_the_server_has_its_own_here(word: str | None, expected: str) -> None:
    assert state_of(told(word)).status == expected


def test_an_unknown_status_says_what_the_server_said() -> None:
    assert state_of(told("levitating")).activity == "its server says “levitating”"


def test_a_session_is_told_with_all_its_fields() -> None:
    progress = PlanProgress(completed=2, total=5)
    tool = ActiveTool(tool="Bash: make", status="running")
    answer = told(plan_progress=progress, active_tool_call=tool, token_count=1234)
    session, _ = facts_of(answer, ORIGIN, None, None)
    assert session == Session(
        key="leanspec:5f0c",
        agent="leanspec",
        session_id="5f0c",
        machine="desk",
        source_path="http://127.0.0.1:3000",
        project_path="/srv/harbour",
        title="Moor the boat",
        first_prompt="Moor the boat\nand check the ropes",
        started_at=NOW - 60_000,
        last_activity_at=NOW - 60_000,
        turn="running",
        turn_detail="Bash: make",
        todo_done=2,
        todo_total=5,
        specs=["002-mooring"],
        server="http://127.0.0.1:3000",
        runner="claude",
        mode="guided",
        protocol="acp",
        reported_tokens=1234,
    )


def test_a_session_without_a_prompt_is_called_after_its_specs() -> None:
    session, _ = facts_of(told(prompt=None), ORIGIN, None, None)
    assert (session.title, session.first_prompt) == ("002-mooring", None)


def test_a_failure_is_told_by_the_last_error_lines_and_the_exit_code() -> None:
    log = log_of(
        ("stdout", "hauling"),
        ("stderr", "\x1b[31mrope is out\x1b[0m"),
        ("stderr", "no way to moor"),
        ("error", "Session failed (exit code: 7)"),
    )
    session, _ = facts_of(told("failed"), ORIGIN, None, log)
    assert session.error_message == "rope is out\nno way to moor\nExit code 7."
    assert session.exit_code == 7
    assert session.last_message == "hauling"


def test_only_the_last_lines_of_a_long_error_are_kept() -> None:
    log = log_of(*[("stderr", f"line {number}") for number in range(500)])
    message = log.error_message or ""
    assert message.splitlines()[0] == "line 488"
    assert message.endswith("line 499")


def test_a_failure_that_nobody_explains_says_so() -> None:
    session, _ = facts_of(told("failed"), ORIGIN, None, SessionLog())
    assert session.error_message == "Its log does not say why."


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (("error", "Session timed out after 60s and was terminated"), "timeout"),
        (("error", "Session failed (exit code: 137)"), "killed"),
        (("stderr", "401 unauthorized: invalid API key"), "authentication"),
        (("stderr", "oops"), "unknown"),
    ],
)
def test_the_class_of_a_failure_is_taken_from_its_log(line: tuple[str, str], expected: str) -> None:
    assert state_of(told("failed"), log_of(line)).error_class == expected


def test_an_error_once_read_stays_when_the_log_is_not_at_hand() -> None:
    log = log_of(("stderr", "rope is out"), ("error", "Session failed (exit code: 7)"))
    known, _ = facts_of(told("failed"), ORIGIN, None, log)
    session, _ = facts_of(told("failed"), ORIGIN, known, None)
    assert session == known


def test_what_a_user_stopped_is_no_failure_even_if_the_server_says_so_later() -> None:
    log = log_of(("info", "Session stopped by user"), ("error", "Session failed"))
    known, _ = facts_of(told("failed"), ORIGIN, None, log)
    assert state_of(told("failed"), log).status == "cancelled"
    assert state_of(told("failed"), None, known).status == "cancelled"


def test_a_session_that_asks_for_permission_waits_until_it_goes_on() -> None:
    log = log_of(acp("tool_call", toolCallId="1", title="rm", status="pending"), asks("rm -r"))
    state = state_of(told(), log)
    assert (state.status, state.activity) == ("waiting", "permission: rm -r")
    log.add(*acp("agent_message_chunk", content={"type": "text", "text": "Thanks"}))
    assert state_of(told(), log).status == "running"


def test_a_paused_session_that_asks_is_paused() -> None:
    assert state_of(told("paused"), log_of(asks("rm -r"))).status == "paused"


def test_a_session_that_is_pending_though_its_log_says_it_started_runs() -> None:
    log = log_of(("info", "Session started (runner: scripted-acp)"))
    assert state_of(told("pending"), log).status == "running"


def test_parts_of_a_message_become_one() -> None:
    words = [acp("agent_message_chunk", content={"text": part}) for part in ("All ", "well.")]
    log = log_of(*words)
    assert log.last_message == "All well."
    log.add(*acp("tool_call", toolCallId="1", title="look", status="in_progress"))
    log.add(*acp("agent_message_chunk", content={"text": "Next."}))
    assert (log.last_message, log.activity) == ("Next.", "look")
    log.add(*acp("tool_call_update", toolCallId="1", status="completed"))
    assert log.activity is None


def test_the_plan_is_taken_from_the_log_where_the_answer_has_none() -> None:
    entries = [{"status": "completed"}, {"status": "pending"}, "odd"]
    session, _ = facts_of(told(), ORIGIN, None, log_of(acp("plan", entries=entries)))
    assert (session.todo_done, session.todo_total) == (1, 3)


@pytest.mark.parametrize("offset", [HOUR, -HOUR])
def test_a_wrong_clock_moves_neither_start_nor_duration(offset: int) -> None:
    origin = ORIGIN._replace(clock_offset_ms=offset)
    answer = told(
        "completed",
        started_at=moment(NOW - 60_000 + offset),
        ended_at=moment(NOW - 20_000 + offset),
        duration_ms=40_000,
    )
    session, _ = facts_of(answer, origin, None, None)
    assert (session.started_at, session.last_activity_at) == (NOW - 60_000, NOW - 20_000)


def test_without_a_known_offset_a_start_in_the_future_is_the_first_sight() -> None:
    answer = told(started_at=moment(NOW + HOUR))
    session, _ = facts_of(answer, ORIGIN, None, None)
    later = ORIGIN._replace(now=NOW + 10_000)
    again, _ = facts_of(answer, later, session, None)
    assert (session.started_at, again.started_at) == (NOW, NOW)


def test_an_ended_session_whose_clock_jumped_keeps_the_servers_own_duration() -> None:
    answer = told("completed", ended_at=moment(NOW - 2 * HOUR), duration_ms=30_000)
    session, _ = facts_of(answer, ORIGIN, None, None)
    assert session.last_activity_at == NOW - 30_000


def test_a_server_that_does_not_answer_makes_what_runs_unknown() -> None:
    session, _ = facts_of(told(), ORIGIN, None, None)
    state = status.derive(session, [unreachable(session)], NOW)
    assert state.status == "unknown"
    assert status.section(state, session.last_activity_at, NOW) == "running"


def test_a_running_session_of_a_restarted_server_is_unknown_after_a_while() -> None:
    log = log_of(("stdout", "still here"))
    log.last_at, log.read_at = NOW - 100_000, NOW
    assert state_of(told(), log).status == "unknown"
    log.read_at = NOW - 60_000
    assert state_of(told(), log).status == "running"


def test_a_stream_that_brings_nothing_says_nothing_about_who_watches_over_a_session() -> None:
    log = log_of(("stdout", "still here"))
    log.last_at = NOW - HOUR
    assert state_of(told(), log).status == "running"


@pytest.mark.parametrize(
    ("word", "expected"),
    [("running", "cancelled"), ("pending", "cancelled"), ("completed", "completed")],
)
def test_a_session_deleted_on_its_server_is_over(word: str, expected: str) -> None:
    session, claim = deleted(facts_of(told(word), ORIGIN, None, None)[0], NOW)
    state = status.derive(session, [claim], NOW)
    assert (state.status, session.flags) == (expected, [DELETED])
    assert status.section(state, session.last_activity_at, NOW) == "recent"


def test_a_plan_of_more_steps_than_any_has_is_kept_at_what_a_store_can_hold() -> None:
    steps = PlanProgress(completed=-3, total=10**20)
    session, _ = facts_of(told(plan_progress=steps), ORIGIN, None, None)
    assert (session.todo_done, session.todo_total) == (0, MOST_STEPS)


def test_specs_named_by_path_count_and_other_names_do_not() -> None:
    names = ["specs/002-mooring/", "002-mooring", "../../etc", "003-tide-table"]
    session, _ = facts_of(told(spec_ids=names), ORIGIN, None, None)
    assert session.specs == ["002-mooring", "003-tide-table"]


def test_specs_that_an_answer_leaves_out_stay_known() -> None:
    known, _ = facts_of(told(), ORIGIN, None, None)
    assert facts_of(told(spec_ids=[]), ORIGIN, known, None)[0].specs == ["002-mooring"]


@pytest.mark.parametrize(
    ("runner", "tool", "label"),
    [
        ("claude", "claude-code", "Claude Code"),
        ("codex", "codex", "Codex"),
        ("aider", "aider", "Aider"),
        ("scripted", "scripted", "scripted"),
        (None, "leanspec", "LeanSpec"),
    ],
)
def test_the_runner_is_the_tool(runner: str | None, tool: str, label: str) -> None:
    assert tool_of(runner) == tool
    assert tool_label(runner, {"aider": "Aider"}) == label


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["stdout", "stderr", "info", "error", "odd"]),
            st.text(max_size=60)
            | st.recursive(
                st.none() | st.integers() | st.text(max_size=5),
                lambda inner: st.dictionaries(
                    st.sampled_from(
                        ["__acp_method", "params", "update", "sessionUpdate", "entries", "plan"]
                    ),
                    inner | st.lists(inner, max_size=2),
                    max_size=4,
                ),
                max_leaves=8,
            ).map(json.dumps),
        ),
        max_size=20,
    )
)
def test_any_log_is_read(lines: list[tuple[str, str]]) -> None:
    log = SessionLog()
    for level, message in lines:
        log.add(level, message, "yesterday")
    session, claim = facts_of(told("failed"), ORIGIN, None, log)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(session), type=Session) == session
    assert claim.process == "dead"
    assert log.lines == len(lines)
