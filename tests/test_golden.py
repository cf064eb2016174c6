"""The Costs page's every figure and chart, against a store that was worked out by hand."""

from collections import defaultdict
from datetime import date

import pandas as pd
import pytest

from lib import costs, ledger
from lib.costs import Change, Forecast
from lib.frame import load_requests, load_sessions
from lib.ledger import DIMENSIONS, Bucket, Dimension, Period
from lib.report import Scope, totals_report
from lib.store import Store
from tests import golden
from tests.golden import BERLIN, CALLS, NOW, NOW_MS, SESSIONS, key_of, part_of, total

ALL = Period(None, None)
MEASURES = {"cost_usd": "usd", "total_tokens": "tokens", "requests": "calls"}


@pytest.fixture(scope="module")
def rows(golden_store: Store) -> pd.DataFrame:
    return ledger.load(golden_store, NOW_MS)


def month(rows: pd.DataFrame) -> pd.DataFrame:
    """The last thirty days: 2 to 31 March."""
    return ledger.within(rows, ledger.preset("30d", BERLIN, NOW))


def test_every_call_has_the_price_that_was_worked_out(golden_store: Store) -> None:
    priced = {row["key"]: row for row in load_requests(golden_store).to_dict("records")}
    for number, call in enumerate(CALLS):
        row = priced[f"golden:{number}"]
        known = [] if pd.isna(row["cost_usd"]) else [row["cost_usd"], row["cache_savings_usd"]]
        assert known == ([] if call.usd is None else pytest.approx([call.usd, call.saved]))


def test_every_session_is_as_the_user_sees_it(golden_store: Store) -> None:
    sessions = {row["key"]: row for row in load_sessions(golden_store, NOW_MS).to_dict("records")}
    for name, who in SESSIONS.items():
        row = sessions[key_of(name)]
        assert (row["agent_label"], row["status"]) == (who.tool, who.status)
        minutes = None if pd.isna(row["duration_ms"]) else row["duration_ms"] / 60_000
        assert minutes == who.minutes


def test_the_headline_of_thirty_days(rows: pd.DataFrame) -> None:
    found = costs.headline(month(rows))
    # night 1.185, clocks 0.40, limit 1.62, again 0.45, partly 0.15, broken-off 0.60, open 0.18,
    # long 1.04; of `slow` nothing is known.
    assert found.cost_usd == pytest.approx(5.625)
    assert (found.requests, found.unpriced_requests, found.sessions) == (15, 2, 9)
    # Input: 160k, 120k, 250k, 100k, 101k, 2k, 200k, 30k, 380k of these in their order.
    assert found.input_tokens == 1_343_000
    # Output: 40k, 23k, 4k, 10k, 10.5k, 0.1k, 0, 6k, 14k.
    assert found.output_tokens == 107_600
    assert (found.cache_write_tokens, found.cache_read_tokens) == (50_000, 360_000)
    assert found.total_tokens == 1_860_600
    assert found.cache_share == pytest.approx(360 / 1_753)
    # −0.06 + 0.405 + 0.18 + 0.27.
    assert found.cache_savings_usd == pytest.approx(0.795)
    # night, clocks, again, long: 1.185 + 0.40 + 0.45 + 1.04 = 3.075.
    assert found.completed_sessions == 4
    assert found.cost_per_completed_usd == pytest.approx(3.075 / 4)
    # limit and partly: 1.62 + 0.15; slow has no price.
    assert (found.failed_sessions, found.wasted_usd) == (3, pytest.approx(1.77))


def test_the_headline_of_all_time_knows_what_has_no_time_and_what_was_dismissed(
    rows: pd.DataFrame,
) -> None:
    found = costs.headline(rows)
    assert found.cost_usd == pytest.approx(5.625 + 0.10 + 0.10)
    assert (found.requests, found.sessions) == (17, 10)


