"""The ledger: every group of calls with what it can be grouped by, in the viewer's time.

One row is what `lib.frame.load_usage` gives: the calls of one session to one model in one
quarter hour. A subagent's calls stand with the session that the user started.
"""

from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any, Literal, NamedTuple
from weakref import WeakKeyDictionary

import msgspec
import numpy as np
import pandas as pd

from lib.cards import UNTITLED
from lib.frame import load_sessions, load_usage
from lib.parents import DEEPEST
from lib.store import Store

Bucket = Literal["hour", "day", "week", "month"]
Dimension = Literal[
    "tool",
    "model",
    "project",
    "spec",
    "branch",
    "machine",
    "session",
    "subagent",
    "skill",
    "mcp_server",
]

NONE = "–"
"""What stands for a missing project, branch, spec or model, and for a call that no subagent,
skill or MCP server is known to have caused."""
DIMENSIONS: dict[Dimension, str] = {
    "tool": "agent_label",
    "model": "model",
    "project": "project",
    "spec": "spec",
    "branch": "branch",
    "machine": "machine",
    "session": "top_key",
    "subagent": "subagent",
    "skill": "skill",
    "mcp_server": "mcp_server",
}
"""What calls can be grouped by, and the ledger's column of it."""
TOKEN_KINDS = {
    "input_tokens": "Input",
    "output_tokens": "Output",
    "cache_write_tokens": "Cache write",
    "cache_read_tokens": "Cache read",
}
FIGURES = [
    "requests",
    *TOKEN_KINDS,
    "reasoning_tokens",
    "cost_usd",
    "cache_savings_usd",
    "unpriced_requests",
]


class Period(NamedTuple):
    """A span of time, its end excluded. None: open on that side."""

    start: pd.Timestamp | None
    end: pd.Timestamp | None
    step: pd.DateOffset | None = None
    """How long before it the period begins that it is compared with; None: its own length."""

    def within(self, whole: "Period") -> "Period":
        """The part of this span that lies in `whole`."""
        starts = [one for one in (self.start, whole.start) if one is not None]
        ends = [one for one in (self.end, whole.end) if one is not None]
        return Period(max(starts, default=None), min(ends, default=None))

    def previous(self, now: pd.Timestamp) -> "Period | None":
        """The span before this one that it is compared with; None where this one has no start.

        Of a period that goes on at `now` it is as much as has passed: today until now against
        yesterday until the same time. Whole days stay whole days in the zone of the start,
        across a change of the clocks.
        """
        if self.start is None or self.end is None:
            return None
        zone = self.start.tzinfo
        start, end, moment = (
            one.tz_convert(zone).tz_localize(None) for one in (self.start, self.end, now)
        )
        before = start - (self.step or end - start)
        passed = max(moment - start, pd.Timedelta(0))
        until = min(before + passed, start) if moment < end else start
        return Period(_local(before, zone), _local(until, zone))


def _local(clock: pd.Timestamp, zone: tzinfo | None) -> pd.Timestamp:
    return clock.tz_localize(zone, ambiguous=True, nonexistent="shift_forward")


PRESETS = {
    "today": "Today",
    "yesterday": "Yesterday",
    "7d": "Last 7 days",
    "30d": "Last 30 days",
    "week": "This week",
    "month": "This month",
    "last-month": "Last month",
    "year": "This year",
    "all": "All time",
}


def preset(name: str, zone: tzinfo, now: pd.Timestamp) -> Period:
    """The span that a preset means at `now`, in days of `zone`. Raises KeyError for another."""
    today = now.tz_convert(zone).date()
    first = today.replace(day=1)
    spans: dict[str, tuple[date, date]] = {
        "today": (today, today),
        "yesterday": (today - timedelta(days=1), today - timedelta(days=1)),
        "7d": (today - timedelta(days=6), today),
        "30d": (today - timedelta(days=29), today),
        "week": (today - timedelta(days=today.weekday()), today),
        "month": (first, today),
        "last-month": ((first - timedelta(days=1)).replace(day=1), first - timedelta(days=1)),
        "year": (today.replace(month=1, day=1), today),
    }
    if name == "all":
        return Period(None, None)
    return days(*spans[name], zone)._replace(step=_STEPS.get(name))


