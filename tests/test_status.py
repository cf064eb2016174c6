"""What a session is doing, from facts and evidence."""

from typing import Any, get_args

import pytest

from lib.model import DELETED, Evidence, Process, Session, Turn
from lib.status import RECENT_MS, StatusName, derive, evidence_for, permitted, section

NOW = 1_795_000_000_000


def a_session(**facts: Any) -> Session:
    known: dict[str, Any] = {
        "key": "claude-code:s1",
        "agent": "claude-code",
        "session_id": "s1",
        "registered": True,
        "turns": 1,
        "started_at": NOW - 60_000,
        "last_activity_at": NOW - 5_000,
    }
    return Session(**(known | facts))


def a_claim(
    process: Process = "alive",
    turn: Turn | None = None,
    detail: str | None = None,
    since: int | None = None,
    source: str = "claude-registry",
) -> Evidence:
    return Evidence(
        session_key="claude-code:s1",
        source=source,
        agent="claude-code",
        session_id="s1",
        process=process,
        turn=turn,
        detail=detail,
        since=since,
        observed_at=NOW,
    )


@pytest.mark.parametrize(
    ("turn", "ended_cleanly", "status", "error_class"),
    [
        ("idle", False, "completed", None),
        ("idle", True, "completed", None),
        ("failed", True, "failed", "api"),
        ("rate_limited", True, "failed", "api"),
        ("stopped", True, "cancelled", None),
        ("running", True, "cancelled", None),
        ("waiting", True, "cancelled", None),
        ("running", False, "failed", "killed"),
        ("waiting", False, "failed", "killed"),
        ("retrying", False, "failed", "api"),
        ("retrying", True, "cancelled", None),
        ("unknown", False, "unknown", None),
        ("pending", False, "cancelled", None),
    ],
)
def test_a_dead_process_decides_by_how_the_transcript_ends(
    turn: Turn, ended_cleanly: bool, status: str, error_class: str | None
) -> None:
    session = a_session(
        turn=turn, ended_cleanly=ended_cleanly, error_class="api", error_message="500 boom"
    )
    state = derive(session, [a_claim("dead")], NOW)
    assert (state.status, state.error_class) == (status, error_class)


def test_no_claim_about_a_session_whose_agent_announces_itself_means_dead() -> None:
    assert derive(a_session(turn="running"), [], NOW).error_class == "killed"


def test_no_claim_about_a_session_whose_agent_is_silent_means_unknown_not_done() -> None:
    state = derive(a_session(turn="running", registered=False), [], NOW)
    assert (state.status, state.process) == ("unknown", "unknown")
    assert "does not announce" in state.reason


def test_an_answered_turn_is_completed_even_if_the_process_is_unknown() -> None:
    assert derive(a_session(turn="idle", registered=False), [], NOW).status == "completed"


def test_a_killed_session_says_what_it_was_doing() -> None:
    state = derive(a_session(turn="running", turn_detail="Bash: sleep 30"), [], NOW)
    assert state.error_message == "The process ended in the middle of a turn (Bash: sleep 30)."


def test_a_killed_session_ended_when_its_process_was_missed() -> None:
    state = derive(a_session(turn="running"), [a_claim("dead", since=NOW - 1_000)], NOW)
    assert state.ended_at == NOW - 1_000


@pytest.mark.parametrize(
    ("claimed", "told", "status"),
    [
        (None, "running", "running"),
        (None, "waiting", "waiting"),
        (None, "idle", "idle"),
        (None, "retrying", "running"),
        ("running", "idle", "running"),
        ("running", "retrying", "running"),
        ("waiting", "running", "waiting"),
        ("idle", "running", "idle"),
        ("idle", "stopped", "idle"),
        ("idle", "failed", "failed"),
    ],
)
def test_a_live_source_outweighs_the_transcript(
    claimed: Turn | None, told: Turn, status: str
) -> None:
    assert derive(a_session(turn=told), [a_claim(turn=claimed)], NOW).status == status


def test_waiting_says_what_for() -> None:
    session = a_session(turn="running", turn_detail="Bash: rm -r build")
    state = derive(session, [a_claim(turn="waiting", detail="permission prompt")], NOW)
    assert state.activity == "permission prompt: Bash: rm -r build"


def test_a_suspended_process_is_paused_whatever_its_turn() -> None:
    claims = [a_claim("suspended", turn="running", since=NOW - 9_000)]
    state = derive(a_session(turn="running"), claims, NOW)
    assert (state.status, state.process) == ("paused", "suspended")


def test_a_rate_limit_ends_by_itself_at_its_reset() -> None:
    session = a_session(turn="rate_limited", resets_at=NOW + 1)
    assert derive(session, [a_claim(turn="idle")], NOW).status == "rate-limited"
    assert derive(session, [a_claim(turn="idle")], NOW + 1).status == "idle"


def test_a_rate_limit_without_reset_time_stays() -> None:
    session = a_session(turn="rate_limited")
    assert derive(session, [a_claim()], NOW + 10**9).status == "rate-limited"


