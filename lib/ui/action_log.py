"""The table of the Action log: every action that was ever asked for, refusals too."""

import re
from collections.abc import Collection, Sequence
from typing import get_args

import pandas as pd
import streamlit as st

from lib.cards import session_link
from lib.model import Action, ActionKind, ActionState
from lib.store import Store
from lib.store_actions import ActionFilter
from lib.ui import state

PAGE_ROWS = 100
STATES: dict[ActionState, str] = {
    "requested": "🕓 requested",
    "running": "⏳ under way",
    "done": "✅ done",
    "refused": "🚫 refused",
    "failed": "❌ failed",
    "unverified": "❔ not verified",
}
_ADDRESS = re.compile(r"https?://[^\s,;]+")
_KINDS: tuple[ActionKind, ...] = get_args(ActionKind)


def filter_bar() -> ActionFilter:
    """Draw the filters of the log; return what is chosen."""
    target, kinds, states = st.columns([2, 1, 1])
    return ActionFilter(
        target=target.text_input(
            "Search",
            placeholder="Session, server, person, outcome",
            max_chars=200,
            key="action_target",
        ),
        kinds=kinds.multiselect("Action", _KINDS, format_func=str.capitalize, key="action_kinds"),
        states=states.multiselect(
            "Outcome", list(STATES), format_func=STATES.__getitem__, key="action_states"
        ),
    )


def table(
    store: Store, wanted: ActionFilter, known: Collection[str], *, with_addresses: bool
) -> None:
    """Draw the chosen actions, newest first. `known`: keys of sessions that have a page.

    `with_addresses`: whether the viewer may know where servers are.
    """
    count = store.actions.count(wanted)
    if not count:
        st.info("Nothing was asked for yet." if not any(wanted) else "Nothing matches.")
        return
    pages = -(-count // PAGE_ROWS)
    page = st.pagination(pages, key="action_page") if pages > 1 else 1
    st.caption(f"{count:,} action{'' if count == 1 else 's'}, newest first")
    actions = store.actions.listed(wanted, PAGE_ROWS, (page - 1) * PAGE_ROWS)
    if not with_addresses:
        for one in actions:
            one.target = _ADDRESS.sub("…", one.target)
            one.outcome = _ADDRESS.sub("…", one.outcome or "")
    _table(actions, known)


def _table(actions: Sequence[Action], known: Collection[str]) -> None:
    zone = state.viewer_zone()
    times = pd.to_datetime(pd.Series([one.at for one in actions]), unit="ms", utc=True)
    rows = pd.DataFrame(
        {
            "When": times.dt.tz_convert(zone),
            "By": [one.by for one in actions],
            "Action": [one.kind.capitalize() for one in actions],
            "Target": [one.target for one in actions],
            "Session": [_link(one.session_key, known) for one in actions],
            "State": [STATES.get(one.state, one.state) for one in actions],
            "Outcome": [one.outcome or "" for one in actions],
            "New session": [_link(one.result_key, known) for one in actions],
            "Machine": [one.machine for one in actions],
        }
    )
    links = st.column_config.LinkColumn(display_text="Open", width="small")
    st.dataframe(
        rows,
        hide_index=True,
        width="stretch",
        placeholder="–",
        column_config={
            "When": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm:ss"),
            "Target": st.column_config.TextColumn(width="medium"),
            "Session": links,
            "Outcome": st.column_config.TextColumn(width="large"),
            "New session": links,
        },
    )


def _link(key: str | None, known: Collection[str]) -> str | None:
    return session_link(key) if key is not None and key in known else None
