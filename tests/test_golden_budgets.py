"""How budgets stand, against a store that was worked out by hand."""

import math
from typing import Any, NamedTuple

import pytest

from lib import budgets, ledger
from lib.budgets import Standing
from lib.model_notes import Budget
from lib.store import Store
from tests import golden
from tests.golden import NOW, NOW_MS, key_of, milliseconds


class Answer(NamedTuple):
    """A budget (amount, period, dimension, value) and how it stands."""

    amount: float
    period: Any
    dimension: Any
    value: str | None
    spent: float | None
    share: str
    told: list[str]
    unpriced: int = 0


ANSWERS = {
    "a day": Answer(2.00, "day", None, None, 0.18, "9%", [], 1),
    # Expected at its end are 3.89, see `tests.test_golden`.
    "a week": Answer(2.50, "week", None, None, 2.40, "96%", ["50", "80", "forecast"], 2),
    "to the cent": Answer(5.625, "month", None, None, 5.625, "100%", ["50", "80", "100"], 2),
    # limit 1.62, again 0.45, partly 0.15.
    "a project": Answer(2.00, "week", "project", "api", 2.22, "111%", ["50", "80", "100"], 1),
    # Expected is what is spent: yesterday nothing, and too few days to go by.
    "a tool": Answer(1.00, "month", "tool", "Codex", 0.40, "40%", []),
    # The afternoons of 13 days cost 0.81: expected are 3.935 + 0.0623.
    "a model": Answer(4.00, "month", "model", golden.SONNET, 3.935, "98%", ["50", "80"]),
    "a branch": Answer(0.36, "day", "branch", "main", 0.18, "50%", ["50"]),
    "nothing at all": Answer(0.0, "day", None, None, 0.18, "over", ["100"], 1),
    # An afternoon of the last 19 days cost 0.14: more than nothing is to be expected.
    "nothing, of what rests": Answer(0.0, "day", "project", "web", 0.0, "0%", ["forecast"]),
    "nothing, of what is not there": Answer(0.0, "day", "project", "gone", 0.0, "0%", []),
    "nothing, of what has no price": Answer(
        0.0, "week", "model", golden.HOUSE, None, "unpriced", [], 2
    ),
}


def standing(store: Store, name: str) -> Standing:
    answer = ANSWERS[name]
    budget = Budget(
        id=name,
        name=name,
        amount_usd=answer.amount,
        period=answer.period,
        dimension=answer.dimension,
        value=answer.value,
        time_zone="Europe/Berlin",
        by="somebody",
        at=0,
    )
    assert budgets.problem(budget) is None
    (found,) = budgets.standings(ledger.load(store, NOW_MS), [budget], NOW)
    return found


@pytest.mark.parametrize("name", ANSWERS)
def test_every_budget_stands_as_worked_out(golden_store: Store, name: str) -> None:
    answer, found = ANSWERS[name], standing(golden_store, name)
    assert found.spent_usd == (None if answer.spent is None else pytest.approx(answer.spent))
    assert found.unpriced_requests == answer.unpriced
    assert budgets.percent(found.share) == answer.share
    assert [event.kind for event in budgets.crossed(found, NOW)] == answer.told


def test_a_week_begins_on_monday_in_berlin_and_names_who_spent(golden_store: Store) -> None:
    found = standing(golden_store, "a week")
    names = ("limit", "again", "partly", "slow", "open")
    assert found.sessions == {key_of(name) for name in names}
    event = budgets.crossed(found, NOW)[0]
    # In Berlin it was summer time already.
    assert event.period_start == milliseconds("2026-03-29T22:00")
    assert (event.at, event.spent_usd, event.amount_usd) == (NOW_MS, pytest.approx(2.40), 2.50)


def test_a_budget_of_nothing_is_infinitely_exceeded(golden_store: Store) -> None:
    assert standing(golden_store, "nothing at all").share == math.inf
