"""What agents did with their tools in the golden store, and how long they waited for the user.

Worked out by hand as in `tests.golden`; the answers stand in `tests/test_golden_tools.py`.
"""

from typing import Any, NamedTuple

from lib.model import Event
from lib.model_analysis import Analysis, ToolCall, ToolOutcome
from lib.store import Batch, Store
from lib.store_tools import Finding
from tests.golden import NOW_MS, SONNET, key_of, milliseconds


class Used(NamedTuple):
    """A tool call: `at` is UTC, `took` milliseconds."""

    session: str
    at: str
    tool: str
    outcome: ToolOutcome
    exit_status: int | None = None
    characters: int | None = None
    took: int | None = None
    server: str | None = None


USED = [
    Used("limit", "2026-03-30T06:56", "Bash", "ok", 0, 1000, 1000),
    Used("limit", "2026-03-30T06:57", "Bash", "failed", 1, 500, 3000),
    Used("partly", "2026-03-30T20:05", "Bash", "failed", 1, 200, 2000),
    Used("partly", "2026-03-30T20:06", "Bash", "failed", 127, 100, 4000),
    Used("again", "2026-03-30T07:56", "Bash", "unknown", None, 150),
    Used("open", "2026-03-31T11:55", "Bash", "pending"),
    Used("night", "2026-03-27T22:45", "Edit", "failed", None, 50),
    Used("night", "2026-03-27T22:46", "Edit", "ok", None, 50),
    Used("night", "2026-03-27T22:47", "Edit", "denied"),
    Used("night/helper", "2026-03-27T23:05", "search", "ok", None, 6000, 10_000, "docs"),
]
ANALYSES: dict[str, dict[str, Any]] = {
    "limit": {"api_retries": 2, "api_retry_ms": 30_000, "rate_limits": 1},
    "partly": {"most_repeated_tool": "Bash", "most_repeats": 5, "error_streak": 2},
    "night": {"api_retries": 1, "most_repeated_tool": "Edit", "most_repeats": 3},
    "night/helper": {},
    "again": {"most_repeated_tool": "Bash", "most_repeats": 4},
    "open": {},
    "slow": {"problem": "The file is gone."},
}
EVENTS = [
    # Three minutes and five.
    ("night", "2026-03-27T22:55", "waiting"),
    ("night", "2026-03-27T22:58", "running"),
    ("night", "2026-03-27T23:00", "waiting"),
    ("night", "2026-03-27T23:05", "running"),
    ("night", "2026-03-27T23:20", "completed"),
    # Watched, and never waiting.
    ("limit", "2026-03-30T06:55", "running"),
    ("limit", "2026-03-30T07:05", "failed"),
    # 35 minutes.
    ("partly", "2026-03-30T20:10", "waiting"),
    ("partly", "2026-03-30T20:45", "failed"),
    # Nobody saw the end of it.
    ("again", "2026-03-30T08:10", "waiting"),
]


def fill(store: Store) -> None:
    """Write it all, with a copy of a call that a fork holds too."""
    calls: dict[str, list[ToolCall]] = {key_of(name): [] for name in ANALYSES}
    for number, used in enumerate(USED):
        calls[key_of(used.session)].append(_call(number, used, "1"))
    calls[key_of("again")].append(_call(0, USED[0]._replace(session="again"), "2"))
    store.tool_calls.replace(
        [
            Finding(
                Analysis(session_key=key_of(name), mark="1", analysed_at=NOW_MS, **facts),
                None if "problem" in facts else calls[key_of(name)],
            )
            for name, facts in ANALYSES.items()
        ]
    )
    events = [
        Event(at=milliseconds(at), session_key=key_of(name), kind=kind) for name, at, kind in EVENTS
    ]
    store.write(Batch(events=events))


def _call(number: int, used: Used, rank: str) -> ToolCall:
    return ToolCall(
        key=f"golden:tool{number}",
        session_key=key_of(used.session),
        owner_rank=f"{rank}{key_of(used.session)}",
        at=milliseconds(used.at),
        tool=used.tool,
        mcp_server=used.server,
        model=SONNET,
        outcome=used.outcome,
        exit_status=used.exit_status,
        result_characters=used.characters,
        duration_ms=used.took,
    )
