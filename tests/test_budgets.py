"""How budgets stand, and what is told of them."""

import math
import subprocess
import sys
import time
from datetime import UTC
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib import budgets, ledger
from lib.budgets import LEVELS, Standing
from lib.ledger import DIMENSIONS
from lib.model import Request, Session
from lib.model_notes import Budget
from lib.report import Scope, grouped_report
from lib.store import Batch, Store
from tests.ledger_rows import a_ledger, sessions_frame, usage_frame
from tests.trees import Claude

BERLIN = ZoneInfo("Europe/Berlin")
NOW = pd.Timestamp("2026-03-10T12:00", tz=UTC)
TOP = Path(__file__).parent.parent


def a_budget(amount_usd: float = 100.0, period: Any = "month", **facts: Any) -> Budget:
    known: dict[str, Any] = {"id": "b1", "name": "Team", "time_zone": "UTC", **facts}
    return Budget(amount_usd=amount_usd, period=period, by="me@here", at=0, **known)


def spent(amount: float, budget: Budget | None = None, **group: Any) -> Standing:
    """How a budget stands after one call of today."""
    rows = a_ledger({"at": "2026-03-10T09", "cost_usd": amount, **group})
    return budgets.standings(rows, [budget or a_budget()], NOW)[0]


@pytest.mark.parametrize(
    ("period", "expected"), [("day", 1.0), ("week", 1.0 + 10), ("month", 1.0 + 10 + 100)]
)
def test_only_what_was_spent_in_the_current_period_counts(period: Any, expected: float) -> None:
    # A Tuesday: the day before is in its week, the first of the month is not.
    rows = a_ledger(
        {"at": "2026-03-10T09", "cost_usd": 1},
        {"at": "2026-03-09T00", "cost_usd": 10},
        {"at": "2026-03-01T00", "cost_usd": 100},
        {"at": "2026-02-28T23:45", "cost_usd": 1000},
        {"at": None, "cost_usd": 5000},
    )
    (found,) = budgets.standings(rows, [a_budget(period=period)], NOW)
    assert found.spent_usd == expected


def test_a_day_is_one_of_the_budgets_own_time_zone_with_its_23_or_25_hours() -> None:
    # 29 March 2026 in Berlin begins at 23:00 UTC and ends at 22:00.
    moments = ["2026-03-28T22:45", "2026-03-28T23:00", "2026-03-29T21:45", "2026-03-29T22:00"]
    rows = a_ledger(*({"at": at, "cost_usd": 10**n} for n, at in enumerate(moments)))
    budget = a_budget(period="day", time_zone="Europe/Berlin")
    (found,) = budgets.standings(rows, [budget], pd.Timestamp("2026-03-29T12:00", tz=UTC))
    assert found.spent_usd == 10 + 100
    assert found.period.start is not None
    assert found.period.end is not None
    assert found.period.end - found.period.start == pd.Timedelta(hours=23)


COLUMN_VALUES = {"project": "alpha", "tool": "Claude Code", "model": "large", "branch": "main"}


@pytest.mark.parametrize("dimension", COLUMN_VALUES)
def test_a_budget_is_spent_by_what_it_is_for(dimension: Any) -> None:
    rows = ledger.ledger(
        usage_frame(
            {"session_key": "in", "at": "2026-03-10", "cost_usd": 2, "model": "large"},
            {"session_key": "in/a", "at": "2026-03-10", "cost_usd": 3, "model": "large"},
            {"session_key": "out", "at": "2026-03-10", "cost_usd": 50, "model": "small"},
        ),
        sessions_frame(
            {"key": "in", "project": "alpha", "branch": "main"},
            {"key": "in/a", "parent_key": "in"},
            {"key": "out", "project": "beta", "branch": "x", "agent_label": "Codex"},
        ),
    )
    budget = a_budget(dimension=dimension, value=COLUMN_VALUES[dimension])
    (found,) = budgets.standings(rows, [budget], NOW)
    assert (found.spent_usd, found.sessions, found.known) == (5, {"in"}, True)


def test_a_budget_for_a_project_that_is_gone_says_so_and_is_not_spent() -> None:
    found = spent(5, a_budget(dimension="project", value="gone"))
    assert (found.spent_usd, found.known, found.reached) == (0, False, None)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["alpha", "beta", "–"]),
            st.integers(-4 * 24 * 40, 4 * 24 * 3),
            st.floats(0, 1e4),
        ),
        max_size=20,
    ),
    st.sampled_from(["day", "week", "month"]),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"]),
)
@settings(max_examples=40)
def test_budgets_of_all_projects_add_up_to_the_budget_of_all_and_to_its_period(
    calls: list[tuple[str, int, float]], period: Any, zone: str
) -> None:
    quarter = pd.Timedelta(minutes=15)
    now = pd.Timestamp("2026-03-29T12:00", tz=UTC)
    rows = ledger.ledger(
        usage_frame(
            *(
                {"session_key": name, "at": now + at * quarter, "cost_usd": usd}
                for name, at, usd in calls
            )
        ),
        sessions_frame(*({"key": one, "project": one} for one in ("alpha", "beta", "–"))),
    )
    whole = a_budget(period=period, time_zone=zone)
    parts = [
        a_budget(period=period, time_zone=zone, dimension="project", value=one)
        for one in ("alpha", "beta", "–")
    ]
    found, *of_projects = budgets.standings(rows, [whole, *parts], now)
    assert sum(one.spent_usd or 0 for one in of_projects) == pytest.approx(found.spent_usd)
    in_period = ledger.within(rows, ledger.current(period, ZoneInfo(zone), now))
    assert found.spent_usd == pytest.approx(float(in_period["cost_usd"].sum()))
    by_hand = [
        usd
        for _, at, usd in calls
        if budget_day(now + at * quarter, zone, period) == budget_day(now, zone, period)
    ]
    assert found.spent_usd == pytest.approx(sum(by_hand))


