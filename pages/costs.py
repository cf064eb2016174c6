"""Where the money goes."""

import streamlit as st

from lib import ledger
from lib.ledger import Dimension
from lib.selection import narrowed
from lib.store import StoreError
from lib.ui import budgets, cost_charts, cost_tables, cost_tools, costs, plans, selection, state

shared = state.shared()
st.title("Costs")
try:
    rows = costs.rows_of(shared)
    choice = costs.choose(rows)
    in_period = ledger.within(rows, choice.period)
    costs.figures(shared, rows, in_period, choice)
    standings = budgets.standings(shared)
except StoreError as error:
    st.error("The store can't be read at the moment. Trying again.")
    st.text(str(error))
    st.stop()

selected = selection.read(choice.zone)
selection.tell(selected, choice.zone)
st.subheader("Over time")
limits = budgets.limits(shared, standings, rows, choice)
cost_charts.over_time(rows, in_period, choice, selected, limits)
chosen = narrowed(in_period, selected, choice.zone)

st.subheader("Budgets")
budgets.section(shared, standings)

st.subheader("What it went to")
names: dict[str, Dimension] = {name: one for one, name in costs.DIMENSION_NAMES.items()}
tabs = st.tabs([*names, "Pivot"], key="table", on_change="rerun", bind="query-params")
for name, tab in zip([*names, "Pivot"], tabs, strict=True):
    if not tab.open:
        continue
    with tab:
        if name in names:
            cost_tables.table(chosen, names[name])
        else:
            cost_tables.pivot(chosen, choice)

st.subheader("How it went")
paint = costs.painted(rows, "agent_label")
sessions = state.sessions_frame(shared.store)
drawn = {
    "Top sessions": lambda: cost_charts.top(in_period, choice, selected, paint),
    "Cost and duration": lambda: cost_charts.duration(sessions, in_period, choice, selected, paint),
    "When": lambda: cost_charts.when(in_period, choice, selected),
    "Cache": lambda: cost_charts.cache(in_period, choice, selected),
    "Context": lambda: cost_charts.context(shared, in_period, choice, selected),
    "Tools": lambda: cost_tools.tools(
        shared, narrowed(rows, selected, choice.zone, but="span"), selected.span or choice.period
    ),
    "Five-hour windows": lambda: cost_charts.five_hours(
        costs.window_starts(shared), rows, choice, selected
    ),
}
tabs = st.tabs(list(drawn), key="chart", on_change="rerun", bind="query-params")
for draw, tab in zip(drawn.values(), tabs, strict=True):
    if tab.open:
        with tab:
            draw()

st.subheader("Plans")
plans.section(shared)
