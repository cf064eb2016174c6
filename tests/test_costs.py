"""Where the money goes: figures that are the sums of what is shown."""

from datetime import UTC, date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import costs
from lib.ledger import Bucket, days, ledger
from lib.model import Request, Session
from lib.store import Batch, Store
from tests.ledger_rows import a_ledger, sessions_frame, usage_frame

NOON = "2026-05-04T12:00Z"
BERLIN = ZoneInfo("Europe/Berlin")
NOW = pd.Timestamp("2026-03-10T12:00", tz=UTC)
MARCH = days(date(2026, 3, 1), date(2026, 3, 31), UTC)


def test_the_headline_of_nothing_is_zero_and_not_unknown() -> None:
    found = costs.headline(a_ledger())
    assert (found.cost_usd, found.sessions, found.total_tokens) == (0.0, 0, 0)
    assert (found.cache_share, found.cost_per_completed_usd) == (None, None)


def test_the_headline_tells_what_was_spent_saved_and_wasted() -> None:
    rows = ledger(
        usage_frame(
            {"session_key": "good", "at": "2026-03-01", "cost_usd": 3, "input_tokens": 30},
            {"session_key": "good/a", "at": "2026-03-01", "cost_usd": 1, "cache_read_tokens": 50},
            {"session_key": "bad", "at": "2026-03-01", "cost_usd": 2, "cache_write_tokens": 20},
            {"session_key": "bad", "at": "2026-03-01", "cache_savings_usd": 7, "output_tokens": 5},
            {"session_key": "open", "at": "2026-03-01", "cost_usd": 9, "unpriced_requests": 1},
        ),
        sessions_frame(
            {"key": "good", "status": "completed"},
            {"key": "good/a", "parent_key": "good", "status": "failed"},
            {"key": "bad", "status": "failed"},
            {"key": "open", "status": "running"},
        ),
    )
    found = costs.headline(rows)
    assert (found.cost_usd, found.wasted_usd, found.cache_savings_usd) == (15, 2, 7)
    assert (found.sessions, found.completed_sessions, found.failed_sessions) == (3, 1, 1)
    assert (found.cost_per_completed_usd, found.cache_share) == (4, 0.5)
    assert (found.requests, found.unpriced_requests, found.total_tokens) == (5, 1, 105)


def test_sessions_of_which_nobody_knows_the_cost_make_the_others_no_cheaper() -> None:
    usage = usage_frame(
        {"session_key": "a", "at": "2026-03-01", "cost_usd": 6},
        {"session_key": "b", "at": "2026-03-01", "unpriced_requests": 1},
        {"session_key": "c", "at": "2026-03-01", "unpriced_requests": 1, "requests": 2},
    )
    found = costs.headline(ledger(usage, sessions_frame({"key": "a"}, {"key": "b"}, {"key": "c"})))
    assert (found.completed_sessions, found.cost_per_completed_usd) == (3, 3)


@pytest.mark.parametrize("status", ["completed", "failed"])
def test_calls_of_which_none_has_a_price_cost_nobody_knows_what(status: str) -> None:
    unpriced = a_ledger({"at": "2026-03-01", "unpriced_requests": 1}, status=status)
    found = costs.headline(unpriced)
    of_status = found.cost_per_completed_usd if status == "completed" else found.wasted_usd
    assert (found.cost_usd, of_status) == (None, None)


@pytest.mark.parametrize(
    ("now", "before", "expected"),
    [(3, 2, (1, 0.5)), (3, 0, (3, None)), (None, 2, None), (2, None, None), (0, 4, (-4, -1))],
)
def test_a_change_is_told_in_figures_and_as_a_share(now: Any, before: Any, expected: Any) -> None:
    assert costs.change(now, before) == expected


def test_the_forecast_is_what_was_spent_and_what_such_days_cost() -> None:
    # Nine days at 10 dollars, half of them before noon; today 4 before noon.
    past = [
        {"at": f"2026-03-0{day}T{hour}", "cost_usd": 5}
        for day in range(1, 10)
        for hour in ("09", "15")
    ]
    found = costs.forecast(a_ledger(*past, {"at": "2026-03-10T09", "cost_usd": 4}), MARCH, UTC, NOW)
    assert found == costs.Forecast(94, 94 + 5 + 21 * 10, 309, 309, 9)


def test_the_forecast_has_a_spread_that_comes_from_how_much_days_differ() -> None:
    past = [{"at": f"2026-03-0{day}T09", "cost_usd": day} for day in range(1, 10)]
    found = costs.forecast(a_ledger(*past), MARCH, UTC, NOW)
    assert found is not None
    assert found.expected_usd == pytest.approx(45 + 0 + 21 * 5)
    assert found.high_usd - found.expected_usd == pytest.approx(1.2816 * (21 * 7.5) ** 0.5)
    assert found.low_usd == pytest.approx(2 * found.expected_usd - found.high_usd)


