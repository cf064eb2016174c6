"""Plans on the Costs page, without a browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from lib.store import Batch, Store
from lib.ui import access
from tests.ui.pages import again, click, run, said, store_of_the_app
from tests.ui.test_costs import a_call, a_session

COSTS = "pages/costs.py"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store in which Claude Code cost $0.30 this month."""
    with store_of_the_app(tmp_path, monkeypatch) as opened:
        call = a_call("one", input_tokens=100_000)
        opened.write(Batch(sessions=[a_session("one", turn="idle")], requests=[call]))
        yield opened


def choose(app: AppTest, label: str, value: str) -> None:
    next(one for one in app.selectbox if one.label == label).set_value(value)
    again(app)


def test_a_known_plan_is_chosen_compared_changed_and_removed(store: Store) -> None:
    app = click(run(COSTS), "Add a plan")
    choose(app, "Which plan", "Claude Max 5x")
    assert "as of 2026-04" in said(app).replace("\\", "")
    click(app, "Save plan")
    (plan,) = store.plans.listed()
    assert (plan.name, plan.agent, plan.price_usd) == ("Claude Max 5x", "claude-code", 100)
    assert "$0.30 against $100.00, 0.00 times the price" in said(app).replace("\\", "")
    click(app, "Change")
    next(one for one in app.number_input if one.label == "US dollars a month").set_value(0.1)
    click(app, "Save plan")
    assert "$0.30 against $0.10, 3.00 times the price" in said(app).replace("\\", "")
    click(app, "Remove it")
    assert store.plans.listed() == []


def test_a_plan_at_ones_own_price_that_makes_no_sense_is_refused(store: Store) -> None:
    app = click(run(COSTS), "Add a plan")
    choose(app, "Which plan", "Own price")
    click(app, "Save plan")
    assert "A plan needs a name" in said(app)
    next(one for one in app.text_input if one.label == "Plan's name").input("Team *seat*")
    next(one for one in app.text_input if one.label == "First month").input("soon")
    click(app, "Save plan")
    assert "No month like 2026-01: soon" in said(app)
    assert store.plans.listed() == []


def test_a_public_board_shows_plans_and_changes_none(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    click(click(run(COSTS), "Add a plan"), "Save plan")
    monkeypatch.setenv(access.PUBLIC_VARIABLE, "1")
    app = run(COSTS)
    assert "Claude Pro" in said(app)
    labels = {one.label for one in app.button}
    assert not labels & {"Add a plan", "Change", "Remove it", "Save plan"}
