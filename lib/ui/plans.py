"""The plans' section on the Costs page: list prices against what subscriptions cost."""

import uuid
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from lib import costs, ledger, plans
from lib.cards import money
from lib.model_notes import Plan
from lib.plans import KNOWN, KnownPlan
from lib.readers import LABELS
from lib.settings import settings
from lib.store import Store, StoreError
from lib.ui import charts, state
from lib.ui.exports import exports
from lib.ui.servers import counted, plain
from lib.ui.state import Shared

NEW = ""
OWN = "Own price"
_OPEN = "plan_form"
_ERROR = "plan_form_error"
_ROUND = "plan_form_round"
_FAILED = "plan_failed"


def section(shared: Shared) -> None:
    """The plans, the form, and cost against price by month and tool."""
    try:
        _section(shared)
    except StoreError as error:
        st.error("The plans can't be read at the moment. Trying again.")
        st.text(str(error))


def _section(shared: Shared) -> None:
    may_act = shared.access.level == "act"
    listed = shared.store.plans.listed()
    st.caption(
        "What the calls of a subscription would have cost at the API's list prices, against its "
        "price. Of all sessions; only calls of the tool that a plan covers count against it."
    )
    if failed := st.session_state.pop(_FAILED, None):
        st.error("The plan could not be removed.")
        st.text(failed)
    for number, plan in enumerate(listed):
        with st.container(border=True, key=f"plan_{number}"):
            if may_act and st.session_state.get(_OPEN) == plan.id:
                _form(shared.store, plan)
            else:
                _plan(shared.store, plan, may_act=may_act)
    if may_act and st.session_state.get(_OPEN) == NEW:
        with st.container(border=True, key="plan_new"):
            _form(shared.store, None)
    elif may_act:
        st.button("Add a plan", icon=":material/add:", on_click=_open, args=(NEW,))
    if listed:
        _figures(ledger.load(shared.store, state.now_ms()), listed)


def _plan(store: Store, plan: Plan, *, may_act: bool) -> None:
    words, actions = st.columns([4, 1.6], vertical_alignment="center")
    span = f"from {plan.since}" + (f" to {plan.until}" if plan.until else "")
    told = f"{LABELS.get(plan.agent, plan.agent)}, {money(plan.price_usd)} a month, {span}"
    words.markdown(f"💳 **{plain(plan.name)}** · {plain(told)}")
    if not may_act:
        return
    with actions.container(horizontal=True, horizontal_alignment="right"):
        st.button("Change", key=f"change plan {plan.id}", on_click=_open, args=(plan.id,))
        with st.popover("Remove", key=f"ask plan {plan.id}"):
            st.write("The plan is taken out of all months. No session changes.")
            st.button(
                "Remove it",
                key=f"remove plan {plan.id}",
                type="primary",
                on_click=_remove,
                args=(store, plan.id),
            )


def _figures(rows: pd.DataFrame, listed: Sequence[Plan]) -> None:
    table = plans.by_month(rows, listed, state.viewer_zone(), state.now())
    if table.empty:
        st.caption("No month of a plan has begun.")
        return
    tools = charts.colours(sorted(table["tool"].unique()))
    st.plotly_chart(charts.against_price(table, tools), key="plans_chart", width="stretch")
    column = st.column_config
    st.dataframe(
        table,
        hide_index=True,
        width="stretch",
        placeholder="unpriced",
        column_config={
            "month": "Month",
            "tool": "Tool",
            "cost_usd": column.NumberColumn("API-equivalent", format="dollar"),
            "price_usd": column.NumberColumn("Plan price", format="dollar"),
            "ratio": column.NumberColumn("Times the price", format="%.2f ×"),
            "requests": column.NumberColumn("Calls", format="localized"),
            "unpriced_requests": column.NumberColumn("Unpriced calls", format="localized"),
        },
    )
    cost, price = costs.known_usd(table), float(table["price_usd"].sum())
    times = f", {cost / price:.2f} times the price" if price and cost is not None else ""
    unpriced = int(table["unpriced_requests"].sum())
    also = f" · {counted(unpriced, 'call')} unpriced, not in the sum" if unpriced else ""
    known = "unpriced" if cost is None else money(cost)
    told = f"All {counted(len(table), 'row')}: {known} against {money(price)}{times}{also}"
    st.caption(plain(told))
    exports(table, "plans")