def test_days_without_work_count_in_the_forecast_and_days_before_the_first_call_do_not() -> None:
    found = costs.forecast(a_ledger({"at": "2026-03-08T09", "cost_usd": 6}), MARCH, UTC, NOW)
    assert found is not None
    assert (found.days_of_history, found.expected_usd) == (2, 6 + 21 * 3)


def test_a_forecast_is_never_below_what_is_spent() -> None:
    past = [{"at": "2026-03-09T09", "cost_usd": 500}, {"at": "2026-03-08T09", "cost_usd": 1}]
    ten_days = days(date(2026, 3, 1), date(2026, 3, 11), UTC)
    found = costs.forecast(a_ledger(*past), ten_days, UTC, NOW)
    assert found is not None
    assert found.low_usd == found.spent_usd == 501


def test_without_any_history_there_is_no_forecast() -> None:
    assert costs.forecast(a_ledger({"at": "2026-03-10T09", "cost_usd": 4}), MARCH, UTC, NOW) is None


def test_without_any_known_price_there_is_no_forecast() -> None:
    past = [{"at": f"2026-03-0{day}T09", "unpriced_requests": 1} for day in range(1, 10)]
    assert costs.forecast(a_ledger(*past), MARCH, UTC, NOW) is None
    found = costs.forecast(a_ledger(*past, {"at": "2026-03-05T09", "cost_usd": 6}), MARCH, UTC, NOW)
    assert found is not None
    assert found.spent_usd == 6


def test_cost_over_time_has_every_bucket_and_the_largest_part_first() -> None:
    rows = a_ledger(
        {"at": "2026-03-01T23:30", "model": "small", "cost_usd": 1},
        {"at": "2026-03-04", "model": "large", "cost_usd": 5},
        {"at": None, "model": "large", "cost_usd": 100},
    )
    found = costs.over_time(rows, "day", "model", "cost_usd", BERLIN)
    assert [moment.day for moment in found.index] == [2, 3, 4]
    assert {name: list(found[name]) for name in found} == {"large": [0, 0, 5], "small": [1, 0, 0]}
    assert list(found.columns) == ["large", "small"]


@pytest.mark.parametrize("bucket", ["hour", "day", "week", "month"])
@given(st.lists(st.tuples(st.integers(0, 3_000), st.floats(0, 9)), max_size=20))
def test_no_bucket_loses_a_cent(bucket: Bucket, calls: list[tuple[int, float]]) -> None:
    start = pd.Timestamp("2026-02-20T00:00", tz=UTC)
    groups = [{"at": start + pd.Timedelta(minutes=15 * at), "cost_usd": usd} for at, usd in calls]
    found = costs.over_time(a_ledger(*groups), bucket, None, "cost_usd", BERLIN)
    assert float(found.to_numpy().sum()) == pytest.approx(sum(usd for _, usd in calls))


def test_small_parts_are_summed_up_as_other() -> None:
    table = pd.DataFrame({"a": [5, 1], "b": [2, 2], "c": [1, 0]})
    assert costs.largest(table, 2).to_dict("list") == {"a": [5, 1], "Other": [3, 2]}
    assert costs.largest(table, 3) is table


def test_of_many_parts_the_smaller_ones_are_one_over_time() -> None:
    names = {"Other": 9, "b": 5, "c": 3, "d": 1}
    rows = a_ledger(
        *({"at": "2026-03-01", "model": name, "cost_usd": usd} for name, usd in names.items())
    )
    found = costs.over_time(rows, "day", "model", "cost_usd", UTC, 3)
    assert found.to_dict("list") == {"Other": [9], "b": [5], "Other*": [4]}
    assert list(costs.over_time(rows, "day", "model", "cost_usd", UTC, 4)) == list(names)


def test_ten_years_of_a_thousand_projects_fit_into_memory() -> None:
    hours = pd.date_range("2016-01-01", "2025-12-31T23:00", periods=3_000, tz=UTC)
    groups = [
        {"at": at, "session_key": "s1", "model": f"model {number % 1000}", "cost_usd": 1}
        for number, at in enumerate(hours)
    ]
    found = costs.over_time(a_ledger(*groups), "hour", "model", "cost_usd", UTC, 8)
    assert found.shape == (10 * 365 * 24 + 3 * 24, 8)
    assert float(found.to_numpy().sum()) == 3_000


