"""Failed sessions, grouped by what stays the same when the same thing fails again.

All take a frame of `lib.frame.load_sessions`, of which they count the sessions that the user
started; samples are left out. Money is US dollars at list prices, subagents included.
"""

from datetime import tzinfo
from typing import NamedTuple

import pandas as pd

from lib.failures import signature
from lib.frame import UNPRICED
from lib.ledger import NONE, Period, buckets, within
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
    lost_ms: float
    """How long the failed sessions took, of those whose duration is known."""


def ended(sessions: pd.DataFrame, period: Period) -> pd.DataFrame:
    """The sessions of a period that are over, as the frame has them, and some columns more.

    `at`: when they ended, or else last did something; `whole_cost_usd`: what of their cost is
    known, NaN where nothing is; `unpriced`: whether some of it is not.
    """
    top = top_level(sessions)
    over = top[~top["sample"] & top["status"].isin(ENDED)].copy()
    over["at"] = over["ended_at"].fillna(over["last_activity_at"])
    over["at"] = pd.to_datetime(over["at"], utc=True)
    costs = over[["cost_usd", "subagent_cost_usd"]].astype("float64")
    whole = costs.sum(axis=1)
    # Nothing of one part beside an unknown other is no figure of the whole.
    over["whole_cost_usd"] = whole.where((whole > 0) | costs.notna().all(axis=1))
    holds = [UNPRICED in (flags or ()) for flags in sessions["flags"]]
    flagged = sessions[pd.Series(holds, index=sessions.index, dtype=bool)]
    above = over["key"].isin(flagged["parent_key"].dropna())
    over["unpriced"] = costs.isna().any(axis=1) | over["key"].isin(flagged["key"]) | above
    return within(over, period)


def failed(over: pd.DataFrame) -> pd.DataFrame:
    """Those of `ended` that failed, with `signature`, `class` and `text` of their errors."""
    found = over[over["status"] == "failed"].copy()
    errors = found[["error_class", "error_message"]].astype(object)
    known = errors.where(errors.notna(), None)
    told = [signature(*pair) for pair in zip(*(known[name] for name in known), strict=True)]
    found["signature"] = [one.id for one in told]
    found["class"] = [one.error_class for one in told]
    found["text"] = [one.text for one in told]
    return found


def headline(over: pd.DataFrame) -> Headline:
    """The figures of what `ended` gives."""
    lost = over[over["status"] == "failed"]
    cost = lost["whole_cost_usd"].sum(min_count=1) if len(lost) else 0.0
    return Headline(
        failed=len(lost),
        share=len(lost) / len(over) if len(over) else None,
        cost_usd=None if pd.isna(cost) else float(cost),
        unpriced_sessions=int(lost["unpriced"].sum()),
        lost_ms=float(lost["duration_ms"].sum()),
    )


def cured(sessions: pd.DataFrame) -> set[str]:
    """Keys of the sessions of which a retry completed."""
    done = sessions[sessions["status"] == "completed"]
    return set(done["retry_of"].dropna())


def groups(lost: pd.DataFrame, retried: set[str], zone: tzinfo) -> pd.DataFrame:
    """One row a signature of `failed`, the most frequent first.

    `signature`, `class`, `text`, `sessions` (how many), `projects`, `tools`, `models` (lists),
    `first_seen`, `last_seen`, `trend` (how many by day in `zone`, up to the newest failure of
    all, at most 30 days), `cost_usd` (NaN where unknown for all), `unpriced_sessions`,
    `lost_ms`, `cured` (share of them in `retried`, 0 to 1), `example` (the newest message).
    """
    days = buckets(lost["at"].dropna(), "day", zone)
    span = pd.DatetimeIndex([])
    if len(days):
        first = max(days.min(), days.max() - pd.Timedelta(days=_TREND_DAYS - 1))
        span = pd.date_range(first, days.max(), freq="D")
    rows = [
        _row(str(key), group, retried, days.reindex(group.index), span)
        for key, group in lost.sort_values("at", kind="stable").groupby("signature", sort=False)
    ]
    found = pd.DataFrame(rows, columns=_COLUMNS)
    order = ["sessions", "last_seen"]
    return found.sort_values(order, ascending=False, kind="stable").reset_index(drop=True)


_COLUMNS = [
    "signature",
    "class",
    "text",
    "sessions",
    "trend",
    "cost_usd",
    "unpriced_sessions",
    "lost_ms",
    "cured",
    "projects",
    "tools",
    "models",
    "first_seen",
    "last_seen",
    "example",
]


def _row(
    key: str,
    group: pd.DataFrame,
    retried: set[str],
    days: "pd.Series[pd.Timestamp]",
    span: pd.DatetimeIndex,
) -> dict[str, object]:
    messages = group["error_message"].dropna()
    return {
        "signature": key,
        "class": group["class"].iloc[0],
        "text": group["text"].iloc[0],
        "sessions": len(group),
        "trend": [int(count) for count in days.value_counts().reindex(span, fill_value=0)],
        "cost_usd": group["whole_cost_usd"].sum(min_count=1),
        "unpriced_sessions": int(group["unpriced"].sum()),
        "lost_ms": float(group["duration_ms"].sum()),
        "cured": float(group["key"].isin(list(retried)).mean()),
        "projects": _names(group["project"]),
        "tools": _names(group["agent_label"]),
        "models": _names(group["model"]),
        "first_seen": group["at"].min(),
        "last_seen": group["at"].max(),
        "example": messages.iloc[-1] if len(messages) else "",
    }


def _names(values: "pd.Series[str]") -> list[str]:
    return sorted({str(one) for one in values.astype(object).fillna(NONE)})
