"""What a page keeps in its address beside the widgets that do so themselves.

The session's state is what counts: a refresh that the browser asked for before it heard of a new
address comes with an old one, and would undo what the viewer has just chosen. But an address that
was not written since the browser last told one can only be the viewer's own doing: a link, or back
and forward. Streamlit's own word for the latter (`is_history_navigation`) is lost when another
request, such as the refresh's, meets it.
"""

from collections.abc import Iterable

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

_PAGE = "address page"
_WRITTEN = "address written"
_MOVED = "address moved"
_PUT = "address put"


def follow(page: str) -> None:
    """Note where the browser stands. Called at the top of each run, with the page that it draws."""
    written, unheard = _written(), st.session_state.pop(_PUT, set())
    if st.session_state.get(_PAGE) != page:
        # Streamlit leaves the old page's address behind.
        st.session_state[_PAGE] = page
        written.clear()
        _moved().clear()
    if not any(name in st.query_params for name in written):
        # It is also bare after a visit to another page that was too short to be drawn.
        return
    for name in written.keys() - unheard:
        told, known = st.query_params.get_all(name), written[name]
        if told in known:
            # It may be on its way to those written after it.
            written[name] = known[known.index(told) :]
        else:
            written[name] = [told]
            st.session_state[_key(name)] = told
            _moved().add(name)


def went_back(names: Iterable[str]) -> bool:
    """Whether the viewer, not a widget, set one of these query parameters since the last call."""
    context = get_script_run_ctx()
    moved = not _moved().isdisjoint(names)
    _moved().difference_update(names)
    return moved or (context is not None and context.is_history_navigation)


def values(name: str) -> list[str]:
    """The values of a query parameter, as they were last set here or came with a link."""
    key = _key(name)
    if went_back([name]) or key not in st.session_state:
        st.session_state[key] = st.query_params.get_all(name)
    write(name, st.session_state[key])
    return st.session_state[key]


def put(name: str, chosen: list[str]) -> None:
    """Set the values of a query parameter; none takes it out of the address. For callbacks."""
    st.session_state.setdefault(_PUT, set()).add(name)
    st.session_state[_key(name)] = chosen
    write(name, chosen)


def write(name: str, chosen: list[str]) -> None:
    """Have these values in the address, for a page that keeps what counts itself."""
    told = st.query_params.get_all(name)
    written = _written().setdefault(name, [told])
    if chosen == told:
        return
    written.append(chosen)
    if chosen:
        st.query_params[name] = chosen
    else:
        del st.query_params[name]


def _written() -> dict[str, list[list[str]]]:
    """By query parameter: what the browser told last, and what was written since."""
    return st.session_state.setdefault(_WRITTEN, {})


def _moved() -> set[str]:
    return st.session_state.setdefault(_MOVED, set())


def _key(name: str) -> str:
    return f"address {name}"