def test_an_alive_process_outweighs_another_source_that_can_not_tell() -> None:
    claims = [a_claim("unknown", source="process-table"), a_claim("alive", turn="running")]
    assert derive(a_session(turn="running"), claims, NOW).status == "running"


def test_a_live_session_before_its_first_prompt_is_idle() -> None:
    assert derive(a_session(turn="unknown", turns=0), [a_claim()], NOW).status == "idle"


def test_a_subagent_lives_in_its_parents_process() -> None:
    parent = a_session()
    child = a_session(key="claude-code:s1/a", parent_key=parent.key, turn="running")
    evidence = {parent.key: {"claude-registry": a_claim(turn="running")}}
    claims = evidence_for(child, {parent.key: parent}, evidence)
    assert derive(child, claims, NOW).status == "running"


def test_a_subagent_that_answered_is_completed_while_its_parent_works() -> None:
    child = a_session(key="claude-code:s1/a", parent_key="claude-code:s1", turn="idle")
    assert derive(child, [a_claim(turn="running")], NOW).status == "completed"


def test_a_subagent_works_on_while_its_parent_waits() -> None:
    child = a_session(key="claude-code:s1/a", parent_key="claude-code:s1", turn="running")
    assert derive(child, [a_claim(turn="waiting")], NOW).status == "running"


def test_endless_parents_end() -> None:
    child = a_session(key="a", parent_key="a")
    assert evidence_for(child, {"a": child}, {}) == []


@pytest.mark.parametrize(
    ("turn", "age", "where"),
    [("idle", 0, "recent"), ("idle", RECENT_MS, "recent"), ("idle", RECENT_MS + 1, "older")],
)
def test_ended_sessions_are_recent_for_a_day(turn: Turn, age: int, where: str) -> None:
    session = a_session(turn=turn, last_activity_at=NOW - age)
    assert section(derive(session, [], NOW), session.last_activity_at, NOW) == where


def test_live_sessions_are_in_the_running_section_however_old() -> None:
    session = a_session(turn="idle", last_activity_at=NOW - 40 * RECENT_MS)
    state = derive(session, [a_claim(turn="idle")], NOW)
    assert section(state, session.last_activity_at, NOW) == "running"


def test_unknown_sessions_do_not_pose_as_running() -> None:
    session = a_session(turn="running", registered=False)
    assert section(derive(session, [], NOW), session.last_activity_at, NOW) == "recent"


def test_an_unknown_session_that_may_live_stays_in_sight() -> None:
    session = a_session(turn="running", registered=False)
    state = derive(session, [a_claim("unknown", source="process-table")], NOW)
    assert section(state, NOW - 40 * RECENT_MS, NOW) == "running"


@pytest.mark.parametrize("process", ["alive", "unknown"])
def test_a_session_that_waits_to_be_started_is_pending(process: Process) -> None:
    state = derive(a_session(turn="pending", turns=0), [a_claim(process)], NOW)
    assert (state.status, state.since) == ("pending", NOW - 60_000)
    assert section(state, NOW, NOW) == "pending"


@pytest.mark.parametrize(
    ("facts", "claims", "may"),
    [
        ({"turn": "pending", "registered": False}, [], ["start", "stop", "delete"]),
        ({"turn": "running"}, [a_claim("alive", "running")], ["pause", "stop"]),
        ({"turn": "running"}, [a_claim("alive", "waiting")], ["pause", "stop"]),
        ({"turn": "running"}, [a_claim("suspended")], ["resume", "stop"]),
        ({"turn": "idle"}, [a_claim("dead")], ["retry", "archive", "delete"]),
        ({"turn": "failed"}, [a_claim("dead")], ["retry", "archive", "delete"]),
        ({"turn": "stopped"}, [a_claim("dead")], ["retry", "archive", "delete"]),
        ({"turn": "running"}, [a_claim("unknown")], []),
    ],
)
def test_what_may_be_asked_for_follows_from_the_status(
    facts: dict[str, Any], claims: list[Evidence], may: list[str]
) -> None:
    session = a_session(server="http://127.0.0.1:3000", **facts)
    assert list(permitted(session, derive(session, claims, NOW))) == may


def test_what_its_server_has_no_longer_can_not_be_acted_upon() -> None:
    session = a_session(server="http://127.0.0.1:3000", turn="idle", flags=[DELETED])
    assert permitted(session, derive(session, [], NOW)) == ()


def test_a_local_session_can_not_be_acted_upon() -> None:
    session = a_session(turn="running")
    for name in get_args(StatusName):
        assert permitted(session, derive(session, [], NOW)._replace(status=name)) == ()


def test_an_open_question_waits_though_the_registry_calls_it_idle() -> None:
    session = a_session(turn="waiting", turn_detail="Which database?")
    state = derive(session, [a_claim(turn="idle")], NOW)
    assert (state.status, state.activity) == ("waiting", "Which database?")


def test_a_death_that_nobody_saw_is_dated_by_the_last_word() -> None:
    session = a_session(turn="running")
    assert derive(session, [a_claim("dead", since=NOW - 10)], NOW).ended_at == NOW - 10
    assert derive(session, [a_claim("dead")], NOW).ended_at == session.last_activity_at
