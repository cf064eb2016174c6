"""The ledger: calls with what they are grouped by, in the viewer's time."""

from datetime import UTC, date
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.ledger import (
    DIMENSIONS,
    NONE,
    UNTITLED,
    Bucket,
    Period,
    buckets,
    current,
    days,
    grouped,
    ledger,
    preset,
    within,
)
from tests.ledger_rows import a_ledger, sessions_frame, usage_frame

BERLIN = ZoneInfo("Europe/Berlin")


def utc(text: str) -> pd.Timestamp:
    return pd.Timestamp(text, tz=UTC)


def test_a_subagents_calls_stand_with_the_session_that_the_user_started() -> None:
    rows = ledger(
        usage_frame({"session_key": "top/a/b", "at": "2026-03-01"}),
        sessions_frame(
            {"key": "top", "project": "alpha", "title": "Main"},
            {"key": "top/a", "parent_key": "top"},
            {"key": "top/a/b", "parent_key": "top/a", "project": "beta"},
        ),
    )
    assert rows[["top_key", "project", "title"]].to_numpy().tolist() == [["top", "alpha", "Main"]]


def test_a_subagent_whose_parent_is_unknown_stands_alone() -> None:
    session = {"key": "gone/a", "parent_key": "gone"}
    rows = ledger(usage_frame({"session_key": "gone/a", "at": None}), sessions_frame(session))
    assert list(rows["top_key"]) == ["gone/a"]


def test_samples_are_left_out() -> None:
    assert a_ledger({"at": "2026-03-01"}, sample=True).empty


def test_what_is_missing_has_a_name_to_group_by() -> None:
    row = a_ledger({"at": "2026-03-01", "model": None}).iloc[0]
    assert (row["project"], row["branch"], row["spec"], row["model"]) == (NONE, NONE, NONE, NONE)


def test_no_calls_make_an_empty_ledger_with_all_columns() -> None:
    rows = ledger(usage_frame(), sessions_frame())
    assert rows.empty
    assert set(DIMENSIONS.values()) <= set(rows.columns)
    assert grouped(rows, ["model"]).empty


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("today", "2026-03-29", "2026-03-30"),
        ("yesterday", "2026-03-28", "2026-03-29"),
        ("7d", "2026-03-23", "2026-03-30"),
        ("30d", "2026-02-28", "2026-03-30"),
        ("week", "2026-03-23", "2026-03-30"),
        ("month", "2026-03-01", "2026-03-30"),
        ("last-month", "2026-02-01", "2026-03-01"),
        ("year", "2026-01-01", "2026-03-30"),
    ],
)
def test_presets_are_whole_days_of_the_viewer(name: str, first: str, last: str) -> None:
    now = utc("2026-03-28T23:30")  # already the 29th in Berlin, where the clocks change that day
    period = preset(name, BERLIN, now)
    assert period[:2] == (pd.Timestamp(first, tz=BERLIN), pd.Timestamp(last, tz=BERLIN))


def test_all_time_is_open_on_both_sides_and_has_none_before_it() -> None:
    period = preset("all", UTC, utc("2026-03-28"))
    assert (period, period.previous(utc("2026-03-28"))) == (Period(None, None), None)


def test_the_period_before_is_as_many_days_across_a_change_of_the_clocks() -> None:
    week = days(date(2026, 3, 30), date(2026, 4, 5), BERLIN)
    before = week.previous(utc("2026-04-10"))
    assert before == days(date(2026, 3, 23), date(2026, 3, 29), BERLIN)


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        # Thursday, 2 April, at noon. On 29 March the clocks went forward.
        ("today", "2026-04-01T00:00", "2026-04-01T12:00"),
        ("yesterday", "2026-03-31T00:00", "2026-04-01T00:00"),
        ("7d", "2026-03-20T00:00", "2026-03-26T12:00"),
        ("week", "2026-03-23T00:00", "2026-03-26T12:00"),
        ("month", "2026-03-01T00:00", "2026-03-02T12:00"),
        ("last-month", "2026-02-01T00:00", "2026-03-01T00:00"),
        ("year", "2025-01-01T00:00", "2025-04-02T12:00"),
    ],
)
def test_what_goes_on_is_compared_with_as_much_of_the_period_before(
    name: str, first: str, last: str
) -> None:
    now = pd.Timestamp("2026-04-02T12:00", tz=BERLIN)
    before = preset(name, BERLIN, now).previous(now)
    assert before == Period(pd.Timestamp(first, tz=BERLIN), pd.Timestamp(last, tz=BERLIN))


