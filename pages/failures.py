"""Why sessions fail."""

import streamlit as st

from lib.store import StoreError
from lib.ui import failure_details, failures, state

shared = state.shared()
st.title("Failures")
try:
    shown = failures.choose(shared)
except StoreError as error:
    st.error("The store can't be read at the moment. Trying again.")
    st.text(str(error))
    st.stop()
failures.figures(shown)
st.subheader("What went wrong")
groups = failures.groups(shown)
failure_details.details(shared, shown, groups)