def _open(plan_id: str) -> None:
    st.session_state[_OPEN] = plan_id
    st.session_state[_ERROR] = None
    # New keys make new fields: nothing of what was typed before is in them.
    st.session_state[_ROUND] = st.session_state.get(_ROUND, 0) + 1


def _form(store: Store, old: Plan | None) -> None:
    st.markdown("**Change the plan**" if old else "**Add a plan**")
    chosen = None if old else _known()
    # With keys of its own for each known plan, so that choosing one fills the fields.
    scope = chosen.name if chosen else OWN
    first = st.container(horizontal=True, vertical_alignment="bottom")
    name = old.name if old else (chosen.name if chosen else "")
    first.text_input(
        "Plan's name", name, key=_key("name", scope), max_chars=plans.LONGEST_NAME, width=260
    )
    agents = list(LABELS)
    agent = old.agent if old else (chosen.agent if chosen else agents[0])
    first.selectbox(
        "Covers the tool",
        agents,
        index=agents.index(agent) if agent in agents else None,
        format_func=LABELS.__getitem__,
        key=_key("agent", scope),
        width=170,
    )
    first.number_input(
        "US dollars a month",
        min_value=0.0,
        max_value=plans.LARGEST_USD,
        value=float(old.price_usd if old else (chosen.price_usd if chosen else 0.0)),
        step=1.0,
        format="%.2f",
        key=_key("price", scope),
        width=180,
    )
    second = st.container(horizontal=True, vertical_alignment="bottom")
    this_month = f"{state.now().tz_convert(state.viewer_zone()):%Y-%m}"
    second.text_input(
        "First month", old.since if old else this_month, key=_key("since", scope), width=140
    )
    second.text_input(
        "Last month",
        (old.until or "") if old else "",
        key=_key("until", scope),
        placeholder="goes on",
        width=140,
    )
    if chosen:
        st.caption(plain(f"{money(chosen.price_usd)} as of {chosen.as_of}: {chosen.source}"))
    if error := st.session_state.get(_ERROR):
        st.error("The plan is not saved.")
        st.text(error)
    with st.container(horizontal=True):
        saved = (store, old, scope)
        st.button("Save plan", type="primary", key=_key("save", scope), on_click=_save, args=saved)
        st.button("Cancel", key=_key("cancel", scope), on_click=_close)


def _known() -> KnownPlan | None:
    by_name = {one.name: one for one in KNOWN}
    name = st.selectbox("Which plan", [*by_name, OWN], key=_key("known", NEW), width=340)
    return by_name.get(name)


def _key(name: str, scope: str) -> str:
    return f"plan_form_{name}_{scope}_{st.session_state[_ROUND]}"


def _close() -> None:
    st.session_state.pop(_OPEN, None)


def _save(store: Store, old: Plan | None, scope: str) -> None:
    said = st.session_state
    plan = Plan(
        id=old.id if old else uuid.uuid4().hex,
        agent=said[_key("agent", scope)] or "",
        name=said[_key("name", scope)].strip(),
        price_usd=float(said[_key("price", scope)]),
        since=said[_key("since", scope)].strip(),
        until=said[_key("until", scope)].strip() or None,
        by=settings().machine,
        at=state.now_ms(),
    )
    if (wrong := plans.problem(plan)) is not None:
        said[_ERROR] = wrong
        return
    try:
        store.plans.save(plan)
    except StoreError as error:
        said[_ERROR] = str(error)
    else:
        _close()


def _remove(store: Store, plan_id: str) -> None:
    try:
        store.plans.remove(plan_id)
    except StoreError as error:
        st.session_state[_FAILED] = str(error)
