"""Five-hour windows, as subscribers of Claude are counted.

A window begins with the hour of the first call after the one before has ended, and lasts five
hours, as `ccusage blocks` 20.0.24 counts them, too. What the provider counts is not in any file:
calls on the web and on machines that this store knows nothing of are missing.
"""

from typing import NamedTuple

import pandas as pd

from lib.costs import known_usd
from lib.ledger import FIGURES

LENGTH = pd.Timedelta(hours=5)
_HOUR = pd.Timedelta(hours=1)
AGENT = "claude-code"
FEWEST = pd.Timedelta(minutes=10)
"""How much of a window must have passed before anything is said of its end."""
_COLUMNS = ["start", "end", *FIGURES, "total_tokens", "sessions"]


class Window(NamedTuple):
    """One window."""

    start: pd.Timestamp
    end: pd.Timestamp


class Projection(NamedTuple):
    """What a window will have come to at its end, if its calls go on as they have so far."""

    cost_usd: float | None
    """None where no call has a known price."""
    total_tokens: int


def windows(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a window of the Claude Code calls in `rows`, a ledger; the newest first.

    `start` and `end` (UTC), the columns of `lib.ledger.FIGURES` with `total_tokens`, `sessions`.
    Calls without a time are in none.
    """
    is_one = (rows["agent"] == AGENT) & rows["at"].notna()
    known = rows.loc[is_one, ["at", "top_key", *FIGURES, "total_tokens"]]
    if known.empty:
        return pd.DataFrame(columns=_COLUMNS)
    codes, hours = pd.factorize(known["at"].dt.floor("h"), sort=True)
    starts: list[int] = []
    for hour in ((hours - hours[0]) // _HOUR).tolist():
        starts.append(hour if not starts or hour >= starts[-1] + LENGTH // _HOUR else starts[-1])
    begun = hours[0] + pd.to_timedelta(starts, unit="h")
    groups = known.groupby(pd.Series(begun.take(codes), index=known.index, name="start"))
    found = groups[[*FIGURES, "total_tokens"]].sum()
    found["sessions"] = groups["top_key"].nunique()
    found = found.reset_index().sort_values("start", ascending=False, ignore_index=True)
    found["end"] = found["start"] + LENGTH
    return found[_COLUMNS]


def active(found: pd.DataFrame, now: pd.Timestamp) -> Window | None:
    """The window of `windows` in which `now` lies, if any call was made in it."""
    for start, end in zip(found["start"][:1], found["end"][:1], strict=True):
        if start <= now < end:
            return Window(start, end)
    return None


def calls_in(rows: pd.DataFrame, window: Window) -> pd.DataFrame:
    """The rows of a ledger that count in a window."""
    inside = (rows["at"] >= window.start) & (rows["at"] < window.end)
    return rows[inside & (rows["agent"] == AGENT)]


def projection(rows: pd.DataFrame, window: Window, now: pd.Timestamp) -> Projection | None:
    """Where the active window is heading: at the pace since its first quarter hour with a call.

    None in the first minutes, which say nothing.
    """
    calls = calls_in(rows, window)
    since = calls["at"].min()
    if now - since < FEWEST:
        return None
    factor = (window.end - since) / (now - since)
    cost = known_usd(calls)
    tokens = int(calls["total_tokens"].sum())
    return Projection(None if cost is None else cost * factor, round(tokens * factor))
