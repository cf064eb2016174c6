"""Plans: list prices against a subscription's price, by month."""

import math
from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib import plans
from lib.ledger import buckets
from lib.model_notes import Plan
from lib.readers import LABELS
from tests.ledger_rows import a_ledger

BERLIN = ZoneInfo("Europe/Berlin")
NOW = pd.Timestamp("2026-03-10T12:00", tz=UTC)


def a_plan(price_usd: float = 20.0, since: str = "2026-02", **facts: Any) -> Plan:
    known: dict[str, Any] = {"agent": "claude-code", "name": "Pro", **facts}
    return Plan(id="p", price_usd=price_usd, since=since, by="me@here", at=0, **known)


def months(table: pd.DataFrame) -> dict[str, tuple[float, float, float]]:
    columns = table[["month", "cost_usd", "price_usd", "ratio"]]
    return {month: tuple(figures) for month, *figures in columns.itertuples(index=False)}


def test_each_month_of_a_plan_is_compared_newest_first() -> None:
    rows = a_ledger(
        {"at": "2026-01-31T22:45", "cost_usd": 1000},
        {"at": "2026-01-31T23:00", "cost_usd": 30},
        {"at": "2026-02-28T22:45", "cost_usd": 50},
        {"at": "2026-03-10", "cost_usd": 5},
    )
    found = plans.by_month(rows, [a_plan()], BERLIN, NOW)
    assert months(found) == {"2026-03": (5, 20, 0.25), "2026-02": (80, 20, 4)}
    assert list(found["month"]) == ["2026-03", "2026-02"]


def test_a_month_without_calls_cost_its_price_for_nothing() -> None:
    found = plans.by_month(a_ledger(), [a_plan(until="2026-02")], UTC, NOW)
    assert months(found) == {"2026-02": (0, 20, 0)}


def test_only_calls_of_the_agent_that_a_plan_covers_count_against_it() -> None:
    rows = a_ledger({"at": "2026-03-01", "cost_usd": 7}, {"at": "2026-03-01", "agent": "codex"})
    found = plans.by_month(rows, [a_plan(since="2026-03", agent="codex")], UTC, NOW)
    assert found[["tool", "cost_usd", "requests"]].to_numpy().tolist() == [["Codex", 0, 1]]


def test_plans_of_one_agent_add_up_and_end() -> None:
    both = [a_plan(20), a_plan(100, since="2026-01", until="2026-02")]
    found = plans.by_month(a_ledger(), both, UTC, NOW)
    assert dict(zip(found["month"], found["price_usd"], strict=True)) == {
        "2026-01": 100,
        "2026-02": 120,
        "2026-03": 20,
    }


def test_calls_without_a_price_make_no_zero_and_a_price_of_0_no_ratio() -> None:
    rows = a_ledger({"at": "2026-03-01", "unpriced_requests": 1})
    (row,) = plans.by_month(rows, [a_plan(0, since="2026-03")], UTC, NOW).to_dict("records")
    assert math.isnan(row["cost_usd"])
    assert math.isnan(row["ratio"])
    assert row["unpriced_requests"] == 1


def test_a_plan_that_begins_later_has_no_month_yet() -> None:
    assert plans.by_month(a_ledger(), [a_plan(since="2026-04")], UTC, NOW).empty
    assert plans.by_month(a_ledger(), [], UTC, NOW).empty


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 4 * 24 * 70), st.floats(0, 1e4)),
        max_size=20,
    )
)
@settings(max_examples=40)
def test_no_cent_of_the_covered_agents_is_lost(calls: list[tuple[str, int, float]]) -> None:
    start = pd.Timestamp("2026-01-01", tz=BERLIN)
    quarter = pd.Timedelta(minutes=15)
    rows = a_ledger(*({"at": start + at * quarter, "cost_usd": usd} for _, at, usd in calls))
    found = plans.by_month(rows, [a_plan(since="2026-01")], BERLIN, NOW)
    in_time = rows[buckets(rows["at"], "month", BERLIN) <= pd.Timestamp("2026-03-01")]
    assert float(found["cost_usd"].sum()) == pytest.approx(float(in_time["cost_usd"].sum()))


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"price_usd": -1.0}, "between"),
        ({"price_usd": math.nan}, "between"),
        ({"name": ""}, "name"),
        ({"agent": "nobody"}, "tool"),
        ({"agent": "cursor"}, "no tokens"),
        ({"since": "2026-13"}, "2026-13"),
        ({"since": ""}, "first month"),
        ({"until": "2026"}, "2026"),
        ({"until": "2026-01"}, "before"),
    ],
)
def test_what_can_be_no_plan_is_refused(facts: dict[str, Any], words: str) -> None:
    assert words in str(plans.problem(a_plan(**facts)))
    assert plans.problem(a_plan()) is None


def test_known_plans_cover_agents_that_can_be_read_and_say_whose_price_it_was_when() -> None:
    for one in plans.KNOWN:
        assert one.agent in LABELS
        assert one.source
        known = a_plan(one.price_usd, one.as_of, agent=one.agent, name=one.name)
        assert plans.problem(known) is None
    assert len({one.name for one in plans.KNOWN}) == len(plans.KNOWN)
