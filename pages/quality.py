"""Data quality: what every figure is made of, what is left out of it, and why."""

import streamlit as st

from lib import frame
from lib import quality as accounts
from lib.ui import quality, state

store = state.shared().store
sessions = state.sessions_frame(store)
sessions = sessions[~sessions["sample"]]
usage = frame.load_usage(store, state.now_ms())
usage = usage[usage["session_key"].isin(sessions["key"])]
files = [file for file in store.files() if file.machine != frame.SAMPLE_MACHINE]

st.title("Data quality")
st.text("Why the totals are what they are. Any of these figures can be made again by a command.")
# What the files leave out has a table of its own below.
total = accounts.account(files, usage, sessions)._replace(flags={})
quality.why(total, [], "python -m lib.report why --json")
quality.agents(files, usage, sessions)
quality.flags(sessions)
quality.differences(sessions)
quality.unknown(files)
quality.transcripts(store.analyses.problems(), sessions)
quality.by_file(files)
