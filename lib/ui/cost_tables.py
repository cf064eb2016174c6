"""The tables of the Costs page, and cost against duration."""

from typing import Any
from urllib.parse import quote

import pandas as pd
import streamlit as st

from lib import costs, ledger
from lib.cards import money
from lib.ledger import DIMENSIONS, Dimension
from lib.ui.costs import DIMENSION_NAMES, Choice, as_text
from lib.ui.exports import exports

MOST_COLUMNS = 40
"""Of a pivot; a browser draws no more at ease."""
_SHORT_ID = 8


def table(rows: pd.DataFrame, by: Dimension) -> None:
    """Figures by one dimension, with the sum of what is shown, and exports of exactly that."""
    column = DIMENSIONS[by]
    found = ledger.grouped(rows, [column])
    if by == "session":
        about = costs.abouts(rows, found["top_key"])
        found.insert(1, "title", found["top_key"].map(about["title"]))
        found.insert(2, "tool", found["top_key"].map(about["agent_label"]))
        found.insert(3, "project", found["top_key"].map(about["project"]))
        found["link"] = [f"session?session={quote(key, safe='')}" for key in found["top_key"]]
    whole = costs.known_usd(found)
    found["cost_usd"] = found["cost_usd"].where(ledger.is_priced(found))
    found["share"] = found["cost_usd"] / whole if whole else found["cost_usd"]
    found = found.rename(columns={"agent_label": "tool"} if by == "tool" else {})
    # The link holds a session's key; a column that is not shown would be exported all the same.
    found = found[[name for name in _ORDER if name in found and name != "top_key"]]
    st.dataframe(
        found,
        hide_index=True,
        width="stretch",
        placeholder="unpriced",
        column_config=_columns(by),
    )
    unpriced = int(found["unpriced_requests"].sum())
    also = f" · {unpriced:,} calls unpriced" if unpriced else ""
    st.caption(
        as_text(
            f"All {len(found):,}: {'unpriced' if whole is None else money(whole)} · "
            f"{int(found['total_tokens'].sum()):,} tokens · "
            f"{int(found['requests'].sum()):,} calls{also}"
        )
    )
    exports(found, f"costs-by-{by}")


_ORDER = [
    "link",
    "title",
    *dict.fromkeys([*DIMENSIONS, *DIMENSIONS.values()]),
    "cost_usd",
    "unpriced_requests",
    "share",
    "total_tokens",
    "sessions",
    *(name for name in ledger.FIGURES if name not in ("cost_usd", "unpriced_requests")),
]


def _columns(by: Dimension) -> dict[str, Any]:
    column = st.column_config
    number = {
        "requests": "Calls",
        "sessions": "Sessions",
        "input_tokens": "Input",
        "output_tokens": "Output",
        "cache_write_tokens": "Cache write",
        "cache_read_tokens": "Cache read",
        "reasoning_tokens": "Reasoning",
        "total_tokens": "Tokens",
        "unpriced_requests": "Unpriced calls",
    }
    names = {"tool": "Tool", "project": "Project", "title": "Title"}
    if by not in ("tool", "session"):
        names[DIMENSIONS[by]] = DIMENSION_NAMES[by]
    return {
        **{key: column.NumberColumn(label, format="localized") for key, label in number.items()},
        **{key: column.TextColumn(label) for key, label in names.items()},
        "cost_usd": column.NumberColumn("Cost", format="dollar"),
        "cache_savings_usd": column.NumberColumn("Saved by cache", format="dollar"),
        "share": column.ProgressColumn("Share of cost", format="percent", min_value=0, max_value=1),
        "link": column.LinkColumn("Session", display_text="open"),
    }


def pivot(rows: pd.DataFrame, choice: Choice) -> None:
    """One measure by any two dimensions."""
    names = list(DIMENSION_NAMES)
    place = st.container(horizontal=True)
    down = place.selectbox(
        "Rows",
        names,
        index=2,
        key="rows",
        bind="query-params",
        format_func=DIMENSION_NAMES.__getitem__,
        width=160,
    )
    across = place.selectbox(
        "Columns",
        names,
        index=1,
        key="columns",
        bind="query-params",
        format_func=DIMENSION_NAMES.__getitem__,
        width=160,
    )
    if down == across or rows.empty:
        st.info("Choose two different dimensions." if down == across else "No model calls here.")
        return
    table = costs.pivot(rows, DIMENSIONS[down], DIMENSIONS[across], choice.measure)
    unpriced = rows.groupby(DIMENSIONS[down], observed=True)["unpriced_requests"].sum()
    unpriced = unpriced.reindex(table.index)
    if "session" in (down, across):
        names = session_names(rows)
        table = table.rename(index=names, columns=names)
    found = costs.with_totals(costs.largest(table, MOST_COLUMNS))
    form = "dollar" if choice.unit == "usd" else "localized"
    config = {str(name): st.column_config.NumberColumn(format=form) for name in found.columns}
    if choice.unit == "usd" and (left_out := int(unpriced.sum())):
        name = costs.unused("Unpriced calls", found.columns)
        found[name] = [*unpriced, left_out]
        config[name] = st.column_config.NumberColumn(format="localized")
    found.index.name = costs.unused(DIMENSION_NAMES[down], found.columns)
    st.dataframe(found, width="stretch", column_config=config, placeholder="–")
    exports(found.reset_index(), f"{choice.measure}-by-{down}-and-{across}")


def session_names(rows: pd.DataFrame) -> dict[str, str]:
    """What each session of `rows` is called where only a name can stand: no two alike."""
    about = costs.abouts(rows, rows["top_key"].unique())
    names: dict[str, str] = {}
    taken: set[str] = set()
    for key, title in about["title"].items():
        short = str(key).partition(":")[2][:_SHORT_ID]
        names[str(key)] = costs.unused(f"{title} · {short}", taken)
        taken.add(names[str(key)])
    return names
