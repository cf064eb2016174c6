"""The charts of the Costs page. A selection in one is in the address and narrows the others."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pandas as pd
import streamlit as st

from lib import costs, ledger, windows
from lib.cards import money
from lib.ledger import DIMENSIONS, Dimension
from lib.request_frame import load_requests
from lib.selection import MOST_SESSIONS, Selection, narrowed, span_of
from lib.ui import charts, selection
from lib.ui.costs import KIND, MEASURES, Choice, metric, painted
from lib.ui.exports import exports
from lib.ui.servers import counted
from lib.ui.state import Shared

MOST_BARS = 15
MOST_LINES = 5
"""Sessions whose contexts are drawn; more lines can't be told apart."""
MOST_WINDOWS = 60
_STEPS = {
    "hour": pd.DateOffset(hours=1),
    "day": pd.DateOffset(days=1),
    "week": pd.DateOffset(weeks=1),
    "month": pd.DateOffset(months=1),
}
Points = list[Mapping[str, Any]]


def over_time(
    rows: pd.DataFrame,
    in_period: pd.DataFrame,
    choice: Choice,
    chosen: Selection,
    limits: Sequence[tuple[str, float]],
) -> None:
    """The measure over time in the period. `rows`: the ledger of all time, for the colours.

    `limits`: names and amounts of the budgets that are drawn in.
    """
    shown = narrowed(in_period, chosen, choice.zone, but="span")
    column = None
    if choice.by == KIND:
        table = _by_kind(shown, choice)
        paint = charts.colours(ledger.TOKEN_KINDS.values())
    else:
        column = _column(cast("Dimension", choice.by))
        table = costs.over_time(
            shown, choice.bucket, column, choice.measure, choice.zone, charts.SERIES
        )
        paint = painted(rows, column)
    if table.empty:
        st.info("No model calls here.")
        return
    unpriced = None
    if choice.unit == "usd":
        unpriced = costs.unpriced_over_time(shown, table, choice.bucket, column, choice.zone)
    if choice.shape == "running":
        table = table.cumsum()
        unpriced = None if unpriced is None else unpriced.cumsum()
    figure = charts.stacked(
        table,
        choice.unit,
        paint,
        share=choice.shape == "share",
        lines=choice.shape == "running",
        unpriced=unpriced,
    )
    charts.limits(figure, float(table.sum(axis=1).max()), limits)
    span = chosen.span
    if span is not None and span.start is not None and span.end is not None:
        charts.shade(figure, _on_clocks(span.start, choice), _on_clocks(span.end, choice))

    def take(before: Selection, points: Points) -> Selection:
        starts = [pd.Timestamp(point["x"]) for point in points if point.get("x")]
        if not starts:
            return before
        span = span_of(starts, _STEPS[choice.bucket], choice.zone, choice.period)
        return before._replace(span=span)

    _selectable(figure, "over_time", f"{MEASURES[choice.measure]} over time", choice, take)
    if unpriced is not None and (left_out := int(shown["unpriced_requests"].sum())):
        st.caption(f"Not in the chart: {counted(left_out, 'call')} without a known price.")
        name = costs.unused("Unpriced calls", table.columns)
        table = table.assign(**{name: unpriced.sum(axis=1)})
    _figures(table, "over-time")


def when(rows: pd.DataFrame, choice: Choice, chosen: Selection) -> None:
    """At which hours of the week."""
    shown = narrowed(rows, chosen, choice.zone, but="clock")
    table = costs.weekday_by_hour(shown, choice.measure, choice.zone)

    def take(before: Selection, points: Points) -> Selection:
        cells = {(int(one["customdata"][0]), int(one["customdata"][1])) for one in points}
        return before._replace(clock=tuple(sorted(cells)))

    figure = charts.heat_map(table, choice.unit, chosen.clock)
    _selectable(figure, "heat_map", f"{MEASURES[choice.measure]} by weekday and hour", choice, take)
    table.index = pd.Index([charts.WEEKDAYS[day] for day in table.index])
    _figures(table, "by-weekday-and-hour")