def budget_day(moment: pd.Timestamp, zone: str, period: str) -> object:
    local = moment.tz_convert(zone)
    if period == "week":
        return local.isocalendar()[:2]
    return local.date() if period == "day" else (local.year, local.month)


def test_what_is_spent_is_what_the_report_says_of_the_same_filter(golden_store: Store) -> None:
    from tests.golden import BERLIN as ZONE
    from tests.golden import NOW as THEN
    from tests.golden import NOW_MS

    rows = ledger.load(golden_store, NOW_MS)
    scope = Scope(ZONE, THEN.tz_convert(ZONE).date().replace(day=1), THEN.tz_convert(ZONE).date())
    for name, dimension in (("projects", "project"), ("models", "model"), ("branches", "branch")):
        report = grouped_report(golden_store, name, scope, NOW_MS)
        for told in report["rows"]:
            value = told[dimension] or ledger.NONE
            budget = a_budget(dimension=dimension, value=value, time_zone=ZONE.key)
            (found,) = budgets.standings(rows, [budget], THEN)
            expected = told["cost_usd"]
            assert found.spent_usd == (None if expected is None else pytest.approx(expected))
            assert found.requests == told["requests"]
            assert found.unpriced_requests == told["unpriced_requests"]


@pytest.mark.parametrize(
    ("usd", "reached", "told"),
    [
        (49.99, None, []),
        (50, "50", ["50"]),
        (79.99, "50", ["50"]),
        (80, "80", ["50", "80"]),
        (100, "100", ["50", "80", "100"]),
        (1000, "100", ["50", "80", "100"]),
    ],
)
def test_levels_are_told_when_they_are_reached(usd: float, reached: Any, told: list[str]) -> None:
    found = spent(usd)
    assert found.reached == reached
    assert [one.kind for one in budgets.crossed(found, NOW)] == told


@given(st.floats(0, 1e6), st.floats(0, 1e6))
@settings(max_examples=40)
def test_the_percentage_that_is_told_reaches_a_level_only_with_the_budget(
    amount: float, usd: float
) -> None:
    found = spent(usd, a_budget(amount))
    if found.share is not None and not math.isinf(found.share) and amount > 0.01:
        shown = int(budgets.percent(found.share).rstrip("%").replace(",", ""))
        for kind, level in LEVELS.items():
            if found.reached is None or LEVELS[found.reached] < level:
                assert shown < int(kind)


def test_ten_calls_of_ten_cents_are_a_dollar() -> None:
    rows = a_ledger(*({"at": "2026-03-10T09", "cost_usd": 0.1} for _ in range(10)))
    (found,) = budgets.standings(rows, [a_budget(1.0)], NOW)
    assert (found.reached, budgets.percent(found.share)) == ("100", "100%")


def test_a_budget_of_0_is_over_as_soon_as_anything_is_spent_and_not_before() -> None:
    nothing = spent(0, a_budget(0.0))
    assert (nothing.share, nothing.reached, budgets.crossed(nothing, NOW)) == (0, None, [])
    something = spent(0.01, a_budget(0.0))
    assert (something.reached, budgets.percent(something.share)) == ("100", "over")
    assert [one.kind for one in budgets.crossed(something, NOW)] == ["100"]


def test_calls_without_a_price_are_told_apart_and_reach_nothing() -> None:
    found = spent(0, unpriced_requests=1)
    assert (found.spent_usd, found.share, found.reached) == (None, None, None)
    assert (found.requests, found.unpriced_requests) == (1, 1)
    assert budgets.percent(found.share) == "unpriced"


def worked(days: int) -> pd.DataFrame:
    """$3 on each of the days before the tenth."""
    return a_ledger(*({"at": f"2026-03-0{9 - n}T09", "cost_usd": 3} for n in range(days)))


def test_a_forecast_above_the_budget_is_told_with_some_days_to_go_by() -> None:
    # 27 spent, and 21 days to come at 3.
    found = budgets.standings(worked(9), [a_budget(90), a_budget(89)], NOW)
    assert [one.crosses for one in found] == [False, True]
    assert [one.kind for one in budgets.crossed(found[1], NOW)] == ["forecast"]
    (two_days,) = budgets.standings(worked(2), [a_budget(40)], NOW)
    assert two_days.crosses
    assert budgets.crossed(two_days, NOW) == []


