"""Budgets, their events and plans are kept once and for all readers, on each database."""

import threading
from typing import Any

import msgspec
import pytest

from lib.model import Request
from lib.model_notes import Budget, BudgetEvent, Plan
from lib.store import Batch, Store


def a_budget(budget_id: str = "b1", **facts: Any) -> Budget:
    known: dict[str, Any] = {"name": "Team", "amount_usd": 100.0, "period": "month", **facts}
    return Budget(id=budget_id, time_zone="Europe/Berlin", by="me@here", at=1_000, **known)


def an_event(kind: Any = "80", period_start: int = 0, **facts: Any) -> BudgetEvent:
    known: dict[str, Any] = {"budget_id": "b1", "spent_usd": 81.5, "amount_usd": 100.0, **facts}
    return BudgetEvent(period_start=period_start, kind=kind, at=5_000, **known)


def test_a_budget_comes_back_as_it_was_written_and_is_replaced_by_its_id(store: Store) -> None:
    odd = a_budget(dimension="project", value="nul \x00 ☃ \ud800", amount_usd=0.1)
    store.budgets.save(odd)
    assert store.budgets.listed() == [odd]
    store.budgets.save(a_budget(name="All"))
    assert store.budgets.listed() == [a_budget(name="All")]


def test_budgets_are_listed_by_name(store: Store) -> None:
    for name in ("b", "c", "a"):
        store.budgets.save(a_budget(name, name=name))
    assert [one.name for one in store.budgets.listed()] == ["a", "b", "c"]


def test_an_event_is_kept_once_in_a_period(store: Store) -> None:
    store.budgets.save(a_budget())
    (kept,) = store.budgets.note([an_event()])
    assert kept == msgspec.structs.replace(an_event(), id=kept.id)
    assert store.budgets.note([an_event(spent_usd=90.0)]) == []
    assert len(store.budgets.note([an_event("100"), an_event(period_start=1)])) == 2
    found = store.budgets.events()
    assert [(one.kind, one.period_start) for one in found] == [("80", 1), ("100", 0), ("80", 0)]
    assert store.budgets.events(kept.id) == found[:2]
    assert store.budgets.last_event() == found[0].id


def test_of_many_who_note_the_same_at_once_one_is_told_that_it_is_new(store_url: str) -> None:
    stores = [Store.open(store_url) for _ in range(4)]
    stores[0].budgets.save(a_budget())
    kept: list[BudgetEvent] = []
    start = threading.Barrier(len(stores))

    def note(store: Store) -> None:
        start.wait()
        kept.extend(store.budgets.note([an_event("50"), an_event("80")]))

    threads = [threading.Thread(target=note, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.kind for one in kept) == ["50", "80"]
    assert len(stores[0].budgets.events()) == 2
    for store in stores:
        store.close()


def test_nothing_is_noted_of_a_budget_that_was_removed_or_changed_meanwhile(store: Store) -> None:
    assert store.budgets.note([an_event()]) == []
    store.budgets.save(a_budget(amount_usd=200.0))
    assert store.budgets.note([an_event()]) == []


def test_a_budget_that_became_another_forgets_what_was_told_of_its_period(store: Store) -> None:
    store.budgets.save(a_budget())
    store.budgets.note([an_event(period_start=1), an_event(period_start=2)])
    store.budgets.save(a_budget(name="Renamed"))
    assert len(store.budgets.events()) == 2
    store.budgets.save(a_budget(amount_usd=200.0), anew_from=2)
    assert [one.period_start for one in store.budgets.events()] == [1]
    assert len(store.budgets.note([an_event(period_start=2, amount_usd=200.0)])) == 1


def test_a_removed_budget_takes_its_events_along_and_leaves_those_of_others(store: Store) -> None:
    for budget_id in ("b1", "b2"):
        store.budgets.save(a_budget(budget_id))
        store.budgets.note([an_event(budget_id=budget_id)])
    store.budgets.remove("b1")
    store.budgets.remove("b1")
    assert [one.id for one in store.budgets.listed()] == ["b2"]
    assert [one.budget_id for one in store.budgets.events()] == ["b2"]


def test_usage_moves_with_calls_and_not_with_budgets(store: Store) -> None:
    assert store.budgets.last_usage() == 0
    call = Request(key="a:1", session_key="a:s", owner_rank="0", at=1, model="m")
    store.write(Batch(requests=[call]))
    moved = store.budgets.last_usage()
    assert moved == store.version() > 0
    store.budgets.save(a_budget())
    store.budgets.note([an_event()])
    assert (store.budgets.last_usage(), store.version()) == (moved, moved)


@pytest.mark.parametrize("until", [None, "2026-03"])
def test_a_plan_comes_back_as_it_was_written_until_it_is_removed(
    store: Store, until: str | None
) -> None:
    one = Plan(
        id="p1",
        agent="codex",
        name="Plus",
        price_usd=20.0,
        since="2026-01",
        until=until,
        by="me@here",
        at=1_000,
    )
    store.plans.save(one)
    store.plans.save(one)
    assert store.plans.listed() == [one]
    store.plans.remove("p1")
    assert store.plans.listed() == []
