"""Where the money goes."""

import streamlit as st

from lib import costs as figures_of
from lib import ledger
from lib.ledger import Dimension
from lib.store import StoreError
from lib.ui import budgets, charts, cost_tables, costs, state

shared = state.shared()
st.title("Costs")
try:
    rows = costs.rows_of(shared)
    choice = costs.choose(rows)
    costs.figures(shared, rows, choice)
    standings = budgets.standings(shared)
except StoreError as error:
    st.error("The store can't be read at the moment. Trying again.")
    st.text(str(error))
    st.stop()

st.subheader("Over time")
limits = budgets.limits(shared, standings, rows, choice)
chosen = ledger.within(rows, costs.over_time(rows, choice, limits))

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

left, right = st.columns(2)
with left:
    st.subheader("When")
    table = figures_of.weekday_by_hour(chosen, choice.measure, choice.zone)
    st.plotly_chart(charts.heat_map(table, choice.unit), key="heat_map", width="stretch")
with right:
    st.subheader("Cost and duration")
    cost_tables.sessions(shared, rows, chosen)
