"""What collects on which machine, where it looks, and what it could not read."""

import streamlit as st

from lib.ui import machines, state

store = state.shared().store
st.title("Machines")
machines.daemons(store.daemons())
machines.sources(store.sources())
machines.servers(store.servers())
machines.records(store.counts())
machines.skipped(store.files())
