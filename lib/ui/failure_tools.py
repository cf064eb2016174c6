"""Tool calls that fail, calls that are repeated, API retries and limits: figures and tables."""

from typing import Any

import pandas as pd
import streamlit as st

from lib import failure_tools
from lib.cards import LOOKS
from lib.ui import state
from lib.ui.exports import exports
from lib.ui.failures import Shown, draw_sessions, session_table
from lib.ui.servers import counted, lasted
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
        ("Time that cost", lasted(found.api_retry_ms), "as far as the records tell"),
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
    table = session_table(
        found,
        {
            "status": [LOOKS.get(one, LOOKS["unknown"]).words for one in found["status"]],
            "repeated": found["tool"],
            "times": found["times"],
        },
    )
    columns = {
        "status": "Status",
        "repeated": "Repeated call",
        "times": st.column_config.NumberColumn("Times in a row"),
    }
    draw_sessions(table, columns, "repeated-calls")
