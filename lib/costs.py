"""Where the money goes: the figures above the charts, the burn rate and the forecast.

All take a `lib.ledger.ledger`, so that a figure here is the sum of what a table or chart shows.
Money is US dollars at list prices; calls without a known price are counted apart, never as 0.
"""

from collections.abc import Collection, Mapping
from datetime import tzinfo
from typing import NamedTuple

import pandas as pd

from lib import pricing
from lib.cards import UNTITLED
from lib.figures import Figures, figures, total
from lib.ledger import TOKEN_KINDS, Bucket, Period, buckets, grouped, is_priced, within
from lib.store import Store

HISTORY_DAYS = 28
"""Days before today that a forecast goes by."""
HOUR_MS = 3_600_000
WHOLE = "All"
"""What the sums of a table are called."""
REST = "Other"
"""What parts are called that are too small to be told apart."""
SPREAD = 1.2816
"""Standard deviations to each side that hold the middle 80% of a normal distribution."""


class Headline(NamedTuple):
    """The figures of one period."""

    cost_usd: float | None
    """None where there were calls and none could be priced."""
    unpriced_requests: int
    requests: int
    sessions: int
    input_tokens: int
    output_tokens: int
    cache_write_tokens: int
    cache_read_tokens: int
    cache_share: float | None
    """Of all tokens of all prompts, how many were read from a cache: 0 to 1."""
    cache_savings_usd: float
    completed_sessions: int
    cost_per_completed_usd: float | None
    """Cost of the completed sessions of which it is known, by session; None where of none."""
    failed_sessions: int
    wasted_usd: float | None
    """Cost of the sessions that failed; None where they made calls and none could be priced."""

    @property
    def total_tokens(self) -> int:
        """Every token that was sent or received, once."""
        return sum(int(getattr(self, kind)) for kind in TOKEN_KINDS)


def headline(rows: pd.DataFrame) -> Headline:
    """The figures of `rows`, which are a period of a ledger."""
    tokens = {kind: int(rows[kind].sum()) for kind in TOKEN_KINDS}
    prompt = sum(tokens.values()) - tokens["output_tokens"]
    completed, failed = (
        rows.loc[rows["status"] == status, ["top_key", *_OF_COST]]
        for status in ("completed", "failed")
    )
    completed_sessions = int(completed["top_key"].nunique())
    completed_usd = known_usd(completed)
    # A session of which nobody knows the cost is on neither side of the fraction.
    calls = completed.groupby("top_key", observed=True)[["requests", "unpriced_requests"]].sum()
    is_known = (calls["requests"] == 0) | (calls["requests"] > calls["unpriced_requests"])
    known_sessions = int(is_known.sum())
    return Headline(
        cost_usd=known_usd(rows),
        unpriced_requests=int(rows["unpriced_requests"].sum()),
        requests=int(rows["requests"].sum()),
        sessions=int(rows["top_key"].nunique()),
        cache_share=tokens["cache_read_tokens"] / prompt if prompt else None,
        cache_savings_usd=float(rows["cache_savings_usd"].sum()),
        completed_sessions=completed_sessions,
        cost_per_completed_usd=(
            completed_usd / known_sessions if known_sessions and completed_usd is not None else None
        ),
        failed_sessions=int(failed["top_key"].nunique()),
        wasted_usd=known_usd(failed),
        **tokens,
    )


def known_usd(rows: pd.DataFrame) -> float | None:
    """The cost of `rows`; None where there were calls and none of them could be priced."""
    requests, unpriced = rows["requests"].sum(), rows["unpriced_requests"].sum()
    return None if requests and requests == unpriced else float(rows["cost_usd"].sum())


_OF_COST = ["cost_usd", "requests", "unpriced_requests"]


class Change(NamedTuple):
    """A figure against that of the period before."""

    by: float
    share: float | None
    """`by` as a share of the earlier figure; None where that was 0."""


def change(now: float | None, before: float | None) -> Change | None:
    """From `before` to `now`; None where one of them is not known."""
    if now is None or before is None:
        return None
    return Change(now - before, (now - before) / before if before else None)


