"""Tool calls, trouble, failure rates and spreads, against what was worked out by hand."""

from datetime import date
from typing import Any

import pandas as pd
import pytest

from lib import failure_groups, failure_rates, failure_tools, tool_figures
from lib.frame import load_sessions
from lib.ledger import Dimension, Period, days, load, preset
from lib.store import Store
from lib.tool_figures import Trouble, Wanted
from tests import golden
from tests.golden import BERLIN, NOW, NOW_MS, SESSIONS, key_of

ALL = Period(None, None)
KEYS = {key_of(name) for name in SESSIONS}


@pytest.fixture
def sessions(golden_store: Store) -> pd.DataFrame:
    return load_sessions(golden_store, NOW_MS)


@pytest.fixture
def over(golden_store: Store, sessions: pd.DataFrame) -> pd.DataFrame:
    return failure_groups.ended(sessions, load(golden_store, NOW_MS), ALL)


def plain(frame: pd.DataFrame) -> list[list[Any]]:
    return frame.astype(object).where(frame.notna(), None).to_numpy().tolist()


COLUMNS = ["tool", "mcp_server", "calls", "failed", "denied", "unknown", "pending"]


def test_tools(golden_store: Store) -> None:
    found = tool_figures.by_tool(golden_store)
    assert plain(found[COLUMNS]) == [
        ["Bash", None, 6, 3, 0, 1, 1],  # its copy in a fork is no call
        ["Edit", None, 3, 1, 1, 0, 0],
        ["search", "docs", 1, 0, 0, 0, 0],
    ]
    # Of calls of which it is known, denied ones apart.
    assert found["failed_share"].tolist() == pytest.approx([3 / 4, 1 / 2, 0])
    # Bash took 1, 2, 3 and 4 seconds: the middle is 2.5, and nine in ten took at most 4.
    assert plain(found[["median_ms", "p90_ms"]]) == [
        [2500, 4000],
        [None, None],
        [10_000, 10_000],
    ]
    # 1000 + 500 + 200 + 100 + 150; 50 + 50; 6000.
    assert found["result_characters"].tolist() == [1950, 100, 6000]
    assert found["characters_share"].tolist() == pytest.approx([1950 / 8050, 100 / 8050, 6 / 8.05])
    assert found["exit_statuses"].tolist() == [[(1, 2), (127, 1)], [], []]


def test_tools_of_a_period_and_of_some_sessions(golden_store: Store) -> None:
    yesterday = Wanted(preset("yesterday", BERLIN, NOW))
    (bash,) = plain(tool_figures.by_tool(golden_store, yesterday)[COLUMNS])
    assert bash == ["Bash", None, 5, 3, 0, 1, 0]
    # Night in Berlin: the helper searched on the next day.
    evening = Wanted(days(date(2026, 3, 27), date(2026, 3, 27), BERLIN))
    (edit,) = plain(tool_figures.by_tool(golden_store, evening)[COLUMNS])
    assert edit == ["Edit", None, 3, 1, 1, 0, 0]
    shop = tool_figures.keys_of(load_sessions(golden_store, NOW_MS), projects=["shop"])
    found = tool_figures.by_tool(golden_store, Wanted(keys=shop))
    assert plain(found[["tool", "calls"]]) == [["Edit", 3], ["Bash", 1], ["search", 1]]


def test_servers(golden_store: Store) -> None:
    (server,) = tool_figures.by_server(golden_store).to_dict("records")
    assert (server["mcp_server"], server["tools"], server["calls"]) == ("docs", ["search"], 1)
    assert (server["result_characters"], server["characters_share"]) == (6000, 6000 / 8050)


def test_what_failed_inside_sessions(golden_store: Store, sessions: pd.DataFrame) -> None:
    keys = failure_tools.active(sessions, KEYS, ALL)
    assert keys == {*KEYS, key_of("night/helper")}
    names = ["tool", "calls", "failed", "denied", "exit_statuses"]
    assert plain(failure_tools.failing(golden_store, ALL, keys)[names]) == [
        ["Bash", 6, 3, 0, "1 × 2, 127 × 1"],
        ["Edit", 3, 1, 1, ""],
    ]
    repeating = failure_tools.repeating(golden_store, sessions, keys)
    assert plain(repeating[["title", "tool", "times"]]) == [
        ["Half unpriced", "Bash", 5],
        ["Tries again", "Bash", 4],
    ]
    # limit and night; limit's two took half a minute.
    assert failure_tools.trouble(golden_store, keys) == Trouble(2, 3, 30_000, 1)
    assert failure_tools.coverage(golden_store, keys) == (11, 6, 1)
    assert failure_tools.limits(sessions, KEYS) == (0, None)


def test_what_failed_today(golden_store: Store, sessions: pd.DataFrame) -> None:
    keys = failure_tools.active(sessions, KEYS, preset("today", BERLIN, NOW))
    assert keys == {key_of("slow"), key_of("open")}
    assert failure_tools.trouble(golden_store, keys) == Trouble(0, 0, 0, 0)
    assert failure_tools.coverage(golden_store, keys) == (2, 1, 1)


