"""What failed inside sessions: tool calls, the same call made again and again, API retries, limits.

It comes from the transcripts that the daemon has read; `Coverage` tells of how many it has.
"""

from collections.abc import Collection
from typing import NamedTuple

import pandas as pd

from lib import tool_figures
from lib.ledger import Period, tops, within
from lib.sections import top_level
from lib.store import Store
from lib.tool_figures import Trouble, Wanted

REPEATS = 4
"""The same call so often in a row is listed: three tries may still be polling or bad luck."""


class Coverage(NamedTuple):
    """Of how many sessions and subagents the transcript was read."""

    sessions: int
    read: int
    unreadable: int
    """Of those that are left, how many were tried in vain."""


class Limits(NamedTuple):
    """Sessions that a rate limit holds up now."""

    held: int
    first_reset: pd.Timestamp | None
    """When the first of them may go on, where that is known."""


def active(sessions: pd.DataFrame, chosen: Collection[str], period: Period) -> frozenset[str]:
    """Keys of those sessions that did something last in a period, and of all sessions below.

    `chosen`: keys of top-level sessions; samples are left out.
    """
    top = top_level(sessions)
    top = top[~top["sample"] & top["key"].isin(list(chosen))]
    at = pd.to_datetime(top["last_activity_at"].fillna(top["ended_at"]), utc=True)
    left = within(top.assign(at=at), period)
    above = tops(sessions.set_index("key")["parent_key"])
    return frozenset(above.index[above.isin(left["key"])])


def failing(store: Store, period: Period, keys: frozenset[str]) -> pd.DataFrame:
    """Tools by how many of their calls failed or were denied in a period, the most first.

    `tool`, `mcp_server`, `calls`, `failed`, `failed_share` (0 to 1, NaN where no record tells),
    `denied`, `exit_statuses` (in words), `median_ms`. Raises StoreError.
    """
    frame = tool_figures.by_tool(store, Wanted(period=period, keys=keys))
    found = frame[(frame["failed"] > 0) | (frame["denied"] > 0)]
    found = found.sort_values(["failed", "denied", "calls"], ascending=False, kind="stable")
    words = [", ".join(map(_status, pairs)) for pairs in found["exit_statuses"]]
    names = ["tool", "mcp_server", "calls", "failed", "failed_share", "denied", "median_ms"]
    median = found["median_ms"].round()
    return found[names].assign(median_ms=median, exit_statuses=words).reset_index(drop=True)


def _status(pair: tuple[int, int]) -> str:
    status, calls = pair
    return f"{status} × {calls:,}"


def repeating(store: Store, sessions: pd.DataFrame, keys: frozenset[str]) -> pd.DataFrame:
    """Sessions that made the same call at least `REPEATS` times in a row, the longest row first.

    `key`, `title`, `agent_label`, `project`, `status`, `tool`, `times`. Raises StoreError.
    """
    found = tool_figures.repeating(store, REPEATS, keys)
    about = sessions[["key", "title", "agent_label", "project", "status"]]
    found = found.merge(about, on="key", how="inner")
    found = found.rename(columns={"most_repeated_tool": "tool", "most_repeats": "times"})
    return found[[*about.columns, "tool", "times"]]


def trouble(store: Store, keys: frozenset[str]) -> Trouble:
    """API retries with the time they cost, and calls that a limit refused. Raises StoreError."""
    return tool_figures.trouble(store, keys)


def coverage(store: Store, keys: frozenset[str]) -> Coverage:
    """Of how many of these sessions there are such figures. Raises StoreError."""
    found = tool_figures.transcripts(store, keys)
    unreadable = int(found["problem"].notna().sum())
    return Coverage(len(keys), len(found) - unreadable, unreadable)


def limits(sessions: pd.DataFrame, chosen: Collection[str]) -> Limits:
    """Which of the chosen top-level sessions a limit holds up as things stand."""
    top = top_level(sessions)
    held = top[~top["sample"] & top["key"].isin(list(chosen)) & (top["status"] == "rate-limited")]
    first = held["resets_at"].min()
    return Limits(len(held), None if pd.isna(first) else first)
