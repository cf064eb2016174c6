"""The parts of the Costs page."""

from datetime import tzinfo
from typing import Any, NamedTuple, cast

import pandas as pd
import streamlit as st

from lib import costs, filters, ledger, windows
from lib.cards import money
from lib.costs import HOUR_MS, Change
from lib.ledger import Bucket, Dimension, Period
from lib.model_notes import BudgetPeriod
from lib.ui import charts, periods, state
from lib.ui.state import Shared

MEASURES = {"cost_usd": "Cost", "total_tokens": "Tokens", "requests": "Model calls"}
SHAPES = {"amount": "Amounts", "share": "Shares", "running": "Running total"}
BUCKETS: dict[Bucket, str] = {"hour": "Hour", "day": "Day", "week": "Week", "month": "Month"}
DIMENSION_NAMES: dict[Dimension, str] = {
    "tool": "Tool",
    "model": "Model",
    "project": "Project",
    "spec": "Spec",
    "branch": "Branch",
    "machine": "Machine",
    "session": "Session",
    "subagent": "Subagent",
    "skill": "Skill",
    "mcp_server": "MCP server",
}
_LONGEST: dict[Bucket, pd.Timedelta] = {
    "hour": pd.Timedelta(days=93),
    "day": pd.Timedelta(days=1500),
}
"""No more bars than a browser draws at ease."""
KIND = "kind"


class Choice(NamedTuple):
    """What the viewer asked to see."""

    period: Period
    zone: tzinfo
    now: pd.Timestamp
    by: Dimension | str
    """A dimension, or `KIND` for kinds of tokens."""
    measure: str
    bucket: Bucket
    shape: str

    @property
    def unit(self) -> str:
        """`usd`, or a count."""
        return "usd" if self.measure == "cost_usd" else "count"


def rows_of(shared: Shared) -> pd.DataFrame:
    """The ledger of the sessions that the sidebar's filters leave, whenever they ended."""
    sessions = state.sessions_frame(shared.store)
    rows = ledger.load(shared.store, state.now_ms())
    everything = shared.filters.model_copy(update={"range": "all", "dismissed": True})
    left = filters.apply(sessions, everything, state.now())
    return rows[rows["top_key"].isin(left["key"])]


def window_starts(shared: Shared) -> pd.DatetimeIndex:
    """When five-hour windows began: they count all that was used, whatever the filters leave."""
    return windows.starts(ledger.load(shared.store, state.now_ms()))


def choose(rows: pd.DataFrame) -> Choice:
    """Draw the controls above the page, all of them in the address; answer what they say."""
    zone, now = state.viewer_zone(), state.now()
    above = st.container(horizontal=True, vertical_alignment="bottom")
    name, period = periods.choose(above, zone, now)
    length = _length(rows, period, now)
    offered: list[Bucket] = [one for one in BUCKETS if length <= _LONGEST.get(one, length)]
    bucket = above.selectbox(
        "By",
        offered,
        index=offered.index(_fitting(length)),
        # As many as there are, so that a choice that is offered no more is forgotten.
        key=f"bucket_{name}_{len(offered)}",
        format_func=BUCKETS.__getitem__,
        width=110,
    )
    measure = above.selectbox(
        "Measure",
        list(MEASURES),
        key="measure",
        bind="query-params",
        format_func=MEASURES.__getitem__,
        width=150,
    )
    parts = {**DIMENSION_NAMES, KIND: "Kind of tokens"}
    by = above.selectbox(
        "Split by",
        list(parts),
        key="by",
        bind="query-params",
        format_func=lambda one: parts[cast("Dimension", one)],
        width=160,
    )
    shape = above.segmented_control(
        "Shown as", list(SHAPES), default="amount", key="shape", format_func=SHAPES.__getitem__
    )
    measure = "total_tokens" if by == KIND else measure
    return Choice(period, zone, now, by, measure, bucket, shape or "amount")


def _length(rows: pd.DataFrame, period: Period, now: pd.Timestamp) -> pd.Timedelta:
    start = period.start if period.start is not None else rows["at"].min()
    # A machine's clock may have been ahead.
    last = max([now, *rows["at"].dropna().nlargest(1)])
    end = last if period.end is None else min(now, period.end)
    return end - start if pd.notna(start) else pd.Timedelta(0)


def _fitting(length: pd.Timedelta) -> Bucket:
    if length <= pd.Timedelta(days=2):
        return "hour"
    if length <= pd.Timedelta(days=62):
        return "day"
    return "week" if length <= pd.Timedelta(days=400) else "month"


