"""What failed inside sessions, from their transcripts."""

import pandas as pd
import pytest

from lib import failure_tools
from lib.frame import load_sessions
from lib.ledger import Period
from lib.model import Session
from lib.store import Batch, Store
from tests.tool_rows import call, found

NOW = 1_700_000_100_000
ALL = Period(None, None)
A, BELOW, B = "claude-code:a", "claude-code:a/1", "claude-code:b"
EVERY = frozenset([A, BELOW, B])


@pytest.fixture
def filled(file_store: Store) -> Store:
    """Two sessions and a subagent with tool calls, and a third whose transcript nobody read."""
    file_store.write(
        Batch(
            sessions=[
                a_session("a", title="Task a"),
                a_session("a/1", parent_key=A),
                a_session("b", last_activity_at=NOW - 90_000),
                a_session("c"),
            ]
        )
    )
    own = [call(str(n), outcome="failed", exit_status=status) for n, status in enumerate((1, 2, 2))]
    health = {"most_repeated_tool": "Bash", "most_repeats": 4, "api_retries": 3}
    file_store.tool_calls.replace(
        [
            found(A, *own, call("fine"), **health, api_retry_ms=1_500, rate_limits=2),
            found(BELOW, call("no", BELOW, tool="Edit", outcome="denied"), most_repeats=3),
            found(B, call("read", B, tool="Read"), problem="The file is gone."),
        ]
    )
    return file_store


def a_session(name: str, **facts: object) -> Session:
    known = {"registered": True, "turn": "idle", "turns": 1, "last_activity_at": NOW - 1_000}
    return Session(
        key=f"claude-code:{name}",
        agent="claude-code",
        session_id=name,
        **(known | facts),  # pyright: ignore[reportArgumentType]
    )


def test_tools_stand_by_what_failed_and_what_never_failed_is_left_out(filled: Store) -> None:
    rows = failure_tools.failing(filled, ALL, EVERY).to_dict("records")
    assert [(row["tool"], row["failed"], row["denied"]) for row in rows] == [
        ("Bash", 3, 0),
        ("Edit", 0, 1),
    ]
    assert (rows[0]["calls"], rows[0]["failed_share"]) == (4, 0.75)
    assert [row["exit_statuses"] for row in rows] == ["2 × 2, 1 × 1", ""]
    assert failure_tools.failing(filled, ALL, frozenset([B])).empty


def test_a_session_that_made_the_same_call_again_and_again_is_listed(filled: Store) -> None:
    rows = failure_tools.repeating(filled, load_sessions(filled, NOW), EVERY).to_dict("records")
    assert [(row["key"], row["title"], row["tool"], row["times"]) for row in rows] == [
        (A, "Task a", "Bash", 4)
    ]


def test_retries_and_limits_are_summed_of_what_was_read_and_that_is_told(filled: Store) -> None:
    keys = EVERY | {"claude-code:c"}
    assert failure_tools.trouble(filled, keys) == (1, 3, 1_500, 2)
    assert failure_tools.coverage(filled, keys) == (4, 2, 1)


def test_active_are_sessions_of_the_period_with_all_below_them(filled: Store) -> None:
    sessions = load_sessions(filled, NOW)
    late = Period(pd.Timestamp(NOW - 10_000, unit="ms", tz="UTC"), None)
    assert failure_tools.active(sessions, {A, B}, late) == {A, BELOW}
    assert failure_tools.active(sessions, {A, B}, ALL) == EVERY
    assert failure_tools.active(sessions, set(), ALL) == set()


def test_sessions_that_a_limit_holds_up_are_counted_with_the_first_reset() -> None:
    resets = ["2026-03-02", "2026-03-01", None, None]
    frame = pd.DataFrame(
        {
            "key": ["x", "y", "z", "s"],
            "parent_key": [None] * 4,
            "sample": [False, False, False, True],
            "status": ["rate-limited", "rate-limited", "failed", "rate-limited"],
            "resets_at": pd.to_datetime(pd.Series(resets), utc=True),
        }
    )
    found_limits = failure_tools.limits(frame, ["x", "y", "z", "s"])
    assert found_limits == (2, pd.Timestamp("2026-03-01", tz="UTC"))
    assert failure_tools.limits(frame, ["z"]) == (0, None)