def top(rows: pd.DataFrame, choice: Choice, chosen: Selection, paint: Mapping[object, str]) -> None:
    """The sessions with the most of the measure."""
    shown = narrowed(rows, chosen, choice.zone, but="only")
    table = costs.top_sessions(shown, choice.measure, MOST_BARS)
    if table.empty:
        st.info("No session here has any.")
        return
    figure = charts.ranked(table, choice.measure, choice.unit, paint, chosen.sessions)
    _selectable(
        figure,
        "top_sessions",
        f"{MEASURES[choice.measure]} of the top sessions",
        choice,
        _take_sessions,
    )
    if choice.unit == "usd" and (left_out := costs.without_price(shown)):
        told = counted(left_out, "session")
        st.caption(f"Not in the chart: {told} without any known price.")
    _figures(table, "top-sessions")


def duration(
    sessions: pd.DataFrame,
    rows: pd.DataFrame,
    choice: Choice,
    chosen: Selection,
    paint: Mapping[object, str],
) -> None:
    """Cost against duration of the sessions that have ended."""
    shown = narrowed(rows, chosen, choice.zone, but="only")
    table = costs.by_duration(shown, sessions)
    if table.empty:
        st.info("No session here has ended.")
        return
    figure = charts.dots(table, paint, chosen.sessions)
    _selectable(figure, "dots", "Cost of sessions against hours", choice, _take_sessions)
    unpriced = int(table["cost_usd"].isna().sum())
    if unpriced:
        st.caption(f"Not in the chart: {unpriced:,} without any known price.")
    _figures(table, "cost-and-duration")


def cache(rows: pd.DataFrame, choice: Choice, chosen: Selection) -> None:
    """How much of all prompts came from caches, and what that saved."""
    table = costs.cache_over_time(narrowed(rows, chosen, choice.zone), choice.bucket, choice.zone)
    if table.empty:
        st.info("No model calls here.")
        return
    left, right = st.columns(2)
    share = table[["share"]].rename(columns={"share": "Read from cache"})
    hover = "%{x|%a %d %b %Y %H:%M}<br>%{y:.1%}<extra></extra>"
    left.markdown("**Share of prompts read from a cache**")
    axis = {"tickformat": ".0%", "range": [0, 1.02]}
    left.plotly_chart(
        charts.lines(share, axis, hover),
        key="cache_share",
        alt="Share of prompts read from a cache",
        width="stretch",
    )
    right.markdown("**What that saved, cache writes paid**")
    saved = charts.bars(table["saved_usd"], "usd")
    right.plotly_chart(saved, key="cache_saved", alt="What caching saved", width="stretch")
    _figures(table, "cache")


def context(shared: Shared, rows: pd.DataFrame, choice: Choice, chosen: Selection) -> None:
    """How the context grew, call by call, in the selected or else the most expensive sessions."""
    shown = narrowed(rows, chosen, choice.zone)
    leading = costs.top_sessions(shown, "total_tokens", MOST_LINES)
    calls = load_requests(shared.store, list(leading["top_key"]))
    table = costs.context_growth(
        calls, dict(zip(leading["top_key"], leading["title"], strict=True))
    )
    if table.empty:
        st.info("No model calls here.")
        return
    st.caption(
        f"The {len(table.columns):,} with the most tokens. Tokens of the prompt, cached ones "
        "included, by call of the session itself, its subagents apart. A fall is a compaction."
    )
    hover = "call %{x}<br>%{y:,} tokens<extra>%{fullData.name}</extra>"
    figure = charts.lines(table, {"tickformat": "~s"}, hover, "Model call")
    st.plotly_chart(figure, key="context", alt="Growth of contexts by model call", width="stretch")
    _figures(table, "context")


