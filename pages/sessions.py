"""All sessions as cards, live."""

import streamlit as st

from lib.store import StoreError
from lib.ui import board, budgets, notices, state

shared = state.shared()
with st.container(horizontal=True, vertical_alignment="center"):
    st.title("AI Sessions", width="stretch")
    if shared.access.level == "act":
        st.page_link("pages/launch.py", label="New session", icon=":material/add:")


def live() -> None:
    """Look whether something moved, and draw it."""
    above = st.container()
    board.take_clicks(shared)
    try:
        frame = state.sessions_frame(shared.store)
        standings = budgets.lately(shared)
        content = board.content(shared, frame, budgets.badges(standings))
        budgets.tell(shared, standings)
        with above:
            budgets.bar(standings)
            notices.show(shared, frame, content.shown)
        board.draw(shared, content)
    except StoreError as error:
        above.error("The store can't be read at the moment. Trying again.")
        above.text(str(error))
        if (seen := board.last()) is not None:
            board.draw(shared, seen)


st.fragment(live, run_every=shared.board_seconds)()
