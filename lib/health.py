"""Which running sessions somebody should look at, and why.

Pure: from the row of a session, what its transcript comes to, and its project's sessions.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

import pandas as pd

from lib.model_analysis import Analysis
from lib.parents import way_up

ConcernName = Literal["loop", "context", "stuck", "errors", "costly"]
Row = Mapping[Any, Any]

CONCERNS: dict[str, str] = {
    "loop": "🌀 Going in circles",
    "errors": "⚠️ Errors in a row",
    "context": "📚 Context nearly full",
    "stuck": "🐌 No progress",
    "costly": "💸 Spends a lot",
}
"""What each is called on a card and in the filters."""

LOOP = 4
"""The same call so often in a row. OpenCode asks its user at the third, Gemini CLI stops at the
fifth; a test that is run, mended and run again has other calls in between."""
NEARLY_FULL = 0.9
"""Of the context window. Agents compact at about this, and what they then forget is lost."""
STUCK_MS = 15 * 60_000
"""Without anything new: longer than the ten minutes that Claude Code at most allows a command."""
ERRORS = 4
"""Failures in a row. Cline asks its user at the third."""
COSTLY = 2.0
"""Times what a session of the project costs on average."""
ENOUGH_SESSIONS = 5
"""Ended sessions of a project with known cost, below which there is no average to speak of."""


_LOOKED_AT = [
    "key",
    "parent_key",
    "project_path",
    "section",
    "status",
    "last_activity_at",
    "context_share",
    "context_tokens",
    "context_window",
    "cost_usd",
    "subagent_cost_usd",
]


class Concern(NamedTuple):
    """Something that somebody should look at."""

    name: ConcernName
    reason: str


def concerns(
    row: Row, facts: Analysis | None, average_usd: float | None, moved_at: int | None, now: int
) -> list[Concern]:
    """What is of concern about a running session; nothing about any other.

    `row`: of a sessions frame. `facts`: what its transcript came to. `average_usd`: what an ended
    session of its project cost. `moved_at`: when it or anything below it last did something (ms).
    """
    if row["section"] != "running":
        return []
    found: list[Concern] = []
    if facts is not None and facts.repeats >= LOOP:
        tool = facts.repeated_tool or "A tool"
        reason = f"{tool} was called {facts.repeats} times in a row with the same arguments."
        found.append(Concern("loop", reason))
    if facts is not None and facts.error_streak >= ERRORS:
        reason = f"{facts.error_streak} calls of tools or of the model failed in a row."
        found.append(Concern("errors", reason))
    share = row["context_share"]
    if pd.notna(share) and share >= NEARLY_FULL:
        used, window = int(row["context_tokens"]), int(row["context_window"])
        reason = f"{used:,} of {window:,} tokens of the context window are in use."
        found.append(Concern("context", reason))
    if row["status"] == "running" and moved_at is not None and now - moved_at >= STUCK_MS:
        minutes = (now - moved_at) // 60_000
        found.append(Concern("stuck", f"It runs, but nothing new came for {minutes} minutes."))
    cost = _whole_cost(row)
    if average_usd is not None and cost is not None and cost > COSTLY * average_usd > 0:
        reason = (
            f"${cost:,.2f} so far; a session of its project costs ${average_usd:,.2f} on average."
        )
        found.append(Concern("costly", reason))
    return found


def add_concerns(
    frame: pd.DataFrame,
    analyses: Mapping[str, Analysis],
    local_of: Mapping[str, str],
    now: int,
) -> None:
    """Give a sessions frame its columns `concerns` (names) and `concern_reasons`, both lists.

    `local_of`: of a server's session the local one that is the same.
    """
    # Only some of the many columns, and of the running: each taking is slow.
    is_running = (frame["section"] == "running").to_numpy(dtype=bool)
    running = frame.loc[is_running, _LOOKED_AT]
    averages = _averages(frame[_LOOKED_AT])
    moved = _moved(frame[_LOOKED_AT], set(running["key"]))
    names: list[list[str]] = [[] for _ in range(len(frame))]
    reasons: list[list[str]] = [[] for _ in range(len(frame))]
    for place, row in zip(is_running.nonzero()[0], running.to_dict("records"), strict=True):
        key = row["key"]
        facts = analyses.get(local_of.get(key, key))
        found = concerns(row, facts, averages.get(row["project_path"]), moved.get(key), now)
        names[place] = [one.name for one in found]
        reasons[place] = [one.reason for one in found]
    frame["concerns"] = pd.Series(names, index=frame.index, dtype="object")
    frame["concern_reasons"] = pd.Series(reasons, index=frame.index, dtype="object")


def _averages(frame: pd.DataFrame) -> dict[str, float]:
    """What an ended session cost with its subagents, by folder of the project."""
    ended = frame[frame["parent_key"].isna() & frame["section"].isin(("recent", "older"))]
    ended = ended[ended["cost_usd"].notna()]
    costs = ended["cost_usd"] + ended["subagent_cost_usd"].fillna(0.0)
    groups = costs.groupby(ended["project_path"]).agg(["mean", "count"])
    enough = groups.loc[groups["count"] >= ENOUGH_SESSIONS, "mean"]
    return {str(path): float(mean) for path, mean in enough.items()}


def _moved(frame: pd.DataFrame, keys: set[str]) -> dict[str, int]:
    """When each session of `keys` or anything below it last did something (ms)."""
    named: Iterable[tuple[str, Any]] = zip(frame["key"], frame["parent_key"], strict=True)
    parents = {key: parent if isinstance(parent, str) else None for key, parent in named}
    about = frame[frame["key"].isin(keys) | frame["parent_key"].notna()]
    rows: Iterable[tuple[str, Any]] = zip(about["key"], about["last_activity_at"], strict=True)
    found: dict[str, int] = {}
    for key, at in rows:
        if pd.isna(at):
            continue
        moment = int(at.timestamp() * 1000)
        for one in (key, *way_up(key, parents)):
            found[one] = max(moment, found.get(one, 0))
    return found


def _whole_cost(row: Row) -> float | None:
    if pd.isna(row["cost_usd"]):
        return None
    below = row["subagent_cost_usd"]
    return float(row["cost_usd"]) + (0.0 if pd.isna(below) else float(below))
