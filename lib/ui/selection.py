"""What is selected in the charts of the Costs page: it is in the address, and can be undone."""

from collections.abc import Callable, Mapping
from datetime import tzinfo
from typing import Any

import streamlit as st

from lib.selection import PARAMETERS, Selection, from_query, to_query
from lib.ui import address
from lib.ui.charts import WEEKDAYS
from lib.ui.servers import counted

Take = Callable[[Selection, list[Mapping[str, Any]]], Selection]
"""The selection that there is, and the points that a viewer selected in a chart; answers the new
selection."""


def read(zone: tzinfo) -> Selection:
    """The selection in the address."""
    query = {name: address.values(name) for name in PARAMETERS}
    return from_query(query, zone)


def taking(key: str, zone: tzinfo, take: Take) -> Callable[[], None]:
    """What a chart with this key calls when something is selected in it."""

    def note() -> None:
        points = st.session_state[key]["selection"]["points"]
        # None also when the chart was drawn anew, with no viewer having done anything.
        if points:
            _write(take(read(zone), points), zone)

    return note


def _write(selection: Selection, zone: tzinfo) -> None:
    query = to_query(selection, zone)
    for name in PARAMETERS:
        address.put(name, query.get(name, []))


def tell(selection: Selection, zone: tzinfo) -> None:
    """Say what is selected, and offer to undo it. Always one element, so that none below moves."""
    place = st.container(horizontal=True, vertical_alignment="center")
    if selection.is_empty:
        return
    place.caption(f"Everything below shows {_words(selection, zone)}, as selected in the charts.")
    place.button("Clear selection", on_click=_write, args=(Selection(), zone))


def _words(selection: Selection, zone: tzinfo) -> str:
    parts: list[str] = []
    if selection.span is not None:
        ends = (selection.span.start, selection.span.end)
        told = [f"{one.tz_convert(zone):%a %d %b %Y %H:%M}" for one in ends if one is not None]
        parts.append(" to ".join(told))
    if selection.clock:
        hours = [f"{WEEKDAYS[day]} {hour:02d}:00" for day, hour in selection.clock]
        parts.append(", ".join(hours) if len(hours) <= 4 else f"{len(hours)} hours of the week")
    if selection.sessions:
        parts.append(counted(len(selection.sessions), "session"))
    return " · ".join(parts)
