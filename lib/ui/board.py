"""The board: all cards in one component, redrawn in place when something changed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from lib import cards, filters
from lib.frame import today_totals
from lib.ui import outbox
from lib.ui.state import Shared, now, now_ms, viewer_zone

_FOLDER = Path(__file__).parent
_COMPONENT = st.components.v2.component(
    "quarterdeck_board",
    html=(_FOLDER / "board.html").read_text(encoding="utf-8"),
    css=(_FOLDER / "board.css").read_text(encoding="utf-8"),
    js=(_FOLDER / "board.js").read_text(encoding="utf-8"),
)
_KEY = "board"
_ACKNOWLEDGED = "board_acknowledged"
_LIMITS = "board_limits"
_DRAWN = "board_drawn"


def draw(shared: Shared, frame: pd.DataFrame) -> None:
    """Show `frame` under the viewer's filters."""
    data = _content(shared, frame)
    _COMPONENT(
        key=_KEY,
        data={
            **data,
            "ack": st.session_state.setdefault(_ACKNOWLEDGED, 0),
            "beatMs": shared.refresh_seconds * 1000,
        },
        on_outbox_change=_drain(shared),
        on_beat_change=lambda: None,
    )


def _content(shared: Shared, frame: pd.DataFrame) -> dict[str, Any]:
    """What the component draws; made anew only when the frame, the filters or the limits moved.

    The frame itself moves with the store and once a minute.
    """
    chosen, may_act = shared.filters, shared.access.level == "act"
    limits = st.session_state.setdefault(_LIMITS, {})
    made_of = (frame, chosen, dict(limits), may_act)
    drawn = st.session_state.get(_DRAWN)
    if drawn is not None and drawn[0][0] is frame and drawn[0][1:] == made_of[1:]:
        return drawn[1]
    zone = viewer_zone()
    top = cards.top_level(frame)
    left = filters.apply(frame, chosen, now())
    waiting_all = int(((top["status"] == "waiting") & top["dismissed_at"].isna()).sum())
    waiting = cards.waiting(left, zone)
    figures = today_totals(shared.store, zone, now_ms())
    today = cards.Today(figures.total_tokens, figures.known_cost_usd, figures.unpriced_requests)
    data = {
        "totals": cards.totals(top, today),
        "waiting": waiting,
        "waitingHidden": max(0, waiting_all - len(waiting)),
        "sections": cards.sections(left, chosen.sort, zone, limits=limits, may_act=may_act),
    }
    st.session_state[_DRAWN] = (made_of, data)
    return data


def _drain(shared: Shared) -> Callable[[], None]:
    def drain() -> None:
        state = st.session_state.get(_KEY)
        received = outbox.receive(
            state.get("outbox") if state else None, st.session_state.get(_ACKNOWLEDGED, 0)
        )
        for item in received.items:
            _do(shared, item)
        st.session_state[_ACKNOWLEDGED] = received.acknowledged

    return drain


def _do(shared: Shared, item: outbox.Item) -> None:
    if item.action == "more" and item.key in cards.SECTIONS:
        limits = st.session_state.setdefault(_LIMITS, {})
        limits[item.key] = limits.get(item.key, cards.FIRST_SHOWN) + cards.FIRST_SHOWN
    if shared.access.level != "act":
        return
    if item.action == "dismiss":
        shared.store.dismiss(item.key, now_ms())
    elif item.action == "undismiss":
        shared.store.undismiss(item.key)
