"""Failed sessions, grouped by what stays the same when the same thing fails again.

All take a frame of `lib.frame.load_sessions`, of which they count the sessions that the user
started; samples are left out. Money is US dollars at list prices, with that of all sessions
below: subagents, and those that subagents started.
"""

from datetime import tzinfo
from typing import Any, NamedTuple

import pandas as pd

from lib.ledger import NONE, Period, buckets, tops, within
from lib.model import NO_LOCAL_TOKENS
from lib.sections import top_level
from lib.status import ENDED

_TREND_DAYS = 30


class Headline(NamedTuple):
    """The figures of one period."""

    failed: int
    share: float | None
    """Of the sessions that ended: 0 to 1; None where none did."""
    cost_usd: float | None
    """None where sessions failed and the price of none is known."""
    unpriced_sessions: int
    """Failed ones of whose cost some or all is not known."""
    lost_ms: float | None
    """How long the failed sessions took, of those whose duration is known; None where that of
    none is."""


def ended(sessions: pd.DataFrame, calls: pd.DataFrame, period: Period) -> pd.DataFrame:
    """The sessions of a period that are over, as the frame has them, and some columns more.

    `calls`: the ledger of at least these sessions. `at`: when they ended, or else last did
    something; `whole_cost_usd`: what of their cost is known, NaN where nothing is; `unpriced`:
    whether some of it is not.
    """
    top = top_level(sessions)
    over = top[~top["sample"] & top["status"].isin(ENDED)].copy()
    over["at"] = over["ended_at"].fillna(over["last_activity_at"])
    over["at"] = pd.to_datetime(over["at"], utc=True)
    found = within(over, period).copy()
    silent = _silent(sessions)
    sums = calls.groupby("top_key")[["requests", "unpriced_requests", "cost_usd"]].sum()
    spent = sums.reindex(found["key"]).fillna(0).set_axis(found.index)
    unknown = found["key"].isin(silent)
    calls_made = unknown | (spent["requests"] > 0)
    nothing = calls_made & (spent["requests"] == spent["unpriced_requests"])
    found["whole_cost_usd"] = spent["cost_usd"].astype("float64").mask(nothing)
    found["unpriced"] = unknown | (spent["unpriced_requests"] > 0)
    return found


def _silent(sessions: pd.DataFrame) -> set[str]:
    """Keys of top-level sessions that made calls which no file tells, or a session below did."""
    holds = [NO_LOCAL_TOKENS in (flags or ()) for flags in sessions["flags"]]
    made_none = sessions["requests"].fillna(0) == 0
    quiet = sessions["key"][pd.Series(holds, index=sessions.index, dtype=bool) & made_none]
    above = tops(sessions.set_index("key")["parent_key"])
    return set(above.loc[quiet])


def failed(over: pd.DataFrame) -> pd.DataFrame:
    """Those of `ended` that failed."""
    return over[over["status"] == "failed"]


def last_failed(sessions: pd.DataFrame) -> dict[str, int]:
    """When (ms) each group failed last, by signature, in the whole frame."""
    top = top_level(sessions)
    lost = top[~top["sample"] & (top["status"] == "failed")]
    at = lost["ended_at"].fillna(lost["last_activity_at"]).astype("datetime64[ms, UTC]")
    newest = at.astype("int64").where(at.notna(), 0).groupby(lost["error_signature"]).max()
    return {str(key): int(moment) for key, moment in newest.items()}


def headline(over: pd.DataFrame) -> Headline:
    """The figures of what `ended` gives."""
    lost = failed(over)
    cost = lost["whole_cost_usd"].sum(min_count=1) if len(lost) else 0.0
    took = lost["duration_ms"].sum(min_count=1) if len(lost) else 0.0
    return Headline(
        failed=len(lost),
        share=len(lost) / len(over) if len(over) else None,
        cost_usd=None if pd.isna(cost) else float(cost),
        unpriced_sessions=int(lost["unpriced"].sum()),
        lost_ms=None if pd.isna(took) else float(took),
    )


