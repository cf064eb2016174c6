"""One session: what it is, and everything it said and did, live. `session?session=KEY`."""

import streamlit as st

from lib import frame
from lib.ui import quality, session, state

shared = state.shared()
key = st.query_params.get(session.PARAMETER, "")
sessions = state.sessions_frame(shared.store)
row = session.row_of(sessions, key)
if row is None:
    st.title("Session")
    session.chooser(sessions, key)
else:
    session.header(shared, sessions, row)
    if st.toggle("Why these figures", help="What was read for them, and what was left out."):
        usage = frame.load_usage(shared.store, state.now_ms())
        quality.session_panel(key, shared.store.files(), usage, sessions)
    choice = session.controls()
    seconds = shared.board_seconds if choice.follow else None
    st.fragment(session.transcript, run_every=seconds)(shared, key, choice)
