"""How often sessions fail, and how long they took: against figures computed by hand."""

from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import failure_rates
from tests.ledger_rows import sessions_frame

BERLIN = ZoneInfo("Europe/Berlin")


def an_end(key: str, status: str, at: str | None, **facts: Any) -> dict[str, Any]:
    return {"key": key, "status": status, "ended_at": at, "turns": 1, **facts}


def over(*rows: dict[str, Any]) -> pd.DataFrame:
    return sessions_frame(*rows).assign(at=lambda frame: frame["ended_at"])


DAYS = over(
    an_end("a", "failed", "2026-03-01T10:00", project="alpha"),
    an_end("b", "completed", "2026-03-01T11:00", project="alpha"),
    an_end("c", "cancelled", "2026-03-03T10:00", project="beta"),
    an_end("d", "failed", "2026-03-03T23:30", project=None),
    an_end("e", "completed", None, project="alpha"),
)


def test_rates_by_name_are_those_computed_by_hand() -> None:
    assert failure_rates.rates(DAYS, "project").values.tolist() == [
        ["alpha", 3, 1, 1 / 3],
        ["–", 1, 1, 1.0],
        ["beta", 1, 0, 0.0],
    ]
    assert failure_rates.rates(DAYS, None).values.tolist() == [["All", 5, 2, 0.4]]


def test_rates_over_time_have_no_gaps_and_no_zero_where_nothing_ended() -> None:
    found = failure_rates.over_time(DAYS, None, "day", UTC)
    assert list(found.ended["All"]) == [2, 0, 2]
    assert list(found.failed["All"]) == [1, 0, 1]
    assert list(found.share["All"].fillna(-1)) == [0.5, -1, 0.5]


def test_a_day_is_one_of_the_viewers() -> None:
    found = failure_rates.over_time(DAYS, None, "day", BERLIN)
    assert list(found.ended["All"]) == [2, 0, 1, 1]


def test_by_hour_of_the_day_all_days_count_together() -> None:
    found = failure_rates.over_time(DAYS, "project", "hour-of-day", BERLIN)
    assert list(found.ended.index) == list(range(24))
    assert found.ended.columns[0] == "alpha"
    assert (found.ended.loc[11].sum(), found.failed.loc[11].sum()) == (2, 1)
    assert found.share.loc[0, "–"] == 1


@pytest.mark.parametrize("step", ["hour", "day", "week", "month", "hour-of-day"])
def test_nothing_has_no_rate(step: Any) -> None:
    nothing = over()
    assert failure_rates.over_time(nothing, "tool", step, UTC).ended.to_numpy().sum() == 0
    assert failure_rates.rates(nothing, "tool").empty
    assert list(failure_rates.spread(nothing, {})["sessions"]) == [0] * 6


def test_the_spread_is_that_computed_by_hand() -> None:
    done = [
        an_end(str(n), "completed", "2026-03-01", duration_ms=n * 60_000, turns=n)
        for n in range(1, 102)
    ]
    lost = an_end("x", "failed", "2026-03-01", duration_ms=None, turns=7)
    waited = {"1": 0, "2": 120_000, "x": 30_000, "gone": 5}
    rows = failure_rates.spread(over(*done, lost), waited).values.tolist()
    found = {(row[0], row[1]): row[2:] for row in rows}
    assert found["Minutes from start to end", "completed"] == [101, 51, 91, 100]
    assert found["Minutes from start to end", "failed"][0] == 0
    assert found["Minutes of waiting for you", "completed"] == pytest.approx([2, 1.0, 1.8, 1.98])
    assert found["Minutes of waiting for you", "failed"][1] == 0.5
    assert found["Turns", "failed"] == [1, 7, 7, 7]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["failed", "completed", "cancelled"]),
            st.integers(0, 10**6),
            st.sampled_from(["alpha", "beta", None]),
        ),
        max_size=30,
    ),
    st.sampled_from(["hour", "day", "week", "month", "hour-of-day"]),
)
def test_every_session_is_in_one_bucket_and_under_one_name(
    told: list[tuple[str, int, str | None]], step: Any
) -> None:
    start = pd.Timestamp("2026-03-20", tz=UTC)
    rows = [
        an_end(str(n), status, str(start + pd.Timedelta(seconds=at)), project=project)
        for n, (status, at, project) in enumerate(told)
    ]
    frame = over(*rows)
    found = failure_rates.over_time(frame, "project", step, BERLIN)
    failed = sum(status == "failed" for status, _, _ in told)
    assert (found.ended.to_numpy().sum(), found.failed.to_numpy().sum()) == (len(told), failed)
    by_name = failure_rates.rates(frame, "project")
    assert (by_name["ended"].sum(), by_name["failed"].sum()) == (len(told), failed)