def spent_after(store: Store, at: int, sessions: Collection[str]) -> Figures:
    """What the calls of `sessions` (keys) at a moment (ms) or later have come to.

    To the millisecond, where a ledger knows quarter hours. Raises StoreError.
    """
    return total(
        figures(usage, usage.session_key.partition(":")[0])
        for usage in store.usage_after(at, pricing.thresholds())
        if usage.session_key in sessions
    )


class Forecast(NamedTuple):
    """What a period will have cost at its end."""

    spent_usd: float
    expected_usd: float
    low_usd: float
    """One time in ten it will be less."""
    high_usd: float
    """One time in ten it will be more."""
    days_of_history: int
    """What it is based on, today excluded; with fewer than three there is no spread to speak of."""


class History(NamedTuple):
    """What calls cost on each day of the last four weeks, today excluded, from the first with any.

    Days without a call cost 0.
    """

    whole: "pd.Series[float]"
    after: "pd.Series[float]"
    """Only what came after the time that it is now."""


def history(rows: pd.DataFrame, zone: tzinfo, now: pd.Timestamp) -> History:
    """The days before that of `now` in `zone`."""
    local = now.tz_convert(zone)
    today = local.tz_localize(None).normalize()
    # A day more, whatever the clocks did; what is left is looked at closely.
    since = local - pd.Timedelta(days=HISTORY_DAYS + 2)
    known = within(rows[["at", "cost_usd"]], Period(since, local))
    day = buckets(known["at"], "day", zone)
    recent = (day < today) & (day >= today - pd.Timedelta(days=HISTORY_DAYS))
    if not recent.any():
        nothing = pd.Series(dtype="float64")
        return History(nothing, nothing)
    days = pd.date_range(day[recent].min(), today - pd.Timedelta(days=1), freq="D")
    clock = known["at"].dt.tz_convert(zone).dt.tz_localize(None) - day
    later = recent & (clock >= local.tz_localize(None) - today)
    whole, after = (
        known["cost_usd"][chosen].groupby(day[chosen]).sum().reindex(days, fill_value=0.0)
        for chosen in (recent, later)
    )
    return History(whole, after)


def forecast(
    rows: pd.DataFrame,
    whole: Period,
    zone: tzinfo,
    now: pd.Timestamp,
    days: History | None = None,
) -> Forecast | None:
    """The cost of `whole`, a period that holds `now`, at its end; None without any history.

    None, too, where no call that it would go by has a known price. `days`: the `history` of
    `rows`, where it is known already.

    What was spent, and for the rest of today and each day to come what such a time of day and
    such a day cost on average in the last four weeks, days without any work included. Days vary
    independently of each other, so the spread grows with the root of their number.
    """
    if whole.start is None or whole.end is None:
        return None
    since = min(whole.start, now - pd.Timedelta(days=HISTORY_DAYS))
    if known_usd(within(rows[["at", *_OF_COST]], Period(since, now))) is None:
        return None
    spent = float(within(rows[["at", "cost_usd"]], Period(whole.start, now))["cost_usd"].sum())
    daily, after = days or history(rows, zone, now)
    if daily.empty:
        return None
    last_day, today = (
        one.tz_convert(zone).tz_localize(None).normalize() for one in (whole.end, now)
    )
    days_left = max(0, (last_day - today).days - 1)
    expected = spent + float(after.mean()) + days_left * float(daily.mean())
    several = len(daily) > 1
    variance = float(after.var() + days_left * daily.var()) if several else 0.0
    half = SPREAD * variance**0.5
    return Forecast(spent, expected, max(spent, expected - half), expected + half, len(daily))


def over_time(
    rows: pd.DataFrame,
    bucket: Bucket,
    by: str | None,
    measure: str,
    zone: tzinfo,
    most: int | None = None,
) -> pd.DataFrame:
    """`measure` by bucket (index `at`, on the viewer's clocks) and by the column `by` (columns).

    `by` None: one column named like the measure. The largest column comes first; of more than
    `most` the smaller ones are one, the last. Calls without a time are left out; buckets without
    calls are 0.
    """
    known = rows.loc[rows["at"].notna(), ["at", measure, *([by] if by else [])]]
    at = buckets(known["at"], bucket, zone).rename("at")
    if by is None:
        return _whole(known[[measure]].groupby(at).sum(), bucket)
    parts, order = leading(known[by], known[measure], most)
    sums = known[measure].groupby([at, parts], observed=True).sum().unstack(fill_value=0)
    return _whole(sums.reindex(columns=order), bucket)


