"""The sidebar: filters, their counts and their link, and the refresh.

The widgets hold the state. The address is read when a viewer arrives, goes back or forward, or
follows a link, and otherwise written, so that a link reproduces the view.
"""

import re
from collections.abc import Mapping

import pandas as pd
import streamlit as st
from streamlit_autorefresh import st_autorefresh

from lib import filters
from lib.cards import LOOKS
from lib.failures import Signature, group_name
from lib.filters import FACETS, NONE, Facet, Filters
from lib.health import CONCERNS
from lib.per_frame import PerFrame, once_per_frame
from lib.ui import address
from lib.ui.state import now

INTERVALS: dict[int, str] = {
    5: "Every 5 seconds",
    15: "Every 15 seconds",
    60: "Every minute",
    0: "Off",
}
_TITLES: dict[Facet, tuple[str, str]] = {
    "project": ("Project", "All projects"),
    "tool": ("Tool", "All tools"),
    "status": ("Status", "All statuses"),
    "look": ("Needs a look", "Healthy or not"),
    "error": ("Error", "Failed or not"),
    "model": ("Model", "All models"),
    "branch": ("Branch", "All branches"),
}
_COUNT = re.compile(r" \([\d,]+\)$")
_NOTES = "filter_notes"
_CHOSEN = "filter_chosen"
_PAGE = "filter_page"
_WITH_PERIOD = ("costs", "failures")
"""Pages that have a period of their own and count dismissed sessions."""
_counts = PerFrame[dict[Facet, dict[str, int]]]()
"""How many sessions each choice has, by what is chosen."""
_OF_THE_BOARD = ("filter_range", "filter_sort", "filter_dismissed")


def filter_bar(frame: pd.DataFrame, page: str, settled: bool) -> Filters:
    """Draw the filters; answer what is chosen.

    `settled`: everything was read once, so that a name nobody has heard of is a wrong one.
    """
    _read_address(frame, page, settled)
    names = _names_of(frame)
    for facet in FACETS:
        _take_labels_for_values(frame, facet, names[facet])
    has_period = page in _WITH_PERIOD
    whole = {"range": "all", "dismissed": True} if has_period else {}
    narrowed = _chosen().model_copy(update=whole)
    # To the minute in which the frame was made.
    counted = _counts.get(
        frame, narrowed.model_dump_json(), lambda: filters.counts(frame, narrowed, now())
    )
    st.text_input(
        "Search",
        key="filter_text",
        type="search",
        live="300ms",
        placeholder="Id, title, prompt, message, error…",
        max_chars=filters.LONGEST_TEXT,
    )
    st.button(
        "Clear filters",
        on_click=clear,
        disabled=_chosen() == Filters(),
        width="stretch",
        icon=":material/filter_alt_off:",
    )
    for facet in FACETS:
        _facet(facet, counted[facet], names[facet])
    if has_period:
        for name in _OF_THE_BOARD:
            # Set again, since Streamlit forgets what no widget shows.
            st.session_state[name] = st.session_state[name]
    else:
        _board_only()
    chosen = st.session_state[_CHOSEN] = _chosen()
    _write_address(chosen)
    return chosen


def _board_only() -> None:
    st.selectbox(
        "Time range",
        list(filters.RANGES),
        key="filter_range",
        format_func=lambda name: filters.RANGES[name][0],
        help="For sessions that have ended. The others are always shown.",
    )
    st.selectbox(
        "Sort by", list(filters.SORTS), key="filter_sort", format_func=filters.SORTS.__getitem__
    )
    st.toggle("Show dismissed", key="filter_dismissed")


def kept_filters() -> Filters:
    """What is chosen, for a page that has no use for filters and draws none."""
    return st.session_state.get(_CHOSEN, Filters())


def clear() -> None:
    """Back to everything of now and the last 24 hours."""
    _set_widgets(Filters())
    st.session_state[_NOTES] = []


def show_dismissed() -> None:
    """Whatever ended whenever, dismissed or not."""
    _set_widgets(Filters(range="all", dismissed=True))


def show_all() -> None:
    """However long ago a session ended."""
    _set_widgets(Filters(range="all"))


def choose_project(project: str) -> None:
    """Only sessions of this project, whatever else is chosen."""
    st.session_state["filter_project"] = [project]


def notes() -> list[str]:
    """What the address asked for that does not exist."""
    return st.session_state.get(_NOTES, [])


def refresh_bar() -> int:
    """Draw the refresh controls and mount the timer; answer the interval in seconds, 0 for off."""
    st.session_state.setdefault("refresh_seconds", 5)
    st.button("Refresh now", width="stretch", icon=":material/refresh:")
    seconds = st.selectbox(
        "Refresh", list(INTERVALS), key="refresh_seconds", format_func=INTERVALS.__getitem__
    )
    if seconds:
        st_autorefresh(interval=seconds * 1000, key=f"refresh_{seconds}")
    return seconds


