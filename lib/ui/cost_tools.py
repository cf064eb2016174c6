"""Which tools fill the context: what their results come to."""

from typing import Any

import pandas as pd
import streamlit as st

from lib import tool_figures
from lib.ledger import Period
from lib.tool_figures import Wanted
from lib.ui.exports import exports
from lib.ui.state import Shared


def tools(shared: Shared, rows: pd.DataFrame, period: Period) -> None:
    """What tools answered in `period` to the sessions of `rows`, a ledger, the most first."""
    keys = frozenset(str(key) for key in rows["session_key"].unique())
    found = filling(tool_figures.by_tool(shared.store, Wanted(period, keys)))
    if found.empty:
        st.info("No transcript that was read so far tells of a tool's result here.")
        return
    column = st.column_config
    names: dict[str, Any] = {
        "tool": "Tool",
        "mcp_server": "MCP server",
        "calls": column.NumberColumn("Calls", format="localized"),
        "result_characters": column.NumberColumn("Characters of results", format="localized"),
        "characters_share": column.ProgressColumn(
            "Share of all results", format="percent", min_value=0, max_value=1
        ),
        "characters_per_call": column.NumberColumn("Characters a call", format="localized"),
    }
    st.caption(
        "What a tool answers is in the prompt of every call after it, until a compaction. "
        "Four characters are about one token of English text or code."
    )
    st.dataframe(found, hide_index=True, width="stretch", placeholder="–", column_config=names)
    exports(found, "results-by-tool")


def filling(tools: pd.DataFrame) -> pd.DataFrame:
    """Of a frame of `lib.tool_figures.by_tool`, the tools with results, the most first."""
    found = tools[tools["result_characters"] > 0].copy()
    found["characters_per_call"] = (found["result_characters"] / found["calls"]).round()
    names = [
        "tool",
        "mcp_server",
        "calls",
        "result_characters",
        "characters_share",
        "characters_per_call",
    ]
    order = found.sort_values("result_characters", ascending=False, kind="stable")
    return order[names].reset_index(drop=True)