RATES: dict[Dimension, list[tuple[str, int, int]]] = {
    "tool": [
        ("Claude Code", 5, 2),
        ("Copilot CLI", 1, 1),
        ("Codex", 2, 0),
        ("Gemini CLI", 1, 0),
    ],
    "model": [
        (golden.SONNET, 4, 1),  # limit, of night, limit, again, broken-off
        (golden.HAIKU, 1, 1),  # partly, whose newest call it made
        (golden.HOUSE, 1, 1),
        (golden.CODEX, 2, 0),
        (golden.GEMINI, 1, 0),
    ],
    "project": [("api", 3, 2), ("–", 1, 1), ("shop", 3, 0), ("docs", 1, 0), ("web", 1, 0)],
    "branch": [
        ("main", 4, 2),
        ("–", 1, 1),
        ("fix", 2, 0),
        ("012-cart", 1, 0),
        ("feat/x", 1, 0),
    ],
}


@pytest.mark.parametrize("by", RATES)
def test_failure_rates(over: pd.DataFrame, by: Dimension) -> None:
    found = failure_rates.rates(over, by).to_dict("records")
    assert {(row["name"], row["ended"], row["failed"]) for row in found} == set(RATES[by])
    assert [row["failed"] for row in found] == [failed for _, _, failed in RATES[by]]
    for row in found:
        assert row["share"] == row["failed"] / row["ended"]


ENDS = {
    "day": {
        "2026-02-28": (1, 0),  # gone
        "2026-03-12": (1, 0),  # long
        "2026-03-18": (1, 0),  # broken-off
        "2026-03-28": (1, 0),  # night, after midnight
        "2026-03-29": (1, 0),  # clocks
        "2026-03-30": (3, 2),  # limit, again, partly
        "2026-03-31": (1, 1),  # slow
    },
    "week": {
        "2026-02-23": (1, 0),
        "2026-03-09": (1, 0),
        "2026-03-16": (1, 0),
        "2026-03-23": (2, 0),
        "2026-03-30": (4, 3),
    },
    "month": {"2026-02-01": (1, 0), "2026-03-01": (8, 3)},
}
HOURS = {0: (1, 0), 3: (1, 0), 8: (1, 1), 9: (1, 1), 10: (2, 0), 15: (1, 0), 22: (1, 1), 23: (1, 0)}


def counted(found: failure_rates.Counts) -> dict[Any, tuple[int, int]]:
    ended, failed = (table["All"].to_dict() for table in found)
    return {at: (count, failed[at]) for at, count in ended.items() if count}


@pytest.mark.parametrize("step", ["day", "week", "month"])
def test_failures_over_time(over: pd.DataFrame, step: failure_rates.Step) -> None:
    found = failure_rates.over_time(over, None, step, BERLIN)
    assert counted(found) == {pd.Timestamp(at): counts for at, counts in ENDS[step].items()}
    assert found.share["All"].notna().sum() == len(ENDS[step])


def test_failures_by_hour_of_the_day(over: pd.DataFrame) -> None:
    found = failure_rates.over_time(over, None, "hour-of-day", BERLIN)
    assert counted(found) == HOURS
    assert len(found.ended) == 24


def test_failures_over_time_by_project(over: pd.DataFrame) -> None:
    found = failure_rates.over_time(over, "project", "month", BERLIN)
    assert found.ended.to_dict("list") == {
        "shop": [1, 2],
        "api": [0, 3],
        "docs": [0, 1],
        "web": [0, 1],
        "–": [0, 1],
    }
    assert found.failed.to_dict("list") == {
        "shop": [0, 0],
        "api": [0, 2],
        "docs": [0, 0],
        "web": [0, 0],
        "–": [0, 1],
    }


# Between the sorted values, in a straight line: of five, p90 lies at place 3.6 and p99 at 3.96
# (from 0), of three at 1.8 and 1.98, of two at 0.9 and 0.99.
SPREAD = [
    # 20, 30, 31, 40, 420: 40 + 0.6 × 380, 40 + 0.96 × 380.
    ["Minutes from start to end", "completed", 5, 31, 268, 404.8],
    # 2.5, 10, 45: 10 + 0.8 × 35, 10 + 0.98 × 35.
    ["Minutes from start to end", "failed", 3, 10, 38, 44.3],
    ["Minutes of waiting for you", "completed", 1, 8, 8, 8],  # night; again has no end
    # 0, 35.
    ["Minutes of waiting for you", "failed", 2, 17.5, 31.5, 34.65],
    # 1, 1, 1, 3, 5: 3 + 0.6 × 2, 3 + 0.96 × 2.
    ["Turns", "completed", 5, 1, 4.2, 4.92],
    # 1, 1, 2.
    ["Turns", "failed", 3, 1, 1.8, 1.98],
]


def test_how_completed_and_failed_sessions_differ(golden_store: Store, over: pd.DataFrame) -> None:
    waited = golden_store.waited()
    assert waited == {
        key_of("night"): 8 * 60_000,
        key_of("limit"): 0,
        key_of("partly"): 35 * 60_000,
    }
    found = plain(failure_rates.spread(over, waited))
    for row, expected in zip(found, SPREAD, strict=True):
        assert row[:3] == expected[:3]
        assert row[3:] == pytest.approx(expected[3:])
