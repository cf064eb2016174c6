"""Five-hour windows begin with the hour of a call and hold every call once."""

from datetime import UTC, datetime
from itertools import pairwise

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.ledger import Period
from lib.windows import LENGTH, active, projection, starts, touching, windows
from tests.ledger_rows import a_ledger, ledger, sessions_frame, usage_frame

Told = tuple[str, str, float]


def at(clock: str) -> str:
    return f"2026-05-04T{clock}:00Z"


def told(*calls: tuple[str, float]) -> list[Told]:
    rows = a_ledger(*({"at": at(clock), "cost_usd": cost} for clock, cost in calls))
    found = windows(rows, starts(rows))
    first, last = (found[name].dt.strftime("%H:%M") for name in ("start", "end"))
    return list(zip(first, last, found["cost_usd"], strict=True))


def test_a_window_begins_with_the_hour_of_its_first_call_and_lasts_five() -> None:
    assert told(("08:45", 1), ("12:45", 2)) == [("08:00", "13:00", 3)]


def test_the_first_call_after_its_end_begins_the_next_one() -> None:
    calls = [("08:45", 1), ("13:00", 2), ("17:45", 4)]
    assert told(*calls) == [("13:00", "18:00", 6), ("08:00", "13:00", 1)]


def test_between_windows_there_may_be_a_gap() -> None:
    assert told(("01:00", 1), ("09:15", 2)) == [("09:00", "14:00", 2), ("01:00", "06:00", 1)]


def test_only_calls_of_claude_code_that_have_a_time_count() -> None:
    usage = usage_frame(
        {"session_key": "s1", "at": at("08:00"), "cost_usd": 1},
        {"session_key": "s1", "at": None, "cost_usd": 2},
        {"session_key": "s2", "at": at("09:00"), "cost_usd": 4, "agent": "codex"},
    )
    rows = ledger(usage, sessions_frame({"key": "s1"}, {"key": "s2"}))
    assert list(windows(rows, starts(rows))["cost_usd"]) == [1]


def test_without_calls_there_are_none() -> None:
    unknown = a_ledger({"at": None})
    found = windows(unknown, starts(unknown))
    assert found.empty
    assert active(starts(unknown), pd.Timestamp(at("08:00"))) is None


@pytest.mark.parametrize(("now", "start"), [("12:59", 8), ("13:00", None), ("07:59", None)])
def test_the_active_window_is_the_one_that_holds_the_present(now: str, start: int | None) -> None:
    window = active(starts(a_ledger({"at": at("08:45")})), pd.Timestamp(at(now)))
    assert (window.start.hour if window else None) == start


def test_a_window_ends_as_it_went_so_far() -> None:
    rows = a_ledger({"at": at("08:30"), "cost_usd": 3.0, "input_tokens": 90})
    now = pd.Timestamp(at("10:00"))
    window = active(starts(rows), now)
    assert window is not None
    # $3 in the 90 minutes from 8:30 on; until 13:00 there are 270.
    assert projection(rows, window, now) == (pytest.approx(9.0), 270)


def test_the_first_minutes_of_a_window_say_nothing_of_its_end() -> None:
    rows = a_ledger({"at": at("08:30"), "cost_usd": 3.0})
    now = pd.Timestamp(at("08:39"))
    window = active(starts(rows), now)
    assert window is not None
    assert projection(rows, window, now) is None


def test_what_has_no_price_is_projected_in_tokens_only() -> None:
    rows = a_ledger({"at": at("08:00"), "input_tokens": 10, "unpriced_requests": 1})
    now = pd.Timestamp(at("10:30"))
    window = active(starts(rows), now)
    assert window is not None
    assert projection(rows, window, now) == (None, 20)


QUARTERS = st.lists(st.integers(0, 4 * 24 * 10), min_size=1, max_size=60)


@given(QUARTERS)
def test_every_call_is_in_exactly_one_window(quarters: list[int]) -> None:
    first = datetime(2026, 3, 1, tzinfo=UTC)
    moments = [first + pd.Timedelta(minutes=15 * quarter) for quarter in quarters]
    rows = a_ledger(*({"at": moment.isoformat()} for moment in moments))
    found = windows(rows, starts(rows))
    assert found["requests"].sum() == len(moments)
    begun = list(found["start"])[::-1]
    assert all(later - earlier >= LENGTH for earlier, later in pairwise(begun))
    assert all(any(a <= one < a + LENGTH for a in begun) for one in map(pd.Timestamp, moments))


def test_what_the_filters_leave_out_still_begins_windows() -> None:
    usage = usage_frame(
        {"session_key": "s1", "at": at("08:30"), "cost_usd": 1},
        {"session_key": "s2", "at": at("11:30"), "cost_usd": 2},
        {"session_key": "s2", "at": at("13:30"), "cost_usd": 4},
    )
    rows = ledger(usage, sessions_frame({"key": "s1"}, {"key": "s2"}))
    left = rows[rows["session_key"] == "s2"]
    found = windows(left, starts(rows))
    assert list(found["start"].dt.hour) == [13, 8]
    assert list(found["cost_usd"]) == [4, 2]
    window = active(starts(rows), pd.Timestamp(at("14:30")))
    assert window is not None
    assert projection(rows[rows["session_key"] == "s1"], window, pd.Timestamp(at("14:30"))) is None


def test_a_window_belongs_to_each_period_in_which_a_part_of_it_lies() -> None:
    rows = a_ledger({"at": at("01:30")}, {"at": at("22:30")})
    found = windows(rows, starts(rows))
    midnight = pd.Timestamp("2026-05-05T00:00Z")
    assert list(touching(found, Period(midnight, None))["start"].dt.hour) == [22]
    assert list(touching(found, Period(None, midnight))["start"].dt.hour) == [22, 1]
    assert list(touching(found, Period(None, None))["start"].dt.hour) == [22, 1]