_STEPS = {
    "week": pd.DateOffset(weeks=1),
    "month": pd.DateOffset(months=1),
    "last-month": pd.DateOffset(months=1),
    "year": pd.DateOffset(years=1),
}


def current(unit: Literal["day", "week", "month"], zone: tzinfo, now: pd.Timestamp) -> Period:
    """The whole day, week (from Monday) or month of `zone` that holds `now`."""
    today = now.tz_convert(zone).date()
    if unit == "day":
        return days(today, today, zone)
    if unit == "week":
        monday = today - timedelta(days=today.weekday())
        return days(monday, monday + timedelta(days=6), zone)
    first = today.replace(day=1)
    next_first = (first + timedelta(days=31)).replace(day=1)
    return days(first, next_first - timedelta(days=1), zone)


def days(first: date, last: date, zone: tzinfo) -> Period:
    """From the first moment of one day to the last of another, in `zone`."""
    return Period(_midnight(first, zone), _midnight(last + timedelta(days=1), zone))


def _midnight(day: date, zone: tzinfo) -> pd.Timestamp:
    # By datetime: a day may begin at one o'clock, or twice.
    moment = datetime.combine(day, time(), zone)
    return pd.Timestamp(moment.timestamp(), unit="s", tz="UTC").tz_convert(zone)


def load(store: Store, now: int) -> pd.DataFrame:
    """The ledger of a store at a moment (ms): the same frame until something changed.

    It is shared: don't write into it. Raises StoreError.
    """
    usage, sessions = load_usage(store, now), load_sessions(store, now)
    known = _loaded.get(store)
    if known is None or known.usage is not usage or known.sessions is not sessions:
        known = _loaded[store] = _Loaded(usage, sessions, ledger(usage, sessions))
    return known.rows


class _Loaded(NamedTuple):
    usage: pd.DataFrame
    sessions: pd.DataFrame
    rows: pd.DataFrame


_loaded: WeakKeyDictionary[Store, _Loaded] = WeakKeyDictionary()


def ledger(usage: pd.DataFrame, sessions: pd.DataFrame) -> pd.DataFrame:
    """`usage` with the columns of `DIMENSIONS`, `title`, `status`, and `session`, the title with
    the short id where several sessions have it; samples left out.

    Both are frames of `lib.frame`, of one store at one moment. Words are categories, so that a
    million calls are filtered and grouped by numbers.
    """
    known = sessions[~sessions["sample"]].set_index("key")
    above = tops(known["parent_key"])
    places = known.index.get_indexer(pd.Index(usage["session_key"]))
    found = usage[places >= 0].reset_index(drop=True)
    places = places[places >= 0]
    of_top = known[_OF_TOP].assign(session=_told_apart(known)).reindex(above.to_numpy())
    for name in of_top:
        found[name] = _words(of_top[name], UNTITLED if name == "title" else NONE).take(places)
    found["session_key"] = pd.Categorical.from_codes(places, known.index)
    found["top_key"] = _words(above, NONE).take(places)
    for name in ("agent", "model"):
        found[name] = _words(found[name], NONE)
    # The agent's own session of one that a server runs is no subagent of it.
    by_agent = known["parent_key"].map(known["server"].isna()).eq(True)
    is_below = by_agent.to_numpy()[places]
    _attribute(found, is_below)
    found["total_tokens"] = found[list(TOKEN_KINDS)].sum(axis=1)
    return found


_OF_TOP = ["agent_label", "project", "spec", "branch", "machine", "title", "status"]


def _told_apart(sessions: pd.DataFrame) -> "pd.Series[str]":
    titles = sessions["title"].astype("object").fillna(UNTITLED)
    is_shared = titles.isin(titles[sessions["parent_key"].isna() & titles.duplicated()])
    return titles.where(~is_shared, titles + " · #" + sessions["short_id"].astype("object"))