def test_a_month_is_compared_with_no_more_than_all_of_a_shorter_one() -> None:
    now = pd.Timestamp("2026-03-31T12:00", tz=BERLIN)
    before = preset("month", BERLIN, now).previous(now)
    assert before == days(date(2026, 2, 1), date(2026, 2, 28), BERLIN)


def test_today_is_compared_hour_by_hour_on_the_day_after_the_clocks_changed() -> None:
    now = pd.Timestamp("2026-03-30T12:00", tz=BERLIN)
    before = preset("today", BERLIN, now).previous(now)
    # That day had no third hour: until noon only eleven hours passed.
    assert before == Period(utc("2026-03-28T23:00"), utc("2026-03-29T10:00"))


@pytest.mark.parametrize(
    ("unit", "first", "last"),
    [
        ("day", date(2026, 3, 29), date(2026, 3, 29)),
        ("week", date(2026, 3, 23), date(2026, 3, 29)),
        ("month", date(2026, 3, 1), date(2026, 3, 31)),
    ],
)
def test_the_current_period_is_whole(unit: Any, first: date, last: date) -> None:
    assert current(unit, BERLIN, utc("2026-03-28T23:30")) == days(first, last, BERLIN)


def test_a_day_that_begins_at_one_o_clock_is_a_day() -> None:
    # Midnight of 2018-11-04 did not exist in São Paulo.
    period = days(date(2018, 11, 4), date(2018, 11, 4), ZoneInfo("America/Sao_Paulo"))
    assert period == Period(utc("2018-11-04T03:00"), utc("2018-11-05T02:00"))


def test_a_period_holds_its_first_moment_and_not_its_last() -> None:
    rows = a_ledger({"at": "2026-03-01"}, {"at": "2026-03-02"}, {"at": None})
    day = days(date(2026, 3, 1), date(2026, 3, 1), UTC)
    assert list(within(rows, day)["at"]) == [utc("2026-03-01")]
    assert len(within(rows, Period(None, None))) == 3


@pytest.mark.parametrize(
    ("bucket", "expected"),
    [
        ("hour", "2026-03-29T03:00"),
        ("day", "2026-03-29"),
        ("week", "2026-03-23"),
        ("month", "2026-03-01"),
    ],
)
def test_buckets_begin_on_the_clocks_of_the_viewer(bucket: Bucket, expected: str) -> None:
    at = pd.Series([utc("2026-03-29T01:15")])  # the hour after two o'clock was left out
    assert list(buckets(at, bucket, BERLIN)) == [pd.Timestamp(expected)]


GROUP = st.fixed_dictionaries(
    {
        "at": st.datetimes(pd.Timestamp("2024-01-01"), pd.Timestamp("2027-01-01")).map(
            lambda moment: moment.replace(microsecond=0).isoformat()
        ),
        "model": st.sampled_from(["a", "b", "$c", None]),
        "session_key": st.sampled_from(["s1", "s1/x", "s2"]),
        "input_tokens": st.integers(0, 10**9),
        "cost_usd": st.floats(0, 100),
    }
)


