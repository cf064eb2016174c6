"""Rows of the sessions frame, for tests of what is shown of them."""

from datetime import UTC
from typing import Any

import pandas as pd

from lib.cards import View
from lib.session_row import COLUMNS, TIMES, session_frame

NOW_MS = 1_795_000_000_000
NOW = pd.Timestamp(NOW_MS, unit="ms", tz=UTC)
VIEW = View(UTC, NOW)
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def a_row(name: str = "a1b2c3d4", **facts: Any) -> dict[str, Any]:
    """A session that has been running for ten minutes; `facts` in milliseconds before now."""
    known: dict[str, Any] = dict.fromkeys(COLUMNS)
    known |= {
        "key": f"claude-code:{name}",
        "agent": "claude-code",
        "agent_label": "Claude Code",
        "session_id": name,
        "short_id": name[:8],
        "machine": "here",
        "project_path": "/home/dev/alpha",
        "branch": "main",
        "title": f"Task {name}",
        "status": "running",
        "section": "running",
        "started_at": 10 * MINUTE,
        "last_activity_at": 0,
        "models": ["claude-sonnet-4-5"],
        "flags": [],
        "requests": 3,
        "unpriced_requests": 0,
        "total_tokens": 127_432,
        "cost_usd": 0.85,
        "subagents": 0,
        "sample": False,
    } | facts
    known["all_models"] = known.get("all_models") or known["models"]
    for column in TIMES:
        if known[column] is not None:
            known[column] = NOW_MS - known[column]
    return known


def an_ended_row(name: str = "e5f6a7b8", ago: int = HOUR, **facts: Any) -> dict[str, Any]:
    """A session that was completed `ago` milliseconds before now, after ten minutes."""
    known = {
        "status": "completed",
        "section": "recent" if ago <= DAY else "older",
        "started_at": ago + 10 * MINUTE,
        "ended_at": ago,
        "last_activity_at": ago,
        "since": ago,
        "duration_ms": 10 * MINUTE,
    }
    return a_row(name, **(known | facts))


def a_frame(*rows: dict[str, Any]) -> pd.DataFrame:
    """These rows as the pages get them."""
    return session_frame(rows)


def one(**facts: Any) -> dict[Any, Any]:
    """A single row as a card gets it."""
    row = an_ended_row(**facts) if facts.get("section") in ("recent", "older") else a_row(**facts)
    return a_frame(row).to_dict("records")[0]
