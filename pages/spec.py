"""One spec with its sessions: `?project=…&spec=…`."""

import streamlit as st

from lib.ui import notices, spec, state

shared = state.shared()
frame = state.sessions_frame(shared.store)
notices.wrong_link()
project, name = spec.asked(frame, shared.filters.project)
if project is not None and name:
    spec.show(shared, frame, project, name)
else:
    st.title("Spec")
    st.info("Choose a spec." if project else "Choose the project whose spec you want to see.")
    spec.choose(shared, frame, project)