def test_a_forecast_is_not_told_of_a_budget_that_is_spent_already() -> None:
    (found,) = budgets.standings(worked(9), [a_budget(27)], NOW)
    assert "forecast" not in [one.kind for one in budgets.crossed(found, NOW)]


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"amount_usd": -0.01}, "between"),
        ({"amount_usd": math.nan}, "between"),
        ({"amount_usd": math.inf}, "between"),
        ({"name": " "}, "name"),
        ({"name": "x" * 81}, "80"),
        ({"dimension": "branch"}, "branch"),
        ({"time_zone": "Mars/Olympus"}, "time zone"),
        ({"time_zone": "../etc/passwd"}, "time zone"),
    ],
)
def test_what_can_be_no_budget_is_refused(
    file_store: Store, facts: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        budgets.change(file_store, a_budget(**facts), NOW)
    assert file_store.budgets.listed() == []


def test_a_budget_in_a_time_zone_that_is_not_known_here_does_no_harm_to_others() -> None:
    odd, fine = a_budget(time_zone="Mars/Olympus"), a_budget()
    found = budgets.standings(a_ledger(), [odd, fine], NOW)
    assert [one.budget for one in found] == [fine]


def test_an_event_is_noted_once_and_again_when_the_budget_became_another(file_store: Store) -> None:
    budgets.change(file_store, a_budget(), NOW)
    standing = spent(85)
    assert [one.kind for one in budgets.note(file_store, [standing], NOW)] == ["50", "80"]
    assert budgets.note(file_store, [standing], NOW) == []
    budgets.change(file_store, a_budget(name="Renamed"), NOW)
    assert budgets.note(file_store, [standing], NOW) == []
    larger = a_budget(150.0)
    budgets.change(file_store, larger, NOW)
    assert [one.kind for one in budgets.note(file_store, [spent(85, larger)], NOW)] == ["50"]


def test_what_happened_is_told_on_the_budgets_clocks() -> None:
    budget = a_budget(time_zone="Asia/Tokyo")
    events = budgets.crossed(spent(81.5, budget), NOW)
    assert budgets.sentence(events[1], budget) == (
        "Budget ‘Team’ reached 80% on Tue 10 Mar 2026, 21:00: $81.50 of $100.00."
    )


def test_every_dimension_of_a_budget_is_one_of_the_ledger() -> None:
    assert set(COLUMN_VALUES) <= set(DIMENSIONS)


def test_the_command_notes_what_was_crossed(tmp_path: Path) -> None:
    now = time.time_ns() // 10**6
    Claude(tmp_path, "s1", start=now - 60_000).prompt("hello").say("hi")
    environ = {"HOME": str(tmp_path), "QUARTERDECK_STORE_URL": f"sqlite:///{tmp_path}/store.db"}

    def run(*words: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", *words], cwd=TOP, env=environ, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr

    run("lib.daemon", "--once")
    store = Store.open(environ["QUARTERDECK_STORE_URL"])
    budget = a_budget(0.0)
    budgets.change(store, budget, pd.Timestamp.now(UTC))
    for _ in range(2):
        run("lib.budgets")
    assert [one.kind for one in store.budgets.events()] == ["100"]
    store.close()


@pytest.mark.parametrize("off", ["30s", "23h"])
def test_what_the_last_call_of_a_day_crosses_is_told_in_the_next_day_and_once(
    file_store: Store, monkeypatch: pytest.MonkeyPatch, off: str
) -> None:
    late = pd.Timestamp("2026-03-10T23:59:50Z")
    call = Request(
        key="1",
        session_key="claude-code:a",
        owner_rank="0",
        at=late.value // 10**6,
        model="claude-sonnet-4-5",
        input_tokens=1_000_000,
    )
    session = Session(key="claude-code:a", agent="claude-code", session_id="a")
    file_store.write(Batch(sessions=[session], requests=[call]))
    known = Budget(
        id="b", name="b", amount_usd=2, period="day", time_zone="UTC", by="me", at=late.value
    )
    new = msgspec.structs.replace(known, id="new")
    midnight = pd.Timestamp("2026-03-11T00:00Z")
    for budget, at in ((known, late), (new, midnight)):
        file_store.budgets.save(msgspec.structs.replace(budget, at=at.value // 10**6))
    monkeypatch.setattr(budgets.time, "time_ns", lambda: (late + pd.Timedelta(off)).value)
    told = [(one.budget_id, one.kind) for one in budgets.check(file_store)]
    assert told == [("b", "50"), ("b", "80"), ("b", "100")]
    assert budgets.check(file_store) == []


def test_a_budget_goes_on_when_another_project_of_the_name_appears() -> None:
    budget = a_budget(dimension="project", value="api")
    usage = usage_frame(
        *({"session_key": key, "at": "2026-03-10T09:00", "cost_usd": 2} for key in ("a", "b", "c"))
    )
    projects = {"a": "work/api", "b": "x/api", "c": "rapid-api"}
    about = ({"key": key, "project": name} for key, name in projects.items())
    rows = ledger.ledger(usage, sessions_frame(*about))
    (found,) = budgets.standings(rows, [budget], NOW)
    assert (found.spent_usd, found.known) == (4, True)
