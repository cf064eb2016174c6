"""Why sessions fail."""

import streamlit as st

from lib.store import StoreError
from lib.ui import failure_details, failure_rates, failure_tools, failures, state

shared = state.shared()
st.title("Failures")
try:
    shown = failures.choose(shared)
    failures.figures(shown)
    tabs = st.tabs(
        ["What went wrong", "How often", "How long", "Tools and limits"],
        key="view",
        on_change="rerun",
        bind="query-params",
    )
    groups, often, long, inside = tabs
    if groups.open:
        with groups:
            failure_details.details(shared, shown, failures.groups(shown))
    if often.open:
        with often:
            failure_rates.over_time(shown)
    if long.open:
        with long:
            failure_rates.durations(shared, shown)
    if inside.open:
        with inside:
            failure_tools.tools(shared, shown)
except StoreError as error:
    st.error("The store can't be read at the moment. Trying again.")
    st.text(str(error))