def _words(values: "pd.Series[str]", missing: str) -> "pd.Categorical[str]":
    return pd.Categorical(values.astype("object").fillna(missing))


def _attribute(rows: pd.DataFrame, is_below: "np.ndarray[Any, Any]") -> None:
    """Put `subagent`, `skill` and `mcp_server` in place of `attribution`.

    A subagent whose records don't tell what kind it is goes by the name of its tool. `is_below`:
    of each row, whether it is a subagent's.
    """
    said = pd.Categorical(rows.pop("attribution"))
    told = [msgspec.json.decode(one, type=dict[str, str]) for one in said.categories]
    for column, part in _CAUSES.items():
        # The last stands for calls of which nothing is told: their code is -1.
        names = np.array([*(parts.get(part, NONE) for parts in told), NONE], dtype="object")
        caused = names[said.codes]
        if part == "agent":
            unnamed = rows["agent_label"].astype("object").to_numpy() + " subagent"
            caused = np.where(is_below & (caused == NONE), unnamed, caused)
        rows[column] = pd.Categorical(caused)


_CAUSES = {"subagent": "agent", "skill": "skill", "mcp_server": "mcp_server"}


def tops(parents: "pd.Series[str]") -> "pd.Series[str]":
    """Key of each session to that of the session at its top, as far as it is known."""
    found = pd.Series(parents.index, index=parents.index, dtype="object")
    for _ in range(DEEPEST):
        above = found.map(parents)
        has = above.notna() & above.isin(parents.index)
        if not has.any():
            break
        found = found.where(~has, above)
    return found


def within(rows: pd.DataFrame, period: Period) -> pd.DataFrame:
    """The rows of a period. Calls without a time are in no period but the whole."""
    if period.start is None and period.end is None:
        return rows
    chosen = rows["at"].notna()
    if period.start is not None:
        chosen &= rows["at"] >= period.start
    if period.end is not None:
        chosen &= rows["at"] < period.end
    return rows[chosen]


def buckets(
    at: "pd.Series[pd.Timestamp]", bucket: Bucket, zone: tzinfo
) -> "pd.Series[pd.Timestamp]":
    """Start of the hour, day, week (Monday) or month of each moment, on the clocks of `zone`.

    The hour that the clocks show twice is two buckets with one name.
    """
    # Many calls share a quarter hour: each is looked at once.
    codes, moments = pd.factorize(at, use_na_sentinel=False)
    local = pd.DatetimeIndex(moments).tz_convert(zone).tz_localize(None)
    if bucket == "hour":
        starts = local.floor("h")
    elif bucket == "day":
        starts = local.normalize()
    else:
        starts = local.to_period("W" if bucket == "week" else "M").start_time
    return pd.Series(starts.take(codes), index=at.index, name=at.name)


def grouped(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Figures by the columns `by`, most expensive first, with `sessions` and `total_tokens`."""
    sums = rows.groupby(by, dropna=False, observed=True, sort=False)
    found = sums[[*FIGURES, "total_tokens"]].sum()
    found["sessions"] = sums["top_key"].nunique()
    order = ["cost_usd", "total_tokens"]
    found = found.sort_values(order, ascending=False, kind="stable").reset_index()
    return found.astype(dict.fromkeys(by, "object"))


def dearest(rows: pd.DataFrame, column: str) -> list[str]:
    """The values of a column in the order of `grouped`."""
    order = ["cost_usd", "total_tokens"]
    sums = rows.groupby(column, observed=True, sort=False)[order].sum()
    return list(sums.sort_values(order, ascending=False, kind="stable").index)


def is_priced(groups: pd.DataFrame) -> "pd.Series[bool]":
    """Of each of `grouped`, whether it has a cost at all, be it 0."""
    return (groups["requests"] == 0) | (groups["requests"] != groups["unpriced_requests"])