def _whole(sums: pd.DataFrame, bucket: Bucket) -> pd.DataFrame:
    """`sums` with 0 for the buckets between that are not in it."""
    if sums.empty:
        return sums
    steps = {"hour": "h", "day": "D", "week": "W-MON", "month": "MS"}
    whole = pd.date_range(sums.index.min(), sums.index.max(), freq=steps[bucket], name="at")
    return sums.reindex(index=whole, fill_value=0)


def unpriced_over_time(
    rows: pd.DataFrame, like: pd.DataFrame, bucket: Bucket, by: str | None, zone: tzinfo
) -> pd.DataFrame:
    """How many calls without a known price are in each cell of `like`, which `over_time` made."""
    chosen = rows["at"].notna() & (rows["unpriced_requests"] > 0)
    known = rows.loc[chosen, ["at", "unpriced_requests", *([by] if by else [])]]
    at = buckets(known["at"], bucket, zone)
    # What is no column of its own is in the last.
    parts = pd.Series(like.columns[-1], index=known.index)
    if by is not None:
        parts = known[by].astype("object").where(known[by].isin(like.columns), like.columns[-1])
    sums = known["unpriced_requests"].groupby([at, parts]).sum().unstack(fill_value=0)
    return sums.reindex(index=like.index, columns=like.columns, fill_value=0).astype("int64")


def leading(
    names: "pd.Series[str]", weights: "pd.Series[float]", most: int | None
) -> tuple["pd.Series[str]", pd.Index]:
    """`names`, those with less weight called `Other` where there are more than `most`; and each
    once, in the order of their weight and that of the others last.

    Before a table is made of them: a thousand projects in ten years of hours don't fit.
    """
    sums = weights.groupby(names, observed=True).sum()
    order = sums.sort_values(ascending=False, kind="stable").index.astype("object")
    if most is None or len(order) <= most:
        return names, order
    kept = order[: most - 1]
    rest = unused(REST, kept)
    known = set(kept)
    # Of categories, each is looked at once.
    parts = names.map(lambda name: name if name in known else rest)
    return parts, kept.append(pd.Index([rest], name=kept.name))


def largest(table: pd.DataFrame, most: int) -> pd.DataFrame:
    """`table` with its first `most` columns, of which the last is the sum of all others."""
    if len(table.columns) <= most:
        return table
    kept = table.iloc[:, : most - 1].copy()
    kept[unused(REST, kept.columns)] = table.iloc[:, most - 1 :].sum(axis=1, min_count=1)
    return kept


def with_totals(table: pd.DataFrame) -> pd.DataFrame:
    """`table` with the sums of its rows as a last column and of its columns as a last row.

    The sum of nothing but NaN is NaN: what has no price is not 0.
    """
    found = table.copy()
    found[unused(WHOLE, found.columns)] = table.sum(axis=1, min_count=1)
    found.loc[unused(WHOLE, found.index)] = found.sum(axis=0, min_count=1)
    return found


def unused(name: str, names: Collection[object]) -> str:
    """`name`, with stars behind it as long as there is one of that name."""
    return name if name not in names else unused(f"{name}*", names)


def weekday_by_hour(rows: pd.DataFrame, measure: str, zone: tzinfo) -> pd.DataFrame:
    """`measure` by weekday (rows, Monday is 0) and hour (columns, 0 to 23), viewer's time."""
    known = rows.loc[rows["at"].notna(), ["at", measure]]
    local = known["at"].dt.tz_convert(zone)
    sums = known[measure].groupby([local.dt.day_of_week, local.dt.hour]).sum().unstack(fill_value=0)
    return sums.reindex(index=range(7), columns=range(24), fill_value=0).fillna(0)


def pivot(rows: pd.DataFrame, down: str, across: str, measure: str) -> pd.DataFrame:
    """`measure` by the columns `down` (rows) and `across` (columns), the largest of both first.

    A count is 0 where there are no calls. Money is NaN there, and where no call has a price.
    """
    cells = grouped(rows, [down, across])
    if measure == "cost_usd":
        cells[measure] = cells[measure].where(is_priced(cells))
    table = cells.pivot(index=down, columns=across, values=measure)
    table = table if measure == "cost_usd" else table.fillna(0)
    first, last = (
        table.sum(axis=axis).sort_values(ascending=False, kind="stable") for axis in (1, 0)
    )
    return table.loc[first.index, last.index]


