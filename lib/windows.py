"""Five-hour windows, as subscribers of Claude are counted.

A window begins with the hour of the first call after the one before has ended, and lasts five
hours, as `ccusage blocks` 20.0.24 counts them, too. What the provider counts is not in any file:
calls on the web and on machines that this store knows nothing of are missing.
"""

from typing import NamedTuple

import pandas as pd

from lib.costs import known_usd
from lib.ledger import FIGURES, Period

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


def starts(rows: pd.DataFrame) -> pd.DatetimeIndex:
    """When windows began, by all Claude Code calls of a ledger that nothing was left out of."""
    at = rows.loc[(rows["agent"] == AGENT) & rows["at"].notna(), "at"]
    hours = pd.DatetimeIndex(at.dt.floor("h").unique()).sort_values()
    begun: list[pd.Timestamp] = []
    for hour in hours:
        if not begun or hour >= begun[-1] + LENGTH:
            begun.append(hour)
    return pd.DatetimeIndex(begun, tz="UTC")


def windows(rows: pd.DataFrame, begun: pd.DatetimeIndex) -> pd.DataFrame:
    """One row a window of the Claude Code calls in `rows`, a ledger; the newest first.

    `begun`: `starts` of the whole ledger, whatever part of it `rows` are. `start` and `end` (UTC),
    the columns of `lib.ledger.FIGURES` with `total_tokens`, `sessions`. Calls without a time are
    in none.
    """
    is_one = (rows["agent"] == AGENT) & rows["at"].notna()
    known = rows.loc[is_one, ["at", "top_key", *FIGURES, "total_tokens"]]
    if known.empty:
        return pd.DataFrame(columns=_COLUMNS)
    places = begun.searchsorted(known["at"], side="right") - 1
    groups = known.groupby(pd.Series(begun.take(places), index=known.index, name="start"))
    found = groups[[*FIGURES, "total_tokens"]].sum()
    found["sessions"] = groups["top_key"].nunique()
    found = found.reset_index().sort_values("start", ascending=False, ignore_index=True)
    found["end"] = found["start"] + LENGTH
    return found[_COLUMNS]


def active(begun: pd.DatetimeIndex, now: pd.Timestamp) -> Window | None:
    """The window in which `now` lies, if any call was made in it; `begun` as for `windows`."""
    for start in begun[-1:]:
        if start <= now < start + LENGTH:
            return Window(start, start + LENGTH)
    return None


def touching(found: pd.DataFrame, period: Period) -> pd.DataFrame:
    """The windows of which a part lies in a period."""
    is_in = pd.Series(True, index=found.index)
    if period.start is not None:
        is_in &= found["end"] > period.start
    if period.end is not None:
        is_in &= found["start"] < period.end
    return found[is_in]


def calls_in(rows: pd.DataFrame, window: Window) -> pd.DataFrame:
    """The rows of a ledger that count in a window."""
    inside = (rows["at"] >= window.start) & (rows["at"] < window.end)
    return rows[inside & (rows["agent"] == AGENT)]


def projection(rows: pd.DataFrame, window: Window, now: pd.Timestamp) -> Projection | None:
    """Where the active window is heading: at the pace since its first quarter hour with a call.

    None in the first minutes, which say nothing, and where no call of `rows` is in it.
    """
    calls = calls_in(rows, window)
    since = calls["at"].min()
    if calls.empty or now - since < FEWEST:
        return None
    factor = (window.end - since) / (now - since)
    cost = known_usd(calls)
    tokens = int(calls["total_tokens"].sum())
    return Projection(None if cost is None else cost * factor, round(tokens * factor))