def cured(sessions: pd.DataFrame) -> set[str]:
    """Keys of the failed sessions that a retry cured: what they were to do was done after all.

    A retry of the session completed, or a retry of that retry, and so on; or a session completed
    that began after the failure, in the same project folder with the same first prompt, by
    whatever tool.
    """
    top = top_level(sessions)
    top = top[~top["sample"]]
    lost, done = (top[top["status"] == status] for status in ("failed", "completed"))
    retried = top["retry_of"].dropna()
    before = dict(zip(top["key"][retried.index], retried, strict=True))
    found: set[str] = set()
    for key in done["key"]:
        above = before.get(key)
        while above is not None and above not in found:
            found.add(above)
            above = before.get(above)
    return (found & set(lost["key"])) | _tried_again(lost, done)


def _tried_again(lost: pd.DataFrame, done: pd.DataFrame) -> set[str]:
    task = ["project_path", "first_prompt"]
    times = done.dropna(subset=task).groupby(task, sort=False)["started_at"]
    newest = times.max().rename("newest")
    asked = lost[lost["first_prompt"].fillna("").str.strip() != ""].join(newest, on=task)
    # When a process was found to be gone says little about when it went.
    since = asked["last_activity_at"].fillna(asked["ended_at"])
    return set(asked["key"][asked["newest"] >= since])


def groups(lost: pd.DataFrame, retried: set[str], zone: tzinfo) -> pd.DataFrame:
    """One row a signature of `failed`, the most frequent first.

    `signature`, `class`, `text`, `sessions` (how many), `projects`, `tools`, `models` (lists),
    `first_seen`, `last_seen`, `trend` (how many by day in `zone`, up to the newest failure of
    all, at most 30 days), `cost_usd` (NaN where unknown for all), `unpriced_sessions`,
    `lost_ms` (NaN likewise), `cured` (share of them in `retried`, 0 to 1), `example` (the newest
    message).
    """
    in_order = lost.sort_values("at", kind="stable").assign(
        cured=lost["key"].isin(list(retried)).astype("float64")
    )
    by = in_order.groupby("error_signature", sort=False)
    found = pd.DataFrame(
        {
            "class": by["error_class"].first(),
            "text": by["error_text"].first(),
            "sessions": by.size(),
            "cost_usd": by["whole_cost_usd"].sum(min_count=1),
            "unpriced_sessions": by["unpriced"].sum().astype("int64"),
            "lost_ms": by["duration_ms"].sum(min_count=1),
            "cured": by["cured"].mean(),
            "first_seen": by["at"].min(),
            "last_seen": by["at"].max(),
            # Of those that have one.
            "example": by["error_message"].last().astype("object").fillna(""),
        }
    )
    found["trend"] = pd.Series(_trends(in_order, found.index, zone), found.index, dtype="object")
    for name, column in _LISTED.items():
        found[name] = _names(in_order, column)
    found = found.rename_axis("signature").reset_index()
    order = ["sessions", "last_seen"]
    return found.sort_values(order, ascending=False, kind="stable").reset_index(drop=True)


_LISTED = {"projects": "project", "tools": "agent_label", "models": "model"}


def _trends(lost: pd.DataFrame, signatures: pd.Index, zone: tzinfo) -> list[list[int]]:
    """How many of each signature failed on each of the last days with failures of any."""
    known = lost[lost["at"].notna()]
    days = buckets(known["at"], "day", zone)
    span = pd.DatetimeIndex([])
    if len(days):
        first = max(days.min(), days.max() - pd.Timedelta(days=_TREND_DAYS - 1))
        span = pd.date_range(first, days.max(), freq="D")
    counts = pd.crosstab(known["error_signature"], days)
    return counts.reindex(index=signatures, columns=span, fill_value=0).to_numpy().tolist()


def _names(lost: pd.DataFrame, column: str) -> "pd.Series[Any]":
    """The names in a column by signature, each once and in their order."""
    names = lost[column].astype("object").fillna(NONE)
    pairs = pd.DataFrame({"error_signature": lost["error_signature"], "name": names})
    each = pairs.drop_duplicates().sort_values("name", kind="stable")
    return each.groupby("error_signature")["name"].agg(list)
