"""What agents do with their tools, as the pages show it."""

import math

import pandas as pd
import pytest

from lib import tool_figures
from lib.ledger import Period
from lib.store import Store
from lib.tool_figures import Trouble, Wanted, by_server, by_tool, keys_of, repeating, transcripts
from tests.tool_rows import a_store_with, call, found

A, B = "claude-code:a", "codex:b"


def at(milliseconds: int) -> pd.Timestamp:
    return pd.Timestamp(milliseconds, unit="ms", tz="UTC")


@pytest.fixture
def filled(file_store: Store) -> Store:
    a_store_with(file_store, A, B)
    ours = [
        call("1", at=1_000, duration_ms=100, result_characters=300, model="m"),
        call("2", at=2_000, outcome="failed", exit_status=2, duration_ms=200),
        call("3", at=3_000, outcome="failed", exit_status=1),
        call("4", at=4_000, outcome="failed", exit_status=2),
        call("5", at=5_000, outcome="denied"),
        call("6", at=6_000, tool="mcp__db__q", mcp_server="db", result_characters=100),
        call("7", at=6_000, tool="mcp__db__w", mcp_server="db", outcome="pending"),
    ]
    health = {"most_repeats": 5, "most_repeated_tool": "Bash", "api_retries": 2}
    file_store.tool_calls.replace(
        [
            found(A, *ours, **health, api_retry_ms=700, rate_limits=1),
            found(B, call("8", B, at=7_000, tool="Read", outcome="unknown"), most_repeats=3),
        ]
    )
    return file_store


def test_tools_stand_by_calls_with_what_failed_and_what_fills_the_context(filled: Store) -> None:
    frame = by_tool(filled)
    assert list(frame["tool"]) == ["Bash", "Read", "mcp__db__q", "mcp__db__w"]
    bash = frame.iloc[0]
    assert (bash["calls"], bash["failed"], bash["denied"]) == (5, 3, 1)
    assert bash["failed_share"] == 0.75
    assert (bash["median_ms"], bash["p90_ms"]) == (150, 200)
    assert (bash["result_characters"], bash["characters_share"]) == (300, 0.75)
    assert bash["exit_statuses"] == [(2, 2), (1, 1)]
    assert math.isnan(frame["failed_share"].iloc[1])
    assert frame["exit_statuses"].iloc[1] == []
    assert pd.isna(frame["mcp_server"].iloc[0])


def test_a_server_stands_for_its_tools(filled: Store) -> None:
    (row,) = by_server(filled).to_dict("records")
    assert (row["mcp_server"], row["tools"]) == ("db", ["mcp__db__q", "mcp__db__w"])
    assert (row["calls"], row["pending"], row["characters_share"]) == (2, 1, 0.25)


def test_filters_leave_what_is_wanted(filled: Store) -> None:
    def tools(**wanted: object) -> list[str]:
        return list(by_tool(filled, Wanted(**wanted))["tool"])  # pyright: ignore[reportArgumentType]

    assert tools(period=Period(at(7_000), None)) == ["Read"]
    assert tools(period=Period(at(1_000), at(2_000))) == ["Bash"]
    assert tools(keys=frozenset([B])) == ["Read"]
    assert tools(models=frozenset(["m"])) == ["Bash"]
    assert tools(keys=frozenset()) == []
    assert list(by_server(filled, Wanted(keys=frozenset())).columns) == list(
        by_server(filled).columns
    )


def test_sessions_that_repeat_themselves_stand_by_the_longest_row(filled: Store) -> None:
    assert list(repeating(filled, 3)["key"]) == [A, B]
    assert list(repeating(filled, 4)["most_repeated_tool"]) == ["Bash"]
    assert repeating(filled, 3, frozenset([B]))["key"].tolist() == [B]


def test_retries_and_limits_are_summed(filled: Store) -> None:
    assert tool_figures.trouble(filled) == Trouble(1, 2, 700, 1)
    assert tool_figures.trouble(filled, frozenset([B])) == Trouble(0, 0, 0, 0)


def test_a_store_without_any_transcript_gives_empty_frames(file_store: Store) -> None:
    assert by_tool(file_store).empty
    assert by_server(file_store).empty
    assert transcripts(file_store).empty
    assert tool_figures.trouble(file_store) == Trouble(0, 0, 0, 0)


def test_frames_are_made_anew_only_when_a_transcript_was_read(filled: Store) -> None:
    first = by_tool(filled)
    assert by_tool(filled) is first
    filled.tool_calls.replace([found(B)])
    assert list(by_tool(filled)["tool"]) == ["Bash", "mcp__db__q", "mcp__db__w"]


def test_keys_are_those_of_a_project_or_an_agent_with_their_subagents() -> None:
    rows = [
        (A, None, "alpha", "claude-code"),
        (f"{A}/sub", A, None, "claude-code"),
        (B, None, "beta", "codex"),
    ]
    sessions = pd.DataFrame(rows, columns=["key", "parent_key", "project", "agent"])
    assert keys_of(sessions, projects=["alpha"]) == {A, f"{A}/sub"}
    assert keys_of(sessions, agents=["codex"]) == {B}
    assert keys_of(sessions) == {A, f"{A}/sub", B}