def test_a_part_that_is_called_as_the_sum_of_the_others_is_not_lost() -> None:
    table = pd.DataFrame({"Other": [5], "b": [2], "c": [1]})
    assert costs.largest(table, 2).to_dict("list") == {"Other": [5], "Other*": [3]}


def test_cost_by_session_includes_those_without_a_title() -> None:
    rows = a_ledger({"at": "2026-03-01", "cost_usd": 2.0})
    found = costs.over_time(rows, "day", "title", "cost_usd", BERLIN)
    assert found.to_numpy().tolist() == [[2.0]]


def test_the_heat_map_has_every_hour_of_the_week_on_the_clocks_of_the_viewer() -> None:
    found = costs.weekday_by_hour(
        a_ledger({"at": "2026-03-01T23:30", "cost_usd": 2}), "cost_usd", BERLIN
    )
    assert found.shape == (7, 24)
    assert (found.loc[0, 0], found.to_numpy().sum()) == (2, 2)


def test_what_was_spent_lately_is_counted_to_the_millisecond(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    moment = int(NOW.timestamp() * 1000)

    def call(session: str, at: int) -> Request:
        return Request(
            key=f"claude-code:{session}{at}",
            session_key=f"claude-code:{session}",
            owner_rank="0",
            at=at,
            model="claude-sonnet-4-5",
            output_tokens=1_000_000,
        )

    sessions = [
        Session(
            key=f"claude-code:{name}", agent="claude-code", session_id=name, last_activity_at=at
        )
        for name, at in {"a": moment, "b": moment, "old": moment - 1}.items()
    ]
    calls = [call("a", moment), call("a", moment - 1), call("b", moment), call("old", moment - 1)]
    store.write(Batch(sessions=sessions, requests=calls))
    found = costs.spent_after(store, moment, {"claude-code:a"})
    assert (found.requests, found.cost_usd) == (1, pytest.approx(15))
    assert costs.spent_after(store, moment, set()).requests == 0
    store.close()


def test_the_top_sessions_are_those_with_the_most_of_the_measure_and_a_price() -> None:
    usage = usage_frame(
        {"session_key": "a", "at": NOON, "cost_usd": 1.0, "input_tokens": 9},
        {"session_key": "b", "at": NOON, "cost_usd": 2.0, "input_tokens": 5},
        {"session_key": "c", "at": NOON, "unpriced_requests": 1, "input_tokens": 7},
        {"session_key": "d", "at": NOON},
    )
    rows = ledger(usage, sessions_frame(*({"key": key, "title": key} for key in "abcd")))
    assert list(costs.top_sessions(rows, "cost_usd", 5)["top_key"]) == ["b", "a"]
    assert list(costs.top_sessions(rows, "total_tokens", 2)["top_key"]) == ["a", "c"]
    assert costs.top_sessions(rows[:0], "cost_usd", 5).empty


def test_what_caches_did_is_told_by_bucket_also_where_there_was_no_prompt() -> None:
    rows = a_ledger(
        {"at": "2026-05-04T10:00Z", "input_tokens": 25, "cache_read_tokens": 75},
        {"at": "2026-05-06T10:00Z", "output_tokens": 5, "cache_savings_usd": 0.5},
    )
    found = costs.cache_over_time(rows, "day", UTC)
    assert list(found["share"].fillna(-1)) == [0.75, -1, -1]
    assert list(found["saved_usd"]) == [0, 0, 0.5]
    assert costs.cache_over_time(rows[:0], "day", UTC).empty


def test_a_context_grows_call_by_call_and_calls_out_of_order_are_left_out() -> None:
    calls = pd.DataFrame(
        {
            "session_key": ["a", "a", "b", "a", "a"],
            "at": pd.to_datetime(["2026-05-04"] * 4 + ["NaT"], utc=True),
            "prompt_tokens": [10, 30, 7, 20, 99],
        }
    )
    found = costs.context_growth(calls, {"b": "Same", "a": "Same", "c": "None of its calls"})
    assert list(found.columns) == ["Same", "Same*"]
    assert list(found["Same*"]) == [10, 30, 20]
    assert list(found["Same"].dropna()) == [7]
    assert list(found.index) == [1, 2, 3]


def test_sums_of_a_table_are_its_last_row_and_column() -> None:
    table = pd.DataFrame({"x": [1.0, float("nan")], "All": [2.0, float("nan")]}, index=["a", "b"])
    found = costs.with_totals(table)
    assert list(found.columns) == ["x", "All", "All*"]
    assert found.to_numpy()[-1].tolist() == [1, 2, 3]
    assert pd.isna(found.to_numpy()[1]).all()
