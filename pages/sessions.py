"""All sessions as cards, live."""

import streamlit as st

from lib.store import StoreError
from lib.ui import board, notices, state

shared = state.shared()
st.title("AI Sessions")


def live() -> None:
    """Look whether something moved, and draw it."""
    above = st.container()
    try:
        frame = state.sessions_frame(shared.store)
        content = board.content(shared, frame)
        with above:
            notices.show(shared, frame, content.shown)
        board.draw(shared, content)
    except StoreError as error:
        above.error("The store can't be read at the moment. Trying again.")
        above.text(str(error))
        if (seen := board.last()) is not None:
            board.draw(shared, seen)


st.fragment(live, run_every=shared.board_seconds)()
