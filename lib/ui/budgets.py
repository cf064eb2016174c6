"""Budgets: their section on the Costs page, and what the Sessions page says of them."""

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from lib import budgets, ledger
from lib.budgets import Standing
from lib.cards import Badge, money
from lib.ledger import DIMENSIONS, Period
from lib.model_notes import Budget
from lib.settings import settings
from lib.store import Store, StoreError
from lib.ui import budget_form, state
from lib.ui.costs import Choice
from lib.ui.servers import counted, plain
from lib.ui.state import Shared

EVENTS_SHOWN = 20
_FAILED = "budget_failed"
_TOLD = "budget_events_told"
_LOOKS = {
    None: ("🟢", "within the budget"),
    "50": ("🟡", "more than half spent"),
    "80": ("🟠", "nearly spent"),
    "100": ("🔴", "spent"),
}


def standings(shared: Shared) -> list[Standing]:
    """How all budgets stand now; what was crossed is noted where the viewer may act."""
    found = _made(shared.store, shared.store.budgets.listed())
    if shared.access.level == "act":
        budgets.note(shared.store, found, state.now())
    return found


def _made(store: Store, listed: Sequence[Budget]) -> list[Standing]:
    if not listed:
        return []
    return budgets.standings(ledger.load(store, state.now_ms()), listed, state.now())


def lately(shared: Shared) -> list[Standing]:
    """The same, looked at every ten seconds for all viewers, and at once when a budget changed."""
    listed = shared.store.budgets.listed()
    if not listed:
        return []
    return _lately(shared.store, settings().store_url, repr(listed), shared.access.level == "act")


@st.cache_resource(show_spinner=False, ttl=10, max_entries=4)
def _lately(_store: Store, url: str, listed: str, may_act: bool) -> list[Standing]:  # noqa: ARG001
    found = _made(_store, _store.budgets.listed())
    if may_act:
        budgets.note(_store, found, state.now())
    return found


def section(shared: Shared, found: Sequence[Standing]) -> None:
    """All budgets with their bars, the form, and what happened."""
    try:
        _section(shared, found)
    except StoreError as error:
        st.error("The budgets can't be read at the moment. Trying again.")
        st.text(str(error))


def _section(shared: Shared, found: Sequence[Standing]) -> None:
    may_act = shared.access.level == "act"
    listed = shared.store.budgets.listed()
    by_id = {one.budget.id: one for one in found}
    if failed := st.session_state.pop(_FAILED, None):
        st.error("The budget could not be removed.")
        st.text(failed)
    if not listed:
        st.caption("No budget is set. One tells when half of it, 80% and all of it is spent.")
    for number, budget in enumerate(listed):
        with st.container(border=True, key=f"budget_{number}"):
            if may_act and budget_form.is_open(budget.id):
                budget_form.draw(shared.store, budget, _values(shared.store))
            else:
                _budget(shared, budget, by_id.get(budget.id), may_act=may_act)
    if may_act and budget_form.is_open(budget_form.NEW):
        with st.container(border=True, key="budget_new"):
            budget_form.draw(shared.store, None, _values(shared.store))
    elif may_act:
        st.button(
            "Add a budget",
            icon=":material/add:",
            on_click=budget_form.open_for,
            args=(budget_form.NEW,),
        )
    _events(shared.store, listed)


def _values(store: Store) -> dict[str, list[str]]:
    """What there is of each dimension, the most expensive first."""
    rows = ledger.load(store, state.now_ms())
    known = {one: DIMENSIONS[one] for one in ("project", "tool", "model", "branch")}
    return {one: ledger.dearest(rows, column) for one, column in known.items()}


def _budget(shared: Shared, budget: Budget, standing: Standing | None, *, may_act: bool) -> None:
    words, actions = st.columns([4, 1.6], vertical_alignment="top")
    with words.container(gap="xsmall"):
        if standing is None:
            st.markdown(f"❔ **{plain(budget.name)}** · {plain(budgets.meant(budget))}")
            st.caption(plain(budgets.problem(budget) or "It was changed in this moment."))
        else:
            icon, told = _look(standing)
            st.markdown(f"{icon} **{plain(budget.name)}** · {plain(budgets.meant(budget))}")
            st.progress(_filled(standing), plain(f"{_spent(standing)}: {told}"))
            st.caption(plain(" · ".join(_notes(standing))))
    if not may_act:
        return
    with actions.container(horizontal=True, horizontal_alignment="right"):
        st.button(
            "Change",
            key=f"change {budget.id}",
            on_click=budget_form.open_for,
            args=(budget.id,),
        )
        with st.popover("Remove", key=f"ask {budget.id}"):
            st.write("The budget goes with all that was noted of it. No session changes.")
            st.button(
                "Remove it",
                key=f"remove {budget.id}",
                type="primary",
                on_click=_remove,
                args=(shared.store, budget.id),
            )


