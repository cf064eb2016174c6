"""What a page keeps in its address beside the widgets that do so themselves.

The session's state is what counts: a refresh that the browser asked for before it heard of a new
address comes with the old one, and would undo what the viewer has just chosen.
"""

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx


def values(name: str) -> list[str]:
    """The values of a query parameter, as they were last set here or came with a link."""
    key = _key(name)
    context = get_script_run_ctx()
    went_back = context is not None and context.is_history_navigation
    if key not in st.session_state or went_back:
        st.session_state[key] = st.query_params.get_all(name)
    _write(name)
    return st.session_state[key]


def put(name: str, chosen: list[str]) -> None:
    """Set the values of a query parameter; none takes it out of the address."""
    st.session_state[_key(name)] = chosen
    _write(name)


def _key(name: str) -> str:
    return f"address {name}"


def _write(name: str) -> None:
    chosen = st.session_state[_key(name)]
    if chosen == st.query_params.get_all(name):
        return
    if chosen:
        st.query_params[name] = chosen
    else:
        del st.query_params[name]
