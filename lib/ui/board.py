"""The board: all cards in one component, redrawn in place when something changed."""

import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import msgspec
import pandas as pd
import streamlit as st
from streamlit.components.v2 import component

from lib import filters, sections, spec_places
from lib.asked import request
from lib.cards import Badge, View
from lib.frame import today_totals
from lib.model import ActionKind
from lib.per_frame import PerFrame
from lib.settings import settings
from lib.store import StoreError
from lib.ui import outbox
from lib.ui.state import Shared, now, now_ms, sessions_frame, viewer_zone

_FOLDER = Path(__file__).parent
_COMPONENT = component(
    "quarterdeck_board",
    html=(_FOLDER / "board.html").read_text(encoding="utf-8"),
    css=(_FOLDER / "board.css").read_text(encoding="utf-8"),
    # Streamlit takes one module; without exports, the second file is as good as part of the first.
    js="".join(
        (_FOLDER / name).read_text(encoding="utf-8") for name in ("board.js", "board_actions.js")
    ),
)
_KEY = "board"
_made = PerFrame["Content"]()
"""The boards of a frame, by all else that they are made of."""
_ACKNOWLEDGED = "board_acknowledged"
_LIMITS = "board_limits"
_DRAWN = "board_drawn"
_FAILURE = "board_failure"
_SESSION = "board_session"


class Content(NamedTuple):
    """What the component draws."""

    data: bytes
    """JSON, since Streamlit would make it of anything else twice in each run of each viewer."""
    shown: int
    """How many sessions the filters leave."""


def content(shared: Shared, frame: pd.DataFrame, badges: Mapping[str, Sequence[Badge]]) -> Content:
    """The board of `frame` under the viewer's filters: made once for all who look alike.

    `badges`: what the cards of running sessions say, by key. The frame itself moves with the
    store and once a minute.
    """
    limits: dict[str, int] = st.session_state.setdefault(_LIMITS, {})
    look = msgspec.json.encode(
        (filters.to_query(shared.filters), limits, shared.access.level, str(viewer_zone()), badges)
    )
    made = _made.get(frame, look, lambda: _content(shared, frame, badges, limits))
    st.session_state[_DRAWN] = made
    return made


def _content(
    shared: Shared,
    frame: pd.DataFrame,
    badges: Mapping[str, Sequence[Badge]],
    limits: Mapping[str, int],
) -> Content:
    view = View(
        viewer_zone(),
        now(),
        may_act=shared.access.level == "act",
        query=urlencode(filters.to_query(shared.filters), doseq=True),
        badges=badges,
        has_spec=spec_places.has_spec,
    )
    left = filters.apply(frame, shared.filters, view.now)
    top = sections.top_level(frame)
    waits = (top["status"] == "waiting") & top["dismissed_at"].isna()
    waiting = sections.waiting(left, view)
    data = {
        "totals": sections.totals(top, today_totals(shared.store, view.zone, now_ms())),
        "waiting": waiting,
        "waitingHidden": max(0, int(waits.sum()) - len(waiting)),
        "sections": sections.sections(left, shared.filters.sort, view, limits),
    }
    return Content(msgspec.json.encode(data), len(left))


def draw(shared: Shared, board: Content) -> None:
    """Mount the component."""
    acknowledged = st.session_state.setdefault(_ACKNOWLEDGED, 0)
    beat_ms = shared.refresh_seconds * 1000
    _COMPONENT(
        key=_KEY,
        # One line of what is the viewer's own, one of what may be many viewers'.
        data=b'{"ack":%d,"beatMs":%d,"session":"%b"}\n%b'
        % (acknowledged, beat_ms, _session().encode(), board.data),
        on_outbox_change=lambda: None,
        on_beat_change=lambda: None,
    )


def last() -> Content | None:
    """What this viewer saw last, for when the store can't be read."""
    return st.session_state.get(_DRAWN)


def failure() -> str | None:
    """Why the last click could not be done; None when it was."""
    return st.session_state.get(_FAILURE)


def take_clicks(shared: Shared) -> None:
    """Do what the viewer clicked since the last look.

    Not in a callback of the component: one whose run is overtaken by another is never called.
    """
    state = st.session_state.get(_KEY)
    sent = state.get("outbox") if state else None
    received = outbox.receive(sent, _session(), st.session_state.get(_ACKNOWLEDGED, 0))
    for item in received.items:
        st.session_state[_FAILURE] = None
        try:
            _do(shared, item)
        except StoreError as error:
            st.session_state[_FAILURE] = str(error)
        st.session_state[_ACKNOWLEDGED] = item.n


def _session() -> str:
    """A name for this viewer's session, which no other has, of this server or another."""
    return st.session_state.setdefault(_SESSION, uuid.uuid4().hex)


def _do(shared: Shared, item: outbox.Item) -> None:
    if item.action == "more":
        if item.key in sections.SECTIONS:
            limits = st.session_state.setdefault(_LIMITS, {})
            limits[item.key] = limits.get(item.key, sections.FIRST_SHOWN) + sections.FIRST_SHOWN
    elif shared.access.level != "act":
        st.session_state[_FAILURE] = "This board is read-only."
    elif item.asked is not None:
        _ask(shared, item, item.asked)
    elif item.action == "dismiss":
        shared.store.dismiss(item.key, now_ms())
    else:
        shared.store.undismiss(item.key)


def _ask(shared: Shared, item: outbox.Item, kind: ActionKind) -> None:
    frame = sessions_frame(shared.store)
    row = next(iter(frame[frame["key"] == item.key].to_dict("records")), None)
    if row is None:
        st.session_state[_FAILURE] = "There is no such session any more."
        return
    # Numbered, so that clicks of one moment are done in their order.
    action_id = f"{item.n:08d}-{item.id}"
    shared.store.actions.request(request(action_id, kind, row, settings().machine, now_ms()))
