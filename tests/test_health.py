"""Which running sessions somebody should look at, and why."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from lib.frame import load_sessions
from lib.health import COSTLY, ENOUGH_SESSIONS, ERRORS, LOOP, STUCK_MS, add_concerns, concerns
from lib.model_analysis import Analysis
from lib.session_row import session_frame
from lib.store import Store
from tests.board_rows import MINUTE, NOW_MS, a_row, an_ended_row
from tests.collecting import NOW, announce, collect
from tests.tool_rows import found
from tests.trees import Claude


def facts(**more: Any) -> Analysis:
    return Analysis(session_key="claude-code:a1b2c3d4", mark="", analysed_at=0, **more)


def names(
    read: Analysis | None = None, average: float | None = None, moved: int = 0, **row: Any
) -> list[str]:
    told = concerns(a_row(**row), read, average, NOW_MS - moved, NOW_MS)
    return [one.name for one in told]


def test_nothing_is_of_concern_about_a_session_that_works() -> None:
    assert names() == []
    assert names(facts(repeats=1, error_streak=1), average=1.0, context_share=0.5) == []


@pytest.mark.parametrize(
    ("name", "below", "at"),
    [
        ("loop", {"read": facts(repeats=LOOP - 1)}, {"read": facts(repeats=LOOP)}),
        ("errors", {"read": facts(error_streak=ERRORS - 1)}, {"read": facts(error_streak=ERRORS)}),
        (
            "context",
            {"context_share": 0.899, "context_tokens": 1, "context_window": 1},
            {"context_share": 0.9, "context_tokens": 9, "context_window": 10},
        ),
        ("stuck", {"moved": STUCK_MS - 1}, {"moved": STUCK_MS}),
        (
            "costly",
            {"average": 1.0, "cost_usd": COSTLY},
            {"average": 1.0, "cost_usd": COSTLY, "subagent_cost_usd": 0.01},
        ),
    ],
)
def test_each_concern_begins_at_its_limit(
    name: str, below: dict[str, Any], at: dict[str, Any]
) -> None:
    assert names(**below) == []
    assert names(**at) == [name]


def test_a_reason_tells_what_was_seen() -> None:
    told = concerns(
        a_row(context_share=0.92, context_tokens=184_000, context_window=200_000),
        facts(repeats=6, repeated_tool="Bash", error_streak=5),
        None,
        NOW_MS - 20 * MINUTE,
        NOW_MS,
    )
    assert [one.reason for one in told] == [
        "Bash was called 6 times in a row with the same arguments.",
        "5 calls of tools or of the model failed in a row.",
        "184,000 of 200,000 tokens of the context window are in use.",
        "It runs, but nothing new came for 20 minutes.",
    ]


def test_who_waits_is_not_stuck_and_what_has_ended_is_of_no_concern() -> None:
    assert names(moved=STUCK_MS, status="waiting") == []
    assert names(facts(repeats=9), status="failed", section="recent") == []


def test_a_project_with_few_sessions_has_no_average() -> None:
    def of(ended: int) -> list[str]:
        rows = [a_row(cost_usd=2.5)]
        rows += [an_ended_row(f"e{number:07d}", cost_usd=1.0) for number in range(ended)]
        frame = session_frame(rows)
        add_concerns(frame, {}, {}, NOW_MS)
        return frame["concerns"].iloc[0]

    assert of(ENOUGH_SESSIONS - 1) == []
    assert of(ENOUGH_SESSIONS) == ["costly"]


def test_a_subagent_that_works_keeps_its_session_from_being_stuck() -> None:
    top = a_row(last_activity_at=STUCK_MS)
    subagent = a_row("sub", parent_key=top["key"], last_activity_at=MINUTE)
    frame = session_frame([top, subagent])
    add_concerns(frame, {}, {}, NOW_MS)
    assert list(frame["concerns"]) == [[], []]


def test_what_works_two_levels_below_keeps_all_above_from_being_stuck() -> None:
    top = a_row(last_activity_at=STUCK_MS)
    middle = a_row("middle", parent_key=top["key"], last_activity_at=STUCK_MS)
    lowest = a_row("lowest", parent_key=middle["key"], last_activity_at=MINUTE)
    frame = session_frame([top, middle, lowest])
    add_concerns(frame, {}, {}, NOW_MS)
    assert list(frame["concerns"]) == [[], [], []]


def test_a_servers_session_is_judged_by_what_the_local_transcript_tells() -> None:
    frame = session_frame([a_row()])
    key = frame["key"].iloc[0]
    add_concerns(frame, {"local": facts(repeats=LOOP)}, {key: "local"}, NOW_MS)
    assert frame["concerns"].iloc[0] == ["loop"]


def test_the_sessions_frame_tells_concerns_when_a_transcript_was_read(
    file_store: Store, tmp_path: Path
) -> None:
    with subprocess.Popen(["sleep", "300"]) as agent:
        session = Claude(tmp_path, "s1").prompt("Go").use("Bash", 590)
        announce(tmp_path, agent, session).say("busy")
        collect(file_store, tmp_path)
        assert load_sessions(file_store, NOW)["concerns"].iloc[0] == []
        looping = found("claude-code:s1", repeats=5, repeated_tool="Bash")
        file_store.tool_calls.replace([looping])
        assert load_sessions(file_store, NOW)["concerns"].iloc[0] == ["loop"]
        file_store.remove_machine("here")
        assert load_sessions(file_store, NOW).empty
        agent.kill()