@given(st.lists(GROUP, max_size=12), st.sampled_from(sorted(DIMENSIONS)))
def test_every_grouping_adds_up_to_the_whole(groups: list[dict[str, Any]], by: str) -> None:
    sessions = sessions_frame({"key": "s1"}, {"key": "s1/x", "parent_key": "s1"}, {"key": "s2"})
    rows = ledger(usage_frame(*groups), sessions)
    found = grouped(rows, [DIMENSIONS[by]])  # type: ignore[index]
    assert found["input_tokens"].sum() == sum(group["input_tokens"] for group in groups)
    assert found["cost_usd"].sum() == pytest.approx(sum(group["cost_usd"] for group in groups))
    assert found["requests"].sum() == len(groups)


def test_groups_stand_with_the_most_expensive_first() -> None:
    rows = a_ledger(
        {"at": "2026-03-01", "model": "cheap", "cost_usd": 1, "output_tokens": 9},
        {"at": "2026-03-01", "model": "dear", "cost_usd": 2},
        {"at": "2026-03-02", "model": "dear", "cost_usd": 2, "cache_read_tokens": 5},
    )
    found = grouped(rows, ["model"])
    columns = ["model", "cost_usd", "total_tokens", "requests", "sessions"]
    assert found[columns].to_numpy().tolist() == [["dear", 4, 5, 2, 1], ["cheap", 1, 9, 1, 1]]


def test_of_a_month_at_the_edge_of_a_period_only_the_part_in_it_counts() -> None:
    whole = days(date(2026, 3, 10), date(2026, 4, 8), BERLIN)
    march, april = (days(date(2026, one, 1), date(2026, one, 30), BERLIN) for one in (3, 4))
    assert march.within(whole) == Period(whole.start, march.end)
    assert april.within(whole) == Period(april.start, whole.end)
    assert march.within(Period(None, None)) == march


def test_calls_are_told_apart_by_what_made_the_agent_ask() -> None:
    told = '{"agent":"reviewer","mcp_server":"files","mcp_tool":"read"}'
    rows = ledger(
        usage_frame(
            {"session_key": "s1", "at": "2026-03-01T10:00Z", "attribution": '{"skill":"pdf"}'},
            {"session_key": "s1", "at": "2026-03-01T10:00Z", "attribution": None},
            {"session_key": "s1/a", "at": "2026-03-01T10:00Z", "attribution": told},
            {"session_key": "s1/b", "at": "2026-03-01T10:00Z", "attribution": None},
        ),
        sessions_frame(
            {"key": "s1"},
            {"key": "s1/a", "parent_key": "s1"},
            {"key": "s1/b", "parent_key": "s1"},
        ),
    )
    assert list(rows["subagent"]) == [NONE, NONE, "reviewer", "Claude Code subagent"]
    assert list(rows["skill"]) == ["pdf", NONE, NONE, NONE]
    assert list(rows["mcp_server"]) == [NONE, NONE, "files", NONE]


def test_sessions_of_one_title_are_told_apart_and_others_go_by_their_title() -> None:
    names = {"a": "Fix it", "b": "Fix it", "c": None, "d": "Build it"}
    usage = usage_frame(*({"session_key": key, "at": "2026-03-01"} for key in names))
    about = ({"key": key, "title": title} for key, title in names.items())
    rows = ledger(usage, sessions_frame(*about))
    assert list(rows["session"]) == ["Fix it · #a", "Fix it · #b", UNTITLED, "Build it"]


def test_the_agents_own_session_of_one_that_a_server_runs_is_no_subagent() -> None:
    usage = usage_frame(*({"session_key": key, "at": "2026-03-01"} for key in ("own", "below")))
    rows = ledger(
        usage,
        sessions_frame(
            {"key": "served", "server": "http://s"},
            {"key": "own", "parent_key": "served"},
            {"key": "below", "parent_key": "own"},
        ),
    )
    assert list(rows["subagent"]) == [NONE, "Claude Code subagent"]
    assert set(rows["top_key"]) == {"served"}
