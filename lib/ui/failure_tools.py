"""Tool calls that fail, calls that are repeated, API retries and limits: figures and tables."""

from typing import Any

import pandas as pd
import streamlit as st

from lib import failure_tools
from lib.cards import LOOKS, UNTITLED, session_link
from lib.ui import state
from lib.ui.exports import exports
from lib.ui.failures import Shown
from lib.ui.servers import counted
from lib.ui.state import Shared


def tools(shared: Shared, shown: Shown) -> None:
    """What failed inside the sessions that did something last in the period."""
    sessions = state.sessions_frame(shared.store)
    keys = failure_tools.active(sessions, shown.chosen, shown.period)
    _figures(shared, shown, sessions, keys)
    st.markdown("**Tool calls that failed or were denied**")
    _failing(shared, shown, keys)
    st.markdown("**The same call again and again**")
    _repeating(shared, sessions, keys)


def _figures(shared: Shared, shown: Shown, sessions: pd.DataFrame, keys: frozenset[str]) -> None:
    found = failure_tools.trouble(shared.store, keys)
    held = failure_tools.limits(sessions, shown.chosen)
    until = ""
    if held.first_reset is not None:
        until = f"the first until {held.first_reset.tz_convert(state.viewer_zone()):%a %H:%M}"
    told = [
        ("API calls tried again", f"{found.api_retries:,}", ""),
        ("Time that cost", _length(found.api_retry_ms), "as far as the records tell"),
        ("Refused by a limit", f"{found.rate_limits:,}", ""),
        ("Sessions held up by a limit now", f"{held.held:,}", until),
    ]
    for place, (label, value, note) in zip(st.columns(4), told, strict=True):
        card = place.container(border=True, height="stretch", gap="xsmall")
        card.metric(label, value)
        if note:
            card.caption(note)
    read = failure_tools.coverage(shared.store, keys)
    tried = f"; {read.unreadable:,} can't be read" if read.unreadable else ""
    st.caption(
        f"From the transcripts of {read.read:,} of {counted(read.sessions, 'session')} and "
        f"subagents that were last active in this period{tried}."
    )


def _length(milliseconds: int) -> str:
    seconds = milliseconds / 1000
    if seconds < 120:
        return f"{seconds:,.0f} s"
    return f"{seconds / 60:,.1f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"


def _failing(shared: Shared, shown: Shown, keys: frozenset[str]) -> None:
    found = failure_tools.failing(shared.store, shown.period, keys)
    if found.empty:
        st.caption("No tool call of this period is known to have failed.")
        return
    column = st.column_config
    names: dict[str, Any] = {
        "tool": "Tool",
        "mcp_server": "MCP server",
        "calls": column.NumberColumn("Calls", format="localized"),
        "failed": column.NumberColumn("Failed", format="localized"),
        "failed_share": column.ProgressColumn(
            "Failure rate", format="percent", min_value=0, max_value=1
        ),
        "denied": column.NumberColumn("Denied", format="localized"),
        "median_ms": column.NumberColumn("Median (ms)", format="localized"),
        "exit_statuses": column.TextColumn("Exit statuses", width="medium"),
    }
    st.dataframe(found, hide_index=True, width="stretch", placeholder="–", column_config=names)
    exports(found, "failed-tool-calls")


def _repeating(shared: Shared, sessions: pd.DataFrame, keys: frozenset[str]) -> None:
    found = failure_tools.repeating(shared.store, sessions, keys)
    if found.empty:
        st.caption(f"No session made the same call {failure_tools.REPEATS} times in a row.")
        return
    table = pd.DataFrame(
        {
            "link": [session_link(key) for key in found["key"]],
            "title": found["title"].astype(object).fillna(UNTITLED),
            "agent": found["agent_label"],
            "project": found["project"],
            "status": [LOOKS.get(one, LOOKS["unknown"]).words for one in found["status"]],
            "tool": found["tool"],
            "times": found["times"],
        }
    )
    column = st.column_config
    st.dataframe(
        table,
        hide_index=True,
        width="stretch",
        placeholder="–",
        column_config={
            "link": column.LinkColumn("Session", display_text="open"),
            "title": "Title",
            "agent": "Tool",
            "project": "Project",
            "status": "Status",
            "tool": "Repeated call",
            "times": column.NumberColumn("Times in a row"),
        },
    )
    exports(table, "repeated-calls")