@pytest.mark.parametrize(
    ("preset", "usd", "calls", "sessions"),
    [
        ("today", 0.18, 3, 2),  # open, and slow without a price
        ("yesterday", 2.22, 4, 3),  # limit 1.62, again 0.45, partly 0.15
        ("7d", 3.985, 12, 7),  # 25 to 31 March: all but broken-off, long and gone
        ("month", 5.625, 15, 9),
        ("last-month", 0.10, 1, 1),  # gone, half an hour before March
        ("year", 5.725, 16, 10),
        ("all", 5.825, 17, 10),
    ],
)
def test_the_headline_of_each_preset(
    rows: pd.DataFrame, preset: str, usd: float, calls: int, sessions: int
) -> None:
    found = costs.headline(ledger.within(rows, ledger.preset(preset, BERLIN, NOW)))
    assert found.cost_usd == pytest.approx(usd)
    assert (found.requests, found.sessions) == (calls, sessions)


def test_the_period_before_is_compared(rows: pd.DataFrame) -> None:
    period = ledger.preset("30d", BERLIN, NOW)
    before = period.previous(NOW)
    assert before is not None
    now, earlier = (costs.headline(ledger.within(rows, one)) for one in (period, before))
    # Before: 31 January to 1 March, in which only `gone` made a call.
    assert costs.change(now.cost_usd, earlier.cost_usd) == pytest.approx(Change(5.525, 55.25))
    assert costs.change(now.sessions, earlier.sessions) == Change(8, 8.0)
    assert costs.change(now.wasted_usd, earlier.wasted_usd) == pytest.approx((1.77, None))


@pytest.mark.parametrize(("minutes", "usd", "calls"), [(10, 0.09, 1), (60, 0.18, 2), (4, 0, 0)])
def test_the_burn_rate_is_what_the_last_minutes_cost(
    golden_store: Store, minutes: int, usd: float, calls: int
) -> None:
    keys = {key_of(name) for name in SESSIONS}
    found = costs.spent_after(golden_store, NOW_MS - minutes * 60_000, keys)
    assert (found.requests, found.cost_usd) == (calls, pytest.approx(usd))


# Days with a call are 12 (1.04), 18 (0.60), 27 (0.81), 28 (0.375), 29 (0.40) and 30 March (2.22);
# from the first of them to yesterday are 19 days, on average 5.445 / 19 = 0.286579.
# After 14:00 they cost 0.14, 0, 0.81, 0, 0 and 0.15: on average 1.10 / 19 = 0.057895.
# Variance of the afternoons: (0.14² + 0.81² + 0.15² − 1.10² / 19) / 18 = 0.0352509.
# Variance of the days: (1.04² + 0.6² + 0.81² + 0.375² + 0.4² + 2.22² − 5.445² / 19) / 18 =
# 0.3203502. The spread is 1.2816 times the root of the variance of what is left.
FORECASTS = {
    # Until midnight: 1.2816 × √0.0352509 = 0.240623.
    "day": (date(2026, 3, 31), date(2026, 3, 31), (0.18, 0.237895, 0.18, 0.478518, 19)),
    # And five days more: √(0.0352509 + 5 × 0.3203502) = 1.279454, times 1.2816 = 1.639748.
    "week": (date(2026, 3, 30), date(2026, 4, 5), (2.40, 3.890789, 2.40, 5.530537, 19)),
    "month": (date(2026, 3, 1), date(2026, 3, 31), (5.625, 5.682895, 5.625, 5.923518, 19)),
}


@pytest.mark.parametrize("name", FORECASTS)
def test_the_forecast(rows: pd.DataFrame, name: str) -> None:
    first, last, expected = FORECASTS[name]
    found = costs.forecast(rows, ledger.days(first, last, BERLIN), BERLIN, NOW)
    assert found == pytest.approx(Forecast(*expected), abs=1e-6)


