"""What is selected in charts: told by the address, and kept to it."""

from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.ledger import Period, ledger
from lib.selection import Selection, from_query, narrowed, span_of, to_query
from tests.ledger_rows import sessions_frame, usage_frame

BERLIN = ZoneInfo("Europe/Berlin")


def moment(text: str) -> pd.Timestamp:
    return pd.Timestamp(text, tz=BERLIN)


def test_an_address_gives_back_what_it_was_made_of() -> None:
    span = Period(moment("2026-05-04T00:00"), moment("2026-05-06T00:00"))
    selection = Selection(span, ((0, 9), (6, 23)), ("codex:a", "codex:b/c"))
    query = to_query(selection, BERLIN)
    assert query["span"] == ["2026-05-04T00:00/2026-05-06T00:00"]
    assert from_query(query, BERLIN) == selection


def test_nothing_selected_is_no_address() -> None:
    assert to_query(Selection(), BERLIN) == {}
    assert Selection().is_empty


@pytest.mark.parametrize(
    "query",
    [
        {"span": ["yesterday"]},
        {"span": ["2026-05-04T00:00"]},
        {"span": ["2026-05-06T00:00/2026-05-04T00:00"]},
        {"span": ["0001-01-01T00:00/9999-01-01T00:00"]},
        {"span": ["2026-05-04T00:00Z/2026-05-06T00:00Z"]},
        {"clock": ["7-1.0-24.x.-1-3.0-1-2"]},
        {"clock": []},
        {"only": ["", "x" * 1_001]},
    ],
)
def test_what_is_no_selection_selects_nothing(query: dict[str, list[str]]) -> None:
    assert from_query(query, BERLIN).is_empty


@given(
    st.dictionaries(
        st.sampled_from(["span", "clock", "only"]),
        st.lists(st.text(max_size=60) | st.from_regex(r"\A[0-9T:/.-]{0,40}\Z"), max_size=3),
    )
)
def test_no_address_breaks_it(query: dict[str, list[str]]) -> None:
    selection = from_query(query, BERLIN)
    assert from_query(to_query(selection, BERLIN), BERLIN) == selection


def rows() -> pd.DataFrame:
    usage = usage_frame(
        {"session_key": "a", "at": "2026-05-04T07:15:00Z", "requests": 1},  # Monday, 9:15
        {"session_key": "a", "at": "2026-05-05T07:15:00Z", "requests": 2},
        {"session_key": "b", "at": "2026-05-04T08:15:00Z", "requests": 4},
        {"session_key": "b", "at": None, "requests": 8},
    )
    return ledger(usage, sessions_frame({"key": "a"}, {"key": "b"}))


@pytest.mark.parametrize(
    ("query", "requests"),
    [
        ({}, 15),
        ({"span": ["2026-05-04T00:00/2026-05-05T00:00"]}, 5),
        ({"clock": ["0-9"]}, 1),
        ({"clock": ["0-9.1-9"]}, 3),
        ({"only": ["b"]}, 12),
        ({"only": ["b"], "clock": ["0-10"]}, 4),
    ],
)
def test_the_rows_are_those_that_every_part_selects(
    query: dict[str, list[str]], requests: int
) -> None:
    found = narrowed(rows(), from_query(query, BERLIN), BERLIN)
    assert found["requests"].sum() == requests


def test_a_chart_is_not_narrowed_by_what_is_selected_in_it() -> None:
    query = {"span": ["2026-05-04T00:00/2026-05-05T00:00"], "clock": ["0-9"], "only": ["a"]}
    selection = from_query(query, BERLIN)
    counts = {
        part: int(narrowed(rows(), selection, BERLIN, but=part)["requests"].sum())
        for part in ("span", "clock", "only")
    }
    assert counts == {"span": 1, "clock": 1, "only": 1}
    only = from_query({"only": ["a"]}, BERLIN)
    assert narrowed(rows(), only, BERLIN, but="only")["requests"].sum() == 15


def test_the_span_of_bars_ends_with_the_last_of_them_and_with_the_period() -> None:
    whole = Period(moment("2026-05-01"), moment("2026-06-01"))
    weeks = [pd.Timestamp("2026-05-04"), pd.Timestamp("2026-05-25")]
    span = span_of(weeks, pd.DateOffset(weeks=1), BERLIN, whole)
    assert span == Period(moment("2026-05-04"), moment("2026-06-01"))


def test_the_day_on_which_clocks_change_is_a_whole_day() -> None:
    span = span_of([pd.Timestamp("2026-03-29")], pd.DateOffset(days=1), BERLIN, Period(None, None))
    assert span.start is not None
    assert span.end is not None
    assert span.end - span.start == pd.Timedelta(hours=23)
