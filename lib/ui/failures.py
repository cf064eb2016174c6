"""The Failures page: what it shows, its figures, and the table of groups."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd
import streamlit as st

from lib import failure_groups, failure_notes, filters, ledger
from lib.cards import UNTITLED, money, session_link
from lib.costs import change
from lib.failure_groups import Headline
from lib.failure_notes import GroupState
from lib.failures import error_words
from lib.ledger import Period
from lib.model_notes import FailureNote
from lib.ui import address, periods, state
from lib.ui.costs import HOUR_MS, as_text
from lib.ui.exports import exports
from lib.ui.servers import counted, lasted
from lib.ui.state import Shared

GROUP = "group"
"""The query parameter that selects a group, by signature."""
TIME = "YYYY-MM-DD HH:mm"
STATES: dict[GroupState, str] = {
    "open": "open",
    "returned": "↩ came back",
    "resolved": "✔ resolved",
    "ignored": "🔕 ignored",
}
_SHOWN: dict[str, Sequence[GroupState]] = {
    "Open": ("open", "returned"),
    "Resolved": ("resolved",),
    "Ignored": ("ignored",),
    "All": tuple(STATES),
}


class Shown(NamedTuple):
    """What the page shows."""

    over: pd.DataFrame
    """`lib.failure_groups.ended`, of the sessions that the sidebar's filters leave."""
    before: pd.DataFrame | None
    """The same of the period before; None where there is none."""
    chosen: frozenset[str]
    """Keys of all sessions that the sidebar's filters leave."""
    retried: set[str]
    """Keys of the sessions that a retry cured."""
    notes: dict[str, list[FailureNote]]
    """What people wrote to each group."""
    states: Mapping[str, GroupState]
    """How things stand with each group that ever failed."""
    period: Period


def choose(shared: Shared) -> Shown:
    """Draw the period's control, which is in the address; answer what is to be shown."""
    sessions = state.sessions_frame(shared.store)
    calls = ledger.load(shared.store, state.now_ms())
    everything = shared.filters.model_copy(update={"range": "all", "dismissed": True})
    left = frozenset(filters.apply(sessions, everything, state.now())["key"])
    above = st.container(horizontal=True, vertical_alignment="bottom")
    period = periods.choose(above, state.viewer_zone(), state.now()).period
    before = period.previous(state.now())

    ended = failure_groups.ended(sessions, calls, Period(None, None))
    ended = ended[ended["key"].isin(left)]
    notes = shared.store.failure_notes.listed()
    return Shown(
        ledger.within(ended, period),
        ledger.within(ended, before) if before is not None else None,
        left,
        failure_groups.cured(sessions),
        failure_notes.by_signature(notes),
        failure_notes.states(notes, failure_groups.last_failed(sessions)),
        period,
    )