def bucket_of(call: golden.Call, bucket: Bucket) -> pd.Timestamp:
    names = {"hour": call.hour, "day": call.day, "week": call.week, "month": f"{call.day}"[:7]}
    return pd.Timestamp(str(names[bucket]))


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("by", [None, *DIMENSIONS])
@pytest.mark.parametrize("bucket", ["hour", "day", "week", "month"])
def test_every_bar_of_the_chart_over_time(
    rows: pd.DataFrame, bucket: Bucket, by: Dimension | None, measure: str
) -> None:
    table = costs.over_time(rows, bucket, by and DIMENSIONS[by], measure, BERLIN)
    expected: dict[tuple[pd.Timestamp, str], float] = defaultdict(float)
    for call in CALLS:
        if call.at:
            part = part_of(call, by) if by else measure
            expected[bucket_of(call, bucket), part] += total(MEASURES[measure], [call])
    bars = {
        (at, name): value
        for name, column in table.to_dict().items()
        for at, value in column.items()
        if value
    }
    assert bars == pytest.approx({bar: value for bar, value in expected.items() if value})
    assert set(table.columns) == {part for _, part in expected}
    totals = table.sum().tolist()
    assert totals == sorted(totals, reverse=True)


@pytest.mark.parametrize(
    ("bucket", "bars", "first", "last"),
    [
        ("hour", 1 + 30 * 24 + 14, "2026-02-28T23", "2026-03-31T13"),
        ("day", 32, "2026-02-28", "2026-03-31"),
        ("week", 6, "2026-02-23", "2026-03-30"),
        ("month", 2, "2026-02-01", "2026-03-01"),
    ],
)
def test_times_without_calls_have_bars_of_zero(
    rows: pd.DataFrame, bucket: Bucket, bars: int, first: str, last: str
) -> None:
    # 24 hours a day, also of the day that had 23: its hour from two to three is empty.
    table = costs.over_time(rows, bucket, None, "cost_usd", BERLIN)
    ends = (table.index.min(), table.index.max())
    assert (len(table), ends) == (bars, (pd.Timestamp(first), pd.Timestamp(last)))


def test_cost_by_week_in_plain_numbers(rows: pd.DataFrame) -> None:
    table = costs.over_time(rows, "week", None, "cost_usd", BERLIN)["cost_usd"]
    assert table.tolist() == pytest.approx([0.10, 0, 1.04, 0.60, 1.585, 2.40])


def test_the_heat_map(rows: pd.DataFrame) -> None:
    table = costs.weekday_by_hour(rows, "cost_usd", BERLIN)
    cells = {
        (day, hour): value
        for hour, column in table.to_dict().items()
        for day, value in column.items()
        if value
    }
    expected = {
        (0, 9): 1.62, (0, 10): 0.45, (0, 22): 0.15,
        (1, 13): 0.18, (2, 10): 0.60, (3, 9): 0.90, (3, 15): 0.14,
        (4, 23): 0.81, (5, 0): 0.375, (5, 23): 0.10, (6, 1): 0.20, (6, 3): 0.20,
    }  # fmt: skip
    assert cells == pytest.approx(expected)


@pytest.mark.parametrize("by", DIMENSIONS)
def test_every_row_of_the_tables(rows: pd.DataFrame, by: Dimension) -> None:
    table = ledger.grouped(rows, [DIMENSIONS[by]]).to_dict("records")
    assert {row[DIMENSIONS[by]] for row in table} == {part_of(call, by) for call in CALLS}
    for row in table:
        calls = [call for call in CALLS if part_of(call, by) == row[DIMENSIONS[by]]]
        assert row["cost_usd"] == pytest.approx(total("usd", calls))
        assert row["cache_savings_usd"] == pytest.approx(total("saved", calls))
        assert row["total_tokens"] == total("tokens", calls)
        assert row["requests"] == len(calls)
        assert row["unpriced_requests"] == sum(call.usd is None for call in calls)
        assert row["sessions"] == len({part_of(call, "session") for call in calls})


