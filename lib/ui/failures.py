"""The parts of the Failures page."""

from typing import Any, NamedTuple, cast
from urllib.parse import quote

import pandas as pd
import streamlit as st

from lib import failure_groups, filters
from lib.cards import UNTITLED, money
from lib.costs import change
from lib.failure_groups import Headline
from lib.ledger import Period
from lib.ui import periods, state
from lib.ui.costs import HOUR_MS, as_text
from lib.ui.exports import exports
from lib.ui.state import Shared


class Shown(NamedTuple):
    """What the page shows."""

    sessions: pd.DataFrame
    """Those that the sidebar's filters leave, whenever they ended."""
    retried: set[str]
    """Keys of the sessions of which a retry completed."""
    period: Period


def choose(shared: Shared) -> Shown:
    """Draw the period's control, which is in the address; answer what is to be shown."""
    sessions = state.sessions_frame(shared.store)
    everything = shared.filters.model_copy(update={"range": "all", "dismissed": True})
    left = filters.apply(sessions, everything, state.now())
    above = st.container(horizontal=True, vertical_alignment="bottom")
    chosen = periods.choose(above, state.viewer_zone(), state.now())
    return Shown(left, failure_groups.cured(sessions), chosen.period)


def figures(shown: Shown) -> None:
    """The figures on top, each against the period before."""
    found = failure_groups.headline(failure_groups.ended(shown.sessions, shown.period))
    before = shown.period.previous()
    earlier = (
        failure_groups.headline(failure_groups.ended(shown.sessions, before)) if before else None
    )
    unpriced = f"{found.unpriced_sessions:,} sessions unpriced" if found.unpriced_sessions else ""
    told = {
        "Failed sessions": ("failed", f"{found.failed:,}", ""),
        "Of those that ended": ("", "–" if found.share is None else f"{found.share:.1%}", ""),
        "Cost lost": ("cost_usd", _money(found.cost_usd), unpriced),
        "Time lost": ("lost_ms", f"{found.lost_ms / HOUR_MS:,.1f} h", ""),
    }
    for place, (label, (name, value, note)) in zip(st.columns(4), told.items(), strict=True):
        card = place.container(border=True, height="stretch", gap="xsmall")
        delta = _delta(name, found, earlier)
        card.metric(label, as_text(value), delta, delta_color="inverse")
        if note:
            card.caption(note)


def _delta(name: str, found: Headline, earlier: Headline | None) -> str | None:
    if earlier is None or not name:
        return None
    moved = change(getattr(found, name), getattr(earlier, name))
    if moved is None or not moved.by:
        return None
    return "new" if moved.share is None else f"{moved.share:+.0%}"


def _money(amount: float | None) -> str:
    return "unpriced" if amount is None else money(amount)


def groups(shown: Shown) -> None:
    """The table of groups, its export, and the details of the selected one."""
    lost = failure_groups.failed(failure_groups.ended(shown.sessions, shown.period))
    if lost.empty:
        st.info("No session failed in this period.")
        return
    found = failure_groups.groups(lost, shown.retried, state.viewer_zone())
    found["lost_hours"] = found["lost_ms"] / HOUR_MS
    found = found.drop(columns="lost_ms")
    event = st.dataframe(
        found,
        # A row is selected by its number: in another order it is another group.
        key=f"groups {' '.join(found['signature'])}",
        hide_index=True,
        width="stretch",
        on_select="rerun",
        selection_mode="single-row",
        column_config=_columns(),
    )
    exports(found, "failures")
    chosen = cast("dict[str, Any]", event).get("selection", {}).get("rows", [])
    if chosen and chosen[0] < len(found):
        group = found.iloc[chosen[0]]
        details(group["example"], lost[lost["signature"] == group["signature"]])
    else:
        st.caption("Select a row for its newest message and its sessions.")


def details(example: str, lost: pd.DataFrame) -> None:
    """The newest message of a group, letter by letter, and its sessions with links."""
    st.subheader("Newest message")
    st.code(example or "No message was recorded.", language=None, wrap_lines=True)
    table = pd.DataFrame(
        {
            "link": [f"session?session={quote(key, safe='')}" for key in lost["key"]],
            "title": lost["title"].astype(object).fillna(UNTITLED),
            "tool": lost["agent_label"],
            "project": lost["project"],
            "model": lost["model"],
            "failed_at": lost["at"],
            "cost_usd": lost["whole_cost_usd"],
        }
    ).sort_values("failed_at", ascending=False)
    column = st.column_config
    st.dataframe(
        table,
        hide_index=True,
        width="stretch",
        column_config={
            "link": column.LinkColumn("Session", display_text="open"),
            "title": "Title",
            "tool": "Tool",
            "project": "Project",
            "model": "Model",
            "failed_at": column.DatetimeColumn("Failed"),
            "cost_usd": column.NumberColumn("Cost", format="dollar"),
        },
    )


def _columns() -> dict[str, Any]:
    column = st.column_config
    return {
        "signature": None,
        "example": None,
        "class": "Class",
        "text": column.TextColumn("Error", width="large"),
        "sessions": column.NumberColumn("Sessions"),
        "trend": column.BarChartColumn("By day", y_min=0),
        "cost_usd": column.NumberColumn("Cost", format="dollar"),
        "unpriced_sessions": "Unpriced",
        "lost_hours": column.NumberColumn("Hours", format="%.1f"),
        "cured": column.ProgressColumn("Cured", format="percent", min_value=0, max_value=1),
        "projects": column.ListColumn("Projects"),
        "tools": column.ListColumn("Tools"),
        "models": column.ListColumn("Models"),
        "first_seen": column.DatetimeColumn("First seen"),
        "last_seen": column.DatetimeColumn("Last seen"),
    }