def figures(shown: Shown) -> None:
    """The figures on top, each against the period before."""
    found = failure_groups.headline(shown.over)
    earlier = failure_groups.headline(shown.before) if shown.before is not None else None
    unpriced = f"{found.unpriced_sessions:,} sessions unpriced" if found.unpriced_sessions else ""
    told = {
        "Failed sessions": ("failed", f"{found.failed:,}", ""),
        "Of those that ended": ("", "–" if found.share is None else f"{found.share:.1%}", ""),
        "Cost lost": ("cost_usd", _money(found.cost_usd), unpriced),
        "Time lost": ("lost_ms", _length(found.lost_ms), ""),
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


def _length(milliseconds: float | None) -> str:
    return "unknown" if milliseconds is None else lasted(milliseconds)


def selected() -> str | None:
    """The signature of the group that the address names."""
    return next(iter(address.values(GROUP)), None)


def groups(shown: Shown) -> pd.DataFrame:
    """Draw the table of groups and its export; answer all groups of the period, also hidden ones.

    A row that is selected is in the address, so that its group stays whatever the order.
    """
    lost = failure_groups.failed(shown.over)
    found = failure_groups.groups(lost, shown.retried, state.viewer_zone())
    found["state"] = [shown.states[signature] for signature in found["signature"]]
    wanted = st.segmented_control(
        "Groups", list(_SHOWN), default="Open", required=True, key="show", bind="query-params"
    )
    listed = found[found["state"].isin(_SHOWN[wanted])].reset_index(drop=True)
    if listed.empty:
        none = "No session failed in this period."
        st.info(none if found.empty else f"None of these here. There are {_counted(found)}.")
        return found
    _table(listed)
    if len(listed) < len(found):
        hidden = found[~found["signature"].isin(listed["signature"])]
        st.caption(f"Not shown: {_counted(hidden)}.")
    return found


def _counted(found: pd.DataFrame) -> str:
    counts = found["state"].value_counts()
    told = [f"{counts[one]:,} {words}" for one, words in STATES.items() if one in counts]
    return f"{counted(len(found), 'group')} ({', '.join(told)})"


def _table(listed: pd.DataFrame) -> None:
    signatures = list(listed["signature"])
    table = presentable(listed)
    chosen = selected()
    rows = [signatures.index(chosen)] if chosen in signatures else []
    # A row is selected by its number: in another order it is another group.
    order = hashlib.sha256(" ".join(signatures).encode()).hexdigest()
    key = f"groups {order}"
    known = st.session_state.get(key)
    if known is not None and known["selection"]["rows"] != rows:
        # The address moved: by a link, or back and forward.
        st.session_state[key] = {"selection": {"rows": rows, "columns": [], "cells": []}}

    def note_selection() -> None:
        picked = st.session_state[key]["selection"]["rows"]
        address.put(GROUP, [signatures[one] for one in picked if one < len(signatures)])

    st.dataframe(
        table,
        key=key,
        hide_index=True,
        width="stretch",
        on_select=note_selection,
        selection_mode="single-row",
        selection_default={"selection": {"rows": rows}},
        placeholder="–",
        column_config=_columns(),
    )
    exports(table, "failures")


def presentable(listed: pd.DataFrame) -> pd.DataFrame:
    """The columns of groups that a table shows, in words and units for people."""
    return pd.DataFrame(
        {
            "class": [error_words(one) for one in listed["class"]],
            "text": listed["text"],
            "state": [STATES[one] for one in listed["state"]],
            "sessions": listed["sessions"],
            "trend": listed["trend"],
            "cost_usd": listed["cost_usd"],
            "unpriced_sessions": listed["unpriced_sessions"],
            "lost_hours": listed["lost_ms"] / HOUR_MS,
            "cured": listed["cured"],
            "projects": listed["projects"],
            "tools": listed["tools"],
            "models": listed["models"],
            "first_seen": listed["first_seen"].dt.tz_convert(state.viewer_zone()),
            "last_seen": listed["last_seen"].dt.tz_convert(state.viewer_zone()),
        }
    )


def _columns() -> dict[str, Any]:
    column = st.column_config
    return {
        "class": "Class",
        "text": column.TextColumn("Error", width="large"),
        "state": "State",
        "sessions": column.NumberColumn("Sessions"),
        "trend": column.BarChartColumn("By day", y_min=0),
        "cost_usd": column.NumberColumn("Cost", format="dollar"),
        "unpriced_sessions": "Unpriced",
        "lost_hours": column.NumberColumn("Hours", format="%.2f"),
        "cured": column.ProgressColumn("Cured", format="percent", min_value=0, max_value=1),
        "projects": column.ListColumn("Projects"),
        "tools": column.ListColumn("Tools"),
        "models": column.ListColumn("Models"),
        "first_seen": column.DatetimeColumn("First seen", format=TIME),
        "last_seen": column.DatetimeColumn("Last seen", format=TIME),
    }


def session_table(sessions: pd.DataFrame, more: dict[str, Any]) -> pd.DataFrame:
    """A link to each session with its title, tool and project, and the columns `more`."""
    about = {
        "link": [session_link(key) for key in sessions["key"]],
        "title": sessions["title"].astype("object").fillna(UNTITLED),
        "tool": sessions["agent_label"],
        "project": sessions["project"],
    }
    return pd.DataFrame(about | more)


def draw_sessions(table: pd.DataFrame, columns: dict[str, Any], name: str) -> None:
    """Draw a `session_table` and its exports. `columns`: the configuration of the further ones."""
    about = {
        "link": st.column_config.LinkColumn("Session", display_text="open"),
        "title": "Title",
        "tool": "Tool",
        "project": "Project",
    }
    st.dataframe(
        table,
        hide_index=True,
        width="stretch",
        placeholder="–",
        column_config=about | columns,
    )
    exports(table, name)
