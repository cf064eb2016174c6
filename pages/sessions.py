"""All sessions as cards, live."""

import streamlit as st

from lib import filters
from lib.store import StoreError
from lib.ui import board, notices, state

shared = state.shared()
st.title("AI Sessions")


def live() -> None:
    """Look whether something moved, and draw it."""
    above = st.container()
    try:
        frame = state.sessions_frame(shared.store)
        shown = len(filters.apply(frame, shared.filters, state.now()))
        with above:
            notices.show(shared, frame, shown)
        board.draw(shared, frame)
    except StoreError as error:
        above.error("The store can't be read at the moment. Trying again.")
        above.text(str(error))


st.fragment(live, run_every=shared.board_seconds)()