def by_duration(rows: pd.DataFrame, sessions: pd.DataFrame) -> pd.DataFrame:
    """One row a session of `rows` that has ended: `title`, `tool`, `hours`, `cost_usd`.

    `sessions`: the sessions frame. `cost_usd` is NaN where no call has a price, and not that of
    its `unpriced_requests`.
    """
    about = sessions.set_index("key")[["duration_ms", "title", "agent_label"]]
    found = grouped(rows, ["top_key"]).join(about, on="top_key")
    found = found[found["duration_ms"].notna()].rename(columns={"agent_label": "tool"})
    found["title"] = found["title"].fillna(UNTITLED)
    found["cost_usd"] = found["cost_usd"].where(is_priced(found))
    found["hours"] = found["duration_ms"] / HOUR_MS
    return found[["top_key", "title", "tool", "hours", "cost_usd", "unpriced_requests"]]


def cache_over_time(rows: pd.DataFrame, bucket: Bucket, zone: tzinfo) -> pd.DataFrame:
    """By bucket (index `at`, on the viewer's clocks) what caches did.

    `share`: of all tokens of prompts, how many were read from a cache (NaN without prompts);
    `saved_usd`: how much more the calls would have cost without one.
    """
    kinds = ["input_tokens", "cache_write_tokens", "cache_read_tokens"]
    known = rows.loc[rows["at"].notna(), ["at", *kinds, "cache_savings_usd"]]
    at = buckets(known.pop("at"), bucket, zone).rename("at")
    sums = _whole(known.groupby(at).sum(), bucket)
    prompt = sums[kinds].sum(axis=1)
    share = sums["cache_read_tokens"] / prompt.where(prompt > 0)
    return pd.DataFrame({"share": share, "saved_usd": sums["cache_savings_usd"]})


def top_sessions(rows: pd.DataFrame, measure: str, most: int) -> pd.DataFrame:
    """The `most` sessions of `rows` with the most of a measure.

    `top_key`, `title`, `tool`, the measure and `unpriced_requests`, which are in no cost.

    Those that come to nothing, or of which no call has a price where it is money, are none.
    """
    found = grouped(rows, ["top_key"])
    if measure == "cost_usd":
        found = found[is_priced(found)]
    found = found[found[measure] > 0].sort_values(measure, ascending=False, kind="stable")
    found = found.head(most)
    about = abouts(rows, found["top_key"])
    found["title"] = found["top_key"].map(about["title"])
    found["tool"] = found["top_key"].map(about["agent_label"])
    columns = ["top_key", "title", "tool", measure, "unpriced_requests"]
    return found[columns].reset_index(drop=True)


def without_price(rows: pd.DataFrame) -> int:
    """How many sessions made calls none of which has a known price."""
    known = rows[["top_key", "requests", "unpriced_requests"]]
    return int((~is_priced(known.groupby("top_key", observed=True).sum())).sum())


def abouts(rows: pd.DataFrame, keys: Collection[str]) -> pd.DataFrame:
    """`title`, `agent_label` and `project` of the sessions `keys` of `rows`, by their key."""
    names = ["top_key", "title", "agent_label", "project"]
    of_keys = rows.loc[rows["top_key"].isin(keys), names].drop_duplicates("top_key")
    return of_keys.set_index("top_key")


def context_growth(calls: pd.DataFrame, titles: Mapping[str, str]) -> pd.DataFrame:
    """Tokens of the prompt by number of the call (index, from 1), a column a session.

    `calls`: a frame of `lib.request_frame.load_requests`; `titles`: of the sessions, by key, in
    the order wanted. Sessions of one title are told apart by stars. Calls without a time, whose
    order nobody knows, and without a prompt are left out.
    """
    known = calls[calls["at"].notna() & (calls["prompt_tokens"] > 0)]
    columns: dict[str, pd.Series[int]] = {}
    for key, title in titles.items():
        tokens = known.loc[known["session_key"] == key, "prompt_tokens"].reset_index(drop=True)
        tokens.index += 1
        if len(tokens):
            columns[unused(title, columns)] = tokens
    return pd.DataFrame(columns).rename_axis(index="call")
