"""Budgets on the pages, without a browser: added, shown, told of, changed and removed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from lib import budgets
from lib.model import Evidence
from lib.model_notes import Budget
from lib.store import Batch, Store
from lib.ui import access
from lib.ui import budgets as ui
from tests.ui.pages import again, click, now_ms, run, said, store_of_the_app
from tests.ui.test_costs import a_call, a_session

COSTS, BOARD = "pages/costs.py", "pages/sessions.py"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store in which $alpha$ cost $0.90 and beta something unpriced."""
    with store_of_the_app(tmp_path, monkeypatch) as opened:
        calls = [a_call("one", number, input_tokens=100_000) for number in range(3)]
        calls.append(a_call("two", model="nobody-knows-it"))
        opened.write(
            Batch(
                sessions=[
                    a_session("one", project_path="/w/$alpha$", turn="running"),
                    a_session("two", project_path="/w/beta", turn="idle"),
                ],
                requests=calls,
                evidence=[alive("one")],
            )
        )
        yield opened
        ui._lately.clear()


def alive(name: str) -> Evidence:
    return Evidence(
        session_key=f"claude-code:{name}",
        source="registry",
        agent="claude-code",
        session_id=name,
        machine="",
        observed_at=now_ms(),
        process="alive",
        turn="running",
    )


def add(store: Store, amount_usd: float, name: str = "Team", **facts: Any) -> None:
    known: dict[str, Any] = {"period": "day", "time_zone": "UTC", **facts}
    budget = Budget(id=name, name=name, amount_usd=amount_usd, by="me", at=0, **known)
    budgets.change(store, budget, pd.Timestamp.now("UTC"))


def bars(app: AppTest) -> list[str]:
    """What stands at each bar, without what keeps Markdown off it."""
    return [str(one.proto.text).replace("\\", "") for one in app.get("progress")]


def test_a_budget_is_added_changed_and_removed_on_the_page(store: Store) -> None:
    app = click(run(COSTS), "Add a budget")
    next(one for one in app.text_input if one.label == "Name").input("For ¢ & *stars*")
    next(one for one in app.number_input if one.label == "US dollars").set_value(2.0)
    next(one for one in app.selectbox if one.label == "For").set_value("project")
    again(app)
    next(one for one in app.selectbox if one.label == "Project").set_value("$alpha$")
    next(one for one in app.selectbox if one.label == "Each").set_value("day")
    click(app, "Save")
    (budget,) = store.budgets.listed()
    assert (budget.name, budget.amount_usd, budget.period) == ("For ¢ & *stars*", 2.0, "day")
    assert (budget.dimension, budget.value) == ("project", "$alpha$")
    assert bars(app) == ["$0.90 of $2.00 (45%): within the budget"]
    click(app, "Change")
    next(one for one in app.number_input if one.label == "US dollars").set_value(1.0)
    click(app, "Save")
    assert store.budgets.listed()[0].id == budget.id
    assert bars(app) == ["$0.90 of $1.00 (90%): nearly spent"]
    assert "reached 80%" in said(app)
    click(app, "Remove it")
    assert store.budgets.listed() == store.budgets.events() == []
    assert "No budget is set" in said(app)


def test_what_can_be_no_budget_is_refused_with_the_reason(store: Store) -> None:
    app = click(click(run(COSTS), "Add a budget"), "Save")
    assert "A budget needs a name." in said(app)
    assert store.budgets.listed() == []


def test_calls_without_a_price_and_a_project_that_is_gone_are_told(store: Store) -> None:
    add(store, 1.0, "unpriced", dimension="project", value="beta")
    add(store, 1.0, "gone", dimension="project", value="no more")
    add(store, 0.0, "nothing")
    app = run(COSTS)
    words = said(app).replace("\\", "")
    assert "1 call unpriced, not in the sum" in words
    assert "no call of this project is known" in words
    told = bars(app)
    assert "An unknown part of $1.00: its calls have no known price" in told
    assert "$0.90 of $0.00: over the budget" in told


def test_the_board_shows_what_is_half_spent_and_nothing_else(store: Store) -> None:
    add(store, 1.0, "much")
    add(store, 100.0, "little")
    assert bars(run(BOARD)) == ["🟠 **much**: $0.90 of $1.00 (90%) a day, nearly spent"]


def test_the_cards_of_sessions_that_spend_it_say_so(store: Store) -> None:
    add(store, 1.0, "alpha's", dimension="project", value="$alpha$")
    (found,) = budgets.standings(ui.ledger.load(store, now_ms()), store.budgets.listed(), now())
    badges = ui.badges([found])
    assert [one["words"] for one in badges["claude-code:one"]] == ["🟠 Budget alpha's: 90%"]
    assert list(badges) == ["claude-code:one"]


def now() -> pd.Timestamp:
    return pd.Timestamp.now("UTC")


def test_a_viewer_is_told_once_and_of_nothing_before_they_came(store: Store) -> None:
    add(store, 1.0, "early")
    run(COSTS)
    app = run(BOARD)
    assert [one.value for one in app.toast] == []
    add(store, 0.9, "late")
    ui._lately.clear()
    told = [one.value.replace("\\", "") for one in again(app).toast]
    assert len(told) == 3
    assert "Budget ‘late’ reached 100%" in told[-1]
    assert [one.value for one in again(app).toast] == []


def test_a_public_board_shows_budgets_and_changes_none(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(store, 1.0)
    monkeypatch.setenv(access.PUBLIC_VARIABLE, "1")
    app = run(COSTS)
    assert any("90%" in one for one in bars(app))
    labels = {one.label for one in app.button}
    assert not labels & {"Add a budget", "Change", "Remove it", "Save"}


@pytest.mark.parametrize(("project", "drawn"), [("$alpha$", True), ("beta", False)])
def test_the_running_total_shows_the_budget_of_exactly_what_it_shows(
    store: Store, monkeypatch: pytest.MonkeyPatch, project: str, drawn: bool
) -> None:
    add(store, 7.0, dimension="project", value=project)
    seen: list[Any] = []
    monkeypatch.setattr(
        "lib.ui.charts.limits", lambda _figure, _highest, amounts: seen.append(list(amounts))
    )
    app = run(COSTS, period=["Today"], project=["$alpha$"])
    assert seen[-1] == []
    shape = next(one for one in app.button_group if one.label == "Shown as")
    shape.set_value("running")
    again(app)
    assert seen[-1] == ([("Team", 7.0)] if drawn else [])
