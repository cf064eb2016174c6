"""The form in which a budget is added or changed."""

import uuid
from collections.abc import Mapping, Sequence
from typing import get_args
from zoneinfo import available_timezones

import streamlit as st

from lib import budgets
from lib.model_notes import Budget, BudgetPeriod
from lib.settings import settings
from lib.store import Store, StoreError
from lib.ui import state

NEW = ""
DIMENSIONS = {
    "": "Everything",
    "project": "Project",
    "tool": "Tool",
    "model": "Model",
    "branch": "Branch",
}
_OPEN = "budget_form"
_ERROR = "budget_form_error"
_ROUND = "budget_form_round"


def open_for(budget_id: str) -> None:
    """Show the form for a budget, empty for `NEW`."""
    st.session_state[_OPEN] = budget_id
    st.session_state[_ERROR] = None
    # New keys make new fields: nothing of what was typed before is in them.
    st.session_state[_ROUND] = st.session_state.get(_ROUND, 0) + 1


def is_open(budget_id: str) -> bool:
    """Whether the form is shown for a budget."""
    return st.session_state.get(_OPEN) == budget_id


def draw(store: Store, old: Budget | None, values: Mapping[str, Sequence[str]]) -> None:
    """The form. `values`: what there is of each dimension to choose from."""
    st.markdown("**Change the budget**" if old else "**Add a budget**")
    first = st.container(horizontal=True, vertical_alignment="bottom")
    first.text_input(
        "Name", old.name if old else "", key=_key("name"), max_chars=budgets.LONGEST_NAME, width=260
    )
    first.number_input(
        "US dollars",
        min_value=0.0,
        max_value=budgets.LARGEST_USD,
        value=old.amount_usd if old else 100.0,
        step=10.0,
        format="%.2f",
        key=_key("amount"),
        width=180,
    )
    periods = list(budgets.PERIODS)
    first.selectbox(
        "Each",
        periods,
        index=periods.index(old.period if old else "month"),
        format_func=budgets.PERIODS.__getitem__,
        key=_key("period"),
        width=130,
    )
    second = st.container(horizontal=True, vertical_alignment="bottom")
    known = list(DIMENSIONS)
    dimension = second.selectbox(
        "For",
        known,
        index=known.index((old.dimension if old else None) or ""),
        format_func=DIMENSIONS.__getitem__,
        key=_key("dimension"),
        width=160,
    )
    if dimension:
        kept = [old.value] if old and old.dimension == dimension and old.value else []
        options = list(dict.fromkeys([*kept, *values.get(dimension, ())]))
        second.selectbox(DIMENSIONS[dimension], options, key=_key(dimension), width=320)
    zone = old.time_zone if old else str(state.viewer_zone())
    zones = sorted(available_timezones() | {zone})
    second.selectbox(
        "Its days begin in",
        zones,
        index=zones.index(zone),
        key=_key("zone"),
        width=240,
    )
    if error := st.session_state.get(_ERROR):
        st.error("The budget is not saved.")
        st.text(error)
    with st.container(horizontal=True):
        st.button("Save", type="primary", key=_key("save"), on_click=_save, args=(store, old))
        st.button("Cancel", key=_key("cancel"), on_click=_close)


def _key(name: str) -> str:
    return f"budget_form_{name}_{st.session_state[_ROUND]}"


def _close() -> None:
    st.session_state.pop(_OPEN, None)


def _save(store: Store, old: Budget | None) -> None:
    state_of = st.session_state
    dimension = state_of[_key("dimension")] or None
    period: BudgetPeriod = next(
        one for one in get_args(BudgetPeriod) if one == state_of[_key("period")]
    )
    budget = Budget(
        id=old.id if old else uuid.uuid4().hex,
        name=state_of[_key("name")].strip(),
        amount_usd=float(state_of[_key("amount")]),
        period=period,
        dimension=dimension,
        value=state_of.get(_key(dimension)) if dimension else None,
        time_zone=state_of[_key("zone")],
        by=settings().machine,
        at=state.now_ms(),
    )
    try:
        budgets.change(store, budget, state.now())
    except (ValueError, StoreError) as error:
        state_of[_ERROR] = str(error)
    else:
        _close()