def test_the_table_of_projects_in_plain_numbers(rows: pd.DataFrame) -> None:
    table = ledger.grouped(rows, ["project"])
    columns = ["project", "cost_usd", "requests", "unpriced_requests", "sessions"]
    expected = [
        ("api", 2.22, 4, 1, 3),
        ("shop", 1.865, 8, 0, 4),  # night 1.185, clocks 0.40, open 0.18, gone 0.10
        ("web", 1.04, 2, 0, 1),
        ("docs", 0.70, 2, 0, 1),
        ("–", 0.0, 1, 1, 1),
    ]
    found = table[columns].itertuples(index=False, name=None)
    for row, wanted in zip(found, expected, strict=True):
        assert row == (wanted[0], pytest.approx(wanted[1]), *wanted[2:])


def test_the_pivot_of_projects_by_models(rows: pd.DataFrame) -> None:
    # limit 1.62 and again 0.45; night's 0.81 and 0.275, open 0.18; clocks 0.40, gone 0.10.
    names = [golden.SONNET, golden.GEMINI, golden.CODEX, golden.HAIKU, golden.HOUSE]
    expected = {
        "api": [2.07, None, None, 0.15, None],
        "shop": [1.265, None, 0.50, 0.10, None],
        "web": [None, 1.04, None, None, None],
        "docs": [0.60, None, None, 0.10, None],
        "–": [None] * 5,
    }
    found = costs.pivot(rows, "project", "model", "cost_usd")
    assert (list(found.columns), list(found.index)) == (names, list(expected))
    cells = found.astype(object).where(found.notna(), None).to_dict("split")["data"]
    for row, wanted in zip(cells, expected.values(), strict=True):
        assert row == pytest.approx(wanted)


def test_the_pivot_counts_nothing_where_there_are_no_calls(rows: pd.DataFrame) -> None:
    found = costs.pivot(rows, "machine", "agent_label", "requests")
    assert found.to_dict("index") == {
        "desk": {"Claude Code": 7, "Codex": 3, "Gemini CLI": 0, "Copilot CLI": 1},
        "laptop": {"Claude Code": 4, "Codex": 0, "Gemini CLI": 2, "Copilot CLI": 0},
    }


def test_cost_against_duration(golden_store: Store, rows: pd.DataFrame) -> None:
    found = costs.by_duration(rows, load_sessions(golden_store, NOW_MS)).to_dict("records")
    dots = {row["top_key"]: row for row in found}
    assert dots.keys() == {key_of(name) for name in SESSIONS if name != "open"}  # has not ended
    assert pd.isna(dots.pop(key_of("slow"))["cost_usd"])
    for key, dot in dots.items():
        who = SESSIONS[key.partition(":")[2]]
        assert (dot["title"], dot["tool"]) == (who.title, who.tool)
        assert dot["hours"] * 60 == pytest.approx(who.minutes)
        calls = [call for call in CALLS if part_of(call, "session") == key]
        assert dot["cost_usd"] == pytest.approx(total("usd", calls))


def test_the_command_for_scripts_tells_the_same(golden_store: Store, rows: pd.DataFrame) -> None:
    found = totals_report(golden_store, Scope(BERLIN, date(2026, 3, 2), date(2026, 3, 31)), NOW_MS)
    assert found["total"]["cost_usd"] == pytest.approx(5.625)
    assert found["total"]["input_tokens"] == 1_343_000
    assert found["records"]["unpriced"] == {golden.HOUSE: 2}
    assert {day["date"] for day in found["days"]} == {
        f"2026-03-{day}" for day in (12, 18, 27, 28, 29, 30, 31)
    }
    every = totals_report(golden_store, Scope(BERLIN), NOW_MS)["total"]
    assert every["cost_usd"] == pytest.approx(float(rows["cost_usd"].sum()))