def _read_address(frame: pd.DataFrame, page: str, settled: bool) -> None:
    """Set the widgets from the address where it, not the widgets, was what the viewer changed."""
    query = {
        name: st.query_params.get_all(name)
        for name in filters.PARAMETERS
        if name in st.query_params
    }
    arrived = _PAGE not in st.session_state
    moved = st.session_state.get(_PAGE) != page
    st.session_state[_PAGE] = page
    went_back = address.went_back(filters.PARAMETERS)
    if arrived or (query and (moved or went_back)) or (went_back and not moved):
        known: dict[Facet, list[str]] = {}
        if settled:
            known = {facet: filters.values(frame, facet) for facet in FACETS}
        chosen, st.session_state[_NOTES] = filters.from_query(query, known)
        _set_widgets(chosen)
    elif "filter_text" not in st.session_state:
        # A run that ended before it drew the widgets made Streamlit forget them.
        _set_widgets(kept_filters())


def _set_widgets(chosen: Filters) -> None:
    for facet in FACETS:
        st.session_state[f"filter_{facet}"] = list(chosen.chosen(facet))
    for name in ("range", "text", "sort", "dismissed"):
        st.session_state[f"filter_{name}"] = getattr(chosen, name)


def _chosen() -> Filters:
    """The filters as the widgets stand."""
    state = st.session_state
    return Filters(
        **{facet: tuple(state[f"filter_{facet}"]) for facet in FACETS},
        range=state["filter_range"],
        text=(state["filter_text"] or "").strip(),
        sort=state["filter_sort"],
        dismissed=state["filter_dismissed"],
    )


def _write_address(chosen: Filters) -> None:
    query = filters.to_query(chosen)
    for name in filters.PARAMETERS:
        address.write(name, query.get(name, []))


def _take_labels_for_values(frame: pd.DataFrame, facet: Facet, names: Mapping[str, str]) -> None:
    """Undo the browser's naming of a choice by a label whose count has moved since.

    Setting the widget's state also gives the browser the new label.
    """
    chosen = st.session_state[f"filter_{facet}"]
    if not chosen:
        return
    known = set(LOOKS if facet == "status" else filters.values(frame, facet))
    by_name = {name: value for value, name in names.items()}
    found = [
        value if value in known else by_name.get(_bare(value), _bare(value)) for value in chosen
    ]
    if found != chosen:
        st.session_state[f"filter_{facet}"] = list(dict.fromkeys(found))


def _facet(facet: Facet, counted: Mapping[str, int], names: Mapping[str, str]) -> None:
    """One multiselect with counts in its labels."""
    key = f"filter_{facet}"
    options = _in_order(facet, counted)
    options += [value for value in st.session_state[key] if value not in counted]
    by_name = {names.get(value, value): value for value in options}

    def label(value: str) -> str:
        # Streamlit also asks for the label of an old label, to see whether it is still an option.
        known = value if value in options else by_name.get(_bare(value), _bare(value))
        return f"{names.get(known, known)} ({counted.get(known, 0):,})"

    title, placeholder = _TITLES[facet]
    st.multiselect(title, options, key=key, format_func=label, placeholder=placeholder)


def _in_order(facet: Facet, counted: Mapping[str, int]) -> list[str]:
    """The most frequent first; statuses as they follow each other in a session's life."""
    if facet == "status":
        return [value for value in LOOKS if value in counted]
    return sorted(counted, key=lambda value: (-counted[value], value.lower()))


@once_per_frame
def _names_of(frame: pd.DataFrame) -> dict[Facet, Mapping[str, str]]:
    return {facet: _names(frame, facet) for facet in FACETS}


def _names(frame: pd.DataFrame, facet: Facet) -> Mapping[str, str]:
    """How the values of a facet are shown, where not as they are."""
    found = {NONE: f"no {facet}"}
    if facet == "tool":
        pairs = frame[["agent", "agent_label"]].drop_duplicates()
        found |= dict(zip(pairs["agent"], pairs["agent_label"], strict=True))
    if facet == "status":
        found |= {name: f"{look.icon} {look.words}" for name, look in LOOKS.items()}
    if facet == "look":
        found = {NONE: "No concern"} | CONCERNS
    if facet == "error":
        columns = ["error_signature", "error_class", "error_text"]
        errors = frame[columns].dropna(subset=columns[:1]).drop_duplicates(columns[:1])
        told = [Signature._make(row) for row in errors.itertuples(index=False)]
        found |= {one.id: group_name(one) for one in told}
    return found


def _bare(label: str) -> str:
    return _COUNT.sub("", label)
