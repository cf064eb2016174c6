"""Who asked for what on which session, when, and what became of it."""

import streamlit as st

from lib.ui import action_log, state

shared = state.shared()
st.title("Action log")
wanted = action_log.filter_bar()
sessions = state.sessions_frame(shared.store)
may_act = shared.access.level == "act"
action_log.table(shared.store, wanted, set(sessions["key"]), with_addresses=may_act)
