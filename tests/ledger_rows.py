"""Rows of a ledger, for tests of what is made of it."""

from typing import Any

import pandas as pd

from lib.ledger import FIGURES, ledger
from lib.session_row import COLUMNS

SESSIONS = list(COLUMNS)


def sessions_frame(*sessions: dict[str, Any]) -> pd.DataFrame:
    """A sessions frame of `sessions`, each at least with its `key`."""
    known = {
        "agent": "claude-code",
        "agent_label": "Claude Code",
        "machine": "here",
        "status": "completed",
        "sample": False,
    }
    rows = [
        {**dict.fromkeys(SESSIONS), **known, "short_id": session["key"], **session}
        for session in sessions
    ]
    frame = pd.DataFrame(rows, columns=[*SESSIONS, "project"])
    frame["sample"] = frame["sample"].astype(bool)
    for column in ("started_at", "ended_at", "last_activity_at"):
        frame[column] = pd.to_datetime(frame[column], utc=True)
    frame["duration_ms"] = frame["duration_ms"].astype("float64")
    return frame


def usage_frame(*groups: dict[str, Any]) -> pd.DataFrame:
    """A usage frame of `groups`, each at least with its `session_key` and `at`."""
    known: dict[str, Any] = {
        **dict.fromkeys(FIGURES, 0),
        "requests": 1,
        "agent": "claude-code",
        "model": "claude-sonnet-4-5",
    }
    columns = ["session_key", "agent", "model", "at", "attribution", *FIGURES]
    frame = pd.DataFrame([{**known, **group} for group in groups], columns=columns)
    frame["at"] = pd.to_datetime(frame["at"], utc=True, format="ISO8601")
    for column in ("cost_usd", "cache_savings_usd"):
        frame[column] = frame[column].astype("float64")
    return frame


def a_ledger(*groups: dict[str, Any], **session: Any) -> pd.DataFrame:
    """A ledger of `groups` of the one session `s1`."""
    return ledger(
        usage_frame(*({"session_key": "s1", **group} for group in groups)),
        sessions_frame({"key": "s1", **session}),
    )
