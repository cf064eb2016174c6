"""Starting a session on a LeanSpec server.

A link chooses (`?server=…&project=…&spec=…`) and never starts.
"""

import streamlit as st

from lib import launching
from lib.settings import settings
from lib.ui import launch, state

shared = state.shared()
st.title("New session")
if shared.access.level != "act":
    st.info(f"Sessions can't be started from here. {shared.access.reason}")
    st.stop()
rows = launching.in_order(shared.store.servers(), settings().machine)
if not rows:
    st.info("Sessions are started on a LeanSpec server, and none with a project is connected yet.")
    st.page_link("pages/settings.py", label="Set one up", icon=":material/settings:")
    st.stop()
launch.arrive(shared.store, rows)
if wrong := launch.notes():
    st.warning("The link asked for what does not exist here; this part of it is ignored:")
    st.text("\n".join(wrong))
left, right = st.columns(2)
with left:
    row = launch.choose_server(rows)
with right:
    project = launch.choose_project(row)
launch.draw(shared.store, row, project, launch.offer(row, project))
