"""Which LeanSpec servers this machine's daemon asks."""

import os

import streamlit as st

from lib.servers import configured
from lib.settings import settings
from lib.ui import server_list, state

shared = state.shared()
config = settings()
st.title("Settings")
st.subheader("LeanSpec servers")
st.caption("The sessions of all their projects stand on the board; *New session* starts one there.")
rows = {row.url: row for row in shared.store.servers() if row.machine == config.machine}
server_list.draw(configured(config, os.environ), rows, may_act=shared.access.level == "act")
