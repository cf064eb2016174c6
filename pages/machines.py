"""What collects on which machine, where it looks, and what it could not read."""

import streamlit as st

from lib import samples
from lib.ui import machines, state

shared = state.shared()
store = shared.store
st.title("Machines")
machines.daemons(store)
machines.sources(store.sources())
machines.servers(store.servers(), with_addresses=shared.access.level == "act")
machines.records(store.counts(without=samples.MACHINE))
machines.skipped(store.files())