def figures(shared: Shared, rows: pd.DataFrame, in_period: pd.DataFrame, choice: Choice) -> None:
    """The figures on top of the rows `in_period`, each against the period before."""
    found = costs.headline(in_period)
    before = choice.period.previous(choice.now)
    earlier = costs.headline(ledger.within(rows, before)) if before else None

    def change(name: str) -> Change | None:
        return costs.change(getattr(found, name), getattr(earlier, name)) if earlier else None

    first = st.columns(4)
    unpriced = f"{found.unpriced_requests:,} calls unpriced" if found.unpriced_requests else None
    metric(first[0], "Cost", _money(found.cost_usd), change("cost_usd"), unpriced)
    metric(
        first[1],
        "Tokens",
        _short(found.total_tokens),
        change("total_tokens"),
        f"in {found.input_tokens:,} · out {found.output_tokens:,} · cache read "
        f"{found.cache_read_tokens:,} · cache write {found.cache_write_tokens:,}",
    )
    metric(
        first[2], "Sessions", f"{found.sessions:,}", change("sessions"), f"{found.requests:,} calls"
    )
    share = "–" if found.cache_share is None else f"{found.cache_share:.1%}"
    saved = found.cache_savings_usd
    told = f"saved {money(saved)}" if saved >= 0 else f"cost {money(-saved)} more than it saved"
    told = told if found.cost_usd is not None else "what it saved is unpriced"
    metric(first[3], "Read from cache", share, None, told)
    second = st.columns(4)
    completed = f"{found.completed_sessions:,} completed"
    metric(
        second[0],
        "Per completed session",
        _money(found.cost_per_completed_usd) if found.completed_sessions else "–",
        None,
        completed,
    )
    failed = f"{found.failed_sessions:,} sessions"
    metric(
        second[1], "Spent on failed ones", _money(found.wasted_usd), change("wasted_usd"), failed
    )
    _burn(second[2], shared, rows)
    _forecasts(second[3], rows, choice)


def _burn(place: Any, shared: Shared, rows: pd.DataFrame) -> None:
    keys = set(rows["session_key"].unique())
    now = state.now_ms()
    hour = costs.spent_after(shared.store, now - HOUR_MS, keys)
    ten_minutes = costs.spent_after(shared.store, now - HOUR_MS // 6, keys)
    value = f"{_money(ten_minutes.known_cost_usd and ten_minutes.known_cost_usd * 6)}/h"
    metric(
        place,
        "Burn rate",
        value,
        None,
        f"last 10 minutes · {_money(hour.known_cost_usd)} in the last hour",
    )


def _forecasts(place: Any, rows: pd.DataFrame, choice: Choice) -> None:
    units: dict[str, BudgetPeriod] = {
        "Today": "day",
        "This week": "week",
        "This month": "month",
    }
    lines: list[str] = []
    value = "–"
    # What three forecasts look at of a ledger of years.
    recent = ledger.within(rows, Period(choice.now - pd.Timedelta(days=40), None))
    days = costs.history(recent, choice.zone, choice.now)
    for name, unit in units.items():
        whole = ledger.current(unit, choice.zone, choice.now)
        found = costs.forecast(recent, whole, choice.zone, choice.now, days)
        if found is None:
            continue
        value = money(found.expected_usd)
        spread = f"{money(found.low_usd)} to {money(found.high_usd)}"
        lines.append(f"{name}: {value} ({spread})")
    told = " · ".join(lines) or "no day of priced work yet to go by"
    metric(place, "Forecast for the month", value, None, told)


def metric(
    place: Any, label: str, value: str, change: Change | None = None, note: str | None = None
) -> None:
    """A figure in a frame, with how it moved against the period before."""
    delta = None
    if change is not None and change.by:
        delta = "new" if change.share is None else f"{change.share:+.0%}"
    card = place.container(border=True, height="stretch", gap="xsmall")
    # Dearer is neither good nor bad news by itself.
    card.metric(label, as_text(value), delta, delta_color="off")
    if note:
        card.caption(as_text(note))


def _short(tokens: int) -> str:
    # More digits don't fit into a card; the tables tell them all.
    return f"{tokens:,}" if tokens < 10**9 else f"{tokens / 10**9:,.2f} bn"


def _money(amount: float | None) -> str:
    return "unpriced" if amount is None else money(amount)


def as_text(words: str) -> str:
    # Two dollar signs in a line would be mathematics.
    return words.replace("$", "\\$")


def painted(rows: pd.DataFrame, by: str) -> dict[object, str]:
    """Colours that a name keeps whatever the period: the most expensive of all time first."""
    return charts.colours(ledger.dearest(rows, by))