def five_hours(
    begun: pd.DatetimeIndex, rows: pd.DataFrame, choice: Choice, chosen: Selection
) -> None:
    """Windows of five hours, which began as `begun` tells, whatever the filters leave.

    `rows`: of all time, since a window may begin before the period.
    """
    rows = narrowed(rows, chosen, choice.zone, but="span")
    found = windows.windows(rows, begun)
    found["cost_usd"] = found["cost_usd"].where(ledger.is_priced(found))
    window = windows.active(begun, choice.now)
    places = st.columns(3)
    if window is None:
        st.caption("No window of Claude Code is active: the next call begins one.")
    else:
        _active(places, rows, found, choice, window)
    shown = windows.touching(found, choice.period).head(MOST_WINDOWS)
    if shown.empty:
        st.info("No calls of Claude Code here.")
        return
    shown = shown.sort_values("start")
    starts = shown["start"].dt.tz_convert(choice.zone).dt.tz_localize(None)
    values = pd.Series(shown[choice.measure].to_numpy(), index=starts)
    last = len(values) - 1
    is_active = window is not None and shown["start"].iloc[last] == window.start
    figure = charts.bars(
        values, choice.unit, marked=last if is_active else None, length=windows.LENGTH
    )
    st.plotly_chart(figure, key="five_hours", alt="Five-hour windows", width="stretch")
    st.caption(
        "Five hours from the hour of a first call on, all machines of this store together. What "
        "else counts against a plan's limit, as use of the web, is in no file."
    )
    told = shown.iloc[::-1]
    for column in ("start", "end"):
        told[column] = told[column].dt.tz_convert(choice.zone).dt.tz_localize(None)
    _figures(told, "five-hour-windows", hide_index=True)


def _active(
    places: Sequence[Any],
    rows: pd.DataFrame,
    found: pd.DataFrame,
    choice: Choice,
    window: windows.Window,
) -> None:
    left = round((window.end - choice.now).total_seconds() / 60)
    begun, ends = (f"{_on_clocks(one, choice):%H:%M}" for one in window)
    remains = f"{left // 60} h {left % 60:02d} min left"
    metric(places[0], "Active window", remains, note=f"{begun} to {ends}")
    calls = windows.calls_in(rows, window)
    tokens = int(calls["total_tokens"].sum())
    largest = found.loc[found["start"] != window.start, "total_tokens"].max()
    share = f" · {tokens / largest:.0%} of the largest before" if largest > 0 else ""
    cost = costs.known_usd(calls)
    metric(places[1], "Spent in it", _money(cost), note=f"{tokens:,} tokens{share}")
    expected = windows.projection(rows, window, choice.now)
    if expected is None:
        why = "no calls here" if calls.empty else "too early to tell"
        metric(places[2], "At its end", "–", note=why)
    else:
        told = f"{expected.total_tokens:,} tokens, at this pace"
        metric(places[2], "At its end", _money(expected.cost_usd), note=told)


def _money(amount: float | None) -> str:
    return "unpriced" if amount is None else money(amount)


def _on_clocks(moment: pd.Timestamp, choice: Choice) -> pd.Timestamp:
    return moment.tz_convert(choice.zone).tz_localize(None)


def _take_sessions(before: Selection, points: Points) -> Selection:
    keys = [str(point["customdata"][0]) for point in points if point.get("customdata")]
    return before._replace(sessions=tuple(dict.fromkeys(keys))[:MOST_SESSIONS])


def _selectable(figure: Any, key: str, alt: str, choice: Choice, take: selection.Take) -> None:
    st.plotly_chart(
        figure,
        key=key,
        alt=alt,
        on_select=selection.taking(key, choice.zone, take),
        selection_mode=("points", "box"),
        width="stretch",
    )


def _figures(table: pd.DataFrame, name: str, *, hide_index: bool = False) -> None:
    """What a chart shows, as a table and to export."""
    place = st.expander("Figures", key=f"figures {name}", on_change="rerun")
    if not place.open:
        return
    with place:
        shown = table if hide_index else table.rename_axis(index=str(table.index.name or "row"))
        st.dataframe(shown, hide_index=hide_index, width="stretch")
        exports(shown if hide_index else shown.reset_index(), name)


def _column(by: Dimension) -> str:
    return "session" if by == "session" else DIMENSIONS[by]


def _by_kind(shown: pd.DataFrame, choice: Choice) -> pd.DataFrame:
    tables = {
        name: costs.over_time(shown, choice.bucket, None, kind, choice.zone)[kind]
        for kind, name in ledger.TOKEN_KINDS.items()
        if not shown[shown["at"].notna()].empty
    }
    return pd.DataFrame(tables)