def _look(standing: Standing) -> tuple[str, str]:
    if standing.spent_usd is None:
        return "❔", "its calls have no known price"
    icon, words = _LOOKS[standing.reached if standing.reached != "forecast" else None]
    if standing.spent_usd > standing.budget.amount_usd:
        words = "over the budget"
    return icon, words


def _filled(standing: Standing) -> float:
    return max(0.0, min(1.0, standing.share or 0.0))


def _spent(standing: Standing) -> str:
    amount = money(standing.budget.amount_usd)
    if standing.spent_usd is None:
        return f"An unknown part of {amount}"
    spent = f"{money(standing.spent_usd)} of {amount}"
    return f"{spent} ({budgets.percent(standing.share)})" if standing.budget.amount_usd else spent


def _notes(standing: Standing) -> list[str]:
    start, end = standing.period.start, standing.period.end
    notes: list[str] = []
    if start is not None and end is not None:
        last = end - pd.Timedelta(seconds=1)
        span = f"{start:%a %d %b}"
        if last.date() != start.date():
            span += f" to {last:%a %d %b}"
        notes.append(f"{span}, {standing.budget.time_zone}")
    if (found := standing.forecast) is not None:
        spread = f"{money(found.low_usd)} to {money(found.high_usd)}"
        crossed = ", more than the budget" if standing.crosses else ""
        notes.append(f"forecast {money(found.expected_usd)} ({spread}){crossed}")
    else:
        notes.append("no day of priced work yet to forecast by")
    if standing.unpriced_requests:
        notes.append(f"{counted(standing.unpriced_requests, 'call')} unpriced, not in the sum")
    if not standing.known:
        notes.append(f"no call of this {standing.budget.dimension} is known")
    return notes


def _remove(store: Store, budget_id: str) -> None:
    try:
        store.budgets.remove(budget_id)
    except StoreError as error:
        st.session_state[_FAILED] = str(error)


def _events(store: Store, listed: Sequence[Budget]) -> None:
    known = {one.id: one for one in listed}
    happened = [one for one in store.budgets.events(limit=EVENTS_SHOWN) if one.budget_id in known]
    if happened:
        with st.expander("What happened"):
            st.text("\n".join(budgets.sentence(one, known[one.budget_id]) for one in happened))


def limits(
    shared: Shared, found: Sequence[Standing], rows: pd.DataFrame, choice: Choice
) -> list[tuple[str, float]]:
    """Names and amounts of the budgets that a chart of `rows` in the chosen period is about.

    Those whose current period it begins with and goes on in, and whose calls are exactly its.
    """
    if choice.measure != "cost_usd" or choice.shape != "running" or not found:
        return []
    whole = ledger.load(shared.store, state.now_ms())
    shown = ledger.within(rows, choice.period).index
    return [
        (one.budget.name, one.budget.amount_usd)
        for one in found
        if _is_of(choice.period, one.period, choice.now)
        and ledger.within(budgets.rows_of(whole, one.budget), one.period).index.equals(shown)
    ]


def _is_of(shown: Period, period: Period, now: pd.Timestamp) -> bool:
    if shown.end is None or period.end is None:
        return False
    return shown.start == period.start and now < shown.end <= period.end


def bar(found: Sequence[Standing]) -> None:
    """A small bar for each budget of which half is spent."""
    pressing = [one for one in found if one.reached is not None]
    if not pressing:
        return
    with st.container(horizontal=True, key="budget_bars"):
        for one in sorted(pressing, key=lambda one: -(one.share or 0.0)):
            icon, words = _look(one)
            told = f"{_spent(one)} a {one.budget.period}, {words}"
            with st.container(width=440):
                st.progress(_filled(one), f"{icon} **{plain(one.budget.name)}**: {plain(told)}")


def tell(shared: Shared, found: Sequence[Standing]) -> None:
    """Say once to this viewer what happened to a budget since they came."""
    newest = shared.store.budgets.last_event()
    told = st.session_state.setdefault(_TOLD, newest)
    if newest == told:
        return
    known = {one.budget.id: one.budget for one in found}
    for event in reversed(shared.store.budgets.events(told, EVENTS_SHOWN)):
        if event.budget_id in known:
            st.toast(
                plain(budgets.sentence(event, known[event.budget_id])), icon="💰", duration="long"
            )
    st.session_state[_TOLD] = newest


def badges(found: Sequence[Standing]) -> Mapping[str, list[Badge]]:
    """What the cards of sessions say that spend a budget of which 80% or more is spent."""
    made: dict[str, list[Badge]] = {}
    for one in found:
        if one.reached not in ("80", "100"):
            continue
        icon, words = _look(one)
        badge = Badge(
            words=f"{icon} Budget {one.budget.name}: {budgets.percent(one.share)}",
            reason=f"{_spent(one)}, {words}: {budgets.meant(one.budget)}",
        )
        for key in one.sessions:
            made.setdefault(key, []).append(badge)
    return made
