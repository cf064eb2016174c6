"""Every total is the same wherever it is shown, and the sum of its parts, however it is split."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib import costs, filters, ledger, report
from lib.filters import Filters
from lib.frame import load_requests, load_sessions
from lib.ledger import DIMENSIONS, Period
from lib.model import Request, Session
from lib.sections import top_level
from lib.store import Batch, Store

# Each with a change of the clocks in the days that calls are made in: by an hour at two o'clock,
# at midnight, by half an hour, and none beside an offset of 45 minutes.
ZONES = {
    "Europe/Berlin": date(2026, 10, 25),
    "America/Sao_Paulo": date(2018, 11, 4),
    "Australia/Lord_Howe": date(2026, 4, 5),
    "Asia/Kathmandu": date(2026, 3, 29),
}
MEASURES = ["cost_usd", "total_tokens", "requests"]
NOW = pd.Timestamp("2026-11-23T12:00", tz=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
MODELS = ["claude-sonnet-4-5", "gpt-5", "nobody-knows-it", "$\\alpha$ <b>*x*</b>", None]
SESSION_KEYS = ["one", "two", "three", "one/a", "one/a/b", "gone/c"]
PARENTS = {"one/a": "one", "one/a/b": "one/a", "gone/c": "gone"}


class Made(NamedTuple):
    """What was put into a store, and the zone and day that it lies around."""

    zone: ZoneInfo
    day: date
    sessions: list[Session]
    calls: list[Request]


def key_of(name: str) -> str:
    return f"claude-code:{name}"


@st.composite
def stores(draw: st.DrawFn) -> Made:
    """A few sessions with calls within some days of a change of the clocks."""
    name = draw(st.sampled_from(sorted(ZONES)))
    noon = datetime.combine(ZONES[name], datetime.min.time(), UTC) + timedelta(hours=12)
    sessions = [
        Session(
            key=key_of(one),
            agent="claude-code",
            session_id=one,
            machine=draw(st.sampled_from(["here", "there"])),
            parent_key=key_of(PARENTS[one]) if one in PARENTS else None,
            project_path=draw(st.sampled_from([None, "/w/alpha", "/w/$beta$", "/w/(none)"])),
            branch=draw(st.sampled_from([None, "main", "012-cart"])),
            turn=draw(st.sampled_from(["idle", "failed", "stopped", "running"])),
            registered=True,
            started_at=int(noon.timestamp() * 1000),
            last_activity_at=int(noon.timestamp() * 1000),
        )
        for one in draw(st.sets(st.sampled_from(SESSION_KEYS), min_size=1).map(sorted))
    ]
    minutes = st.none() | st.integers(-4 * 24 * 60, 4 * 24 * 60)
    counts = st.integers(0, 10**6)
    calls = [
        Request(
            key=f"claude-code:{number}",
            session_key=draw(st.sampled_from(sessions)).key,
            owner_rank="0",
            at=None if at is None else int((noon + timedelta(minutes=at)).timestamp() * 1000),
            model=draw(st.sampled_from(MODELS)),
            input_tokens=draw(counts),
            output_tokens=draw(counts),
            cache_read_tokens=draw(counts),
        )
        for number, at in enumerate(draw(st.lists(minutes, max_size=12)))
    ]
    return Made(ZoneInfo(name), ZONES[name], sessions, calls)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tmp_path_factory.mktemp("totals")


@contextmanager
def filled(folder: Any, made: Made) -> Generator[Store]:
    path = folder / "store.db"
    for one in folder.glob("store.db*"):
        one.unlink()
    store = Store.open(f"sqlite:///{path}")
    store.write(Batch(sessions=made.sessions, requests=made.calls))
    yield store
    store.close()


def sums(rows: pd.DataFrame) -> list[float]:
    return [float(rows[measure].sum()) for measure in MEASURES]


@given(stores())
@settings(max_examples=40)
def test_ledger_report_cards_and_single_calls_come_to_the_same(folder: Any, made: Made) -> None:
    with filled(folder, made) as store:
        rows, sessions = ledger.load(store, NOW_MS), load_sessions(store, NOW_MS)
        total = report.totals_report(store, report.Scope(made.zone), NOW_MS)
        single = load_requests(store)
    whole = sums(rows)
    assert whole == pytest.approx(sums(single.assign(requests=1)))
    assert (whole[0], whole[2]) == pytest.approx(
        (total["total"]["cost_usd"] or 0, total["total"]["requests"])
    )
    parts = ("agents", "models", "days")
    for part in parts:
        assert sum(one["cost_usd"] or 0 for one in total[part]) == pytest.approx(whole[0])
        assert sum(one["requests"] for one in total[part]) == whole[2]
    cards = top_level(sessions)
    shown = cards["cost_usd"].sum() + cards["subagent_cost_usd"].sum()
    assert float(shown) == pytest.approx(whole[0])
    tokens = cards["total_tokens"].sum() + cards["subagent_tokens"].sum()
    assert int(tokens) == whole[1]


FILTERS = st.builds(
    Filters,
    project=st.sets(st.sampled_from(["alpha", "$beta$", filters.NONE])).map(tuple),
    branch=st.sets(st.sampled_from(["main", filters.NONE])).map(tuple),
    status=st.sets(st.sampled_from(["completed", "failed", "cancelled"])).map(tuple),
    range=st.just("all"),
    dismissed=st.just(True),
)


@given(stores(), FILTERS)
@settings(max_examples=40)
def test_what_filters_leave_comes_to_the_sum_of_its_cards(
    folder: Any, made: Made, chosen: Filters
) -> None:
    with filled(folder, made) as store:
        rows, sessions = ledger.load(store, NOW_MS), load_sessions(store, NOW_MS)
    cards = filters.apply(sessions, chosen, NOW)
    left = rows[rows["top_key"].isin(cards["key"])]
    shown = cards["cost_usd"].sum() + cards["subagent_cost_usd"].sum()
    assert float(shown) == pytest.approx(float(left["cost_usd"].sum()))
    assert costs.headline(left).sessions <= len(cards)


@given(stores(), st.sampled_from(["hour", "day", "week", "month"]))
@settings(max_examples=40)
def test_the_parts_come_to_the_whole_in_every_bucket_and_dimension(
    folder: Any, made: Made, bucket: ledger.Bucket
) -> None:
    with filled(folder, made) as store:
        rows = ledger.load(store, NOW_MS)
    timed = rows[rows["at"].notna()]
    for measure in MEASURES:
        whole = float(timed[measure].sum())
        heat = costs.weekday_by_hour(rows, measure, made.zone)
        assert float(heat.to_numpy().sum()) == pytest.approx(whole)
        for by in [None, *DIMENSIONS.values()]:
            table = costs.over_time(rows, bucket, by, measure, made.zone)
            assert float(table.to_numpy().sum()) == pytest.approx(whole)
            few = costs.over_time(rows, bucket, by, measure, made.zone, 2)
            assert len(few.columns) <= 2
            assert float(few.to_numpy().sum()) == pytest.approx(whole)
    for by in DIMENSIONS.values():
        assert sums(ledger.grouped(rows, [by])) == pytest.approx(sums(rows))
        pivot = costs.pivot(rows, by, "model" if by != "model" else "project", "cost_usd")
        assert float(pivot.sum().sum()) == pytest.approx(sums(rows)[0])


@given(stores())
@settings(max_examples=40)
def test_days_in_a_row_lose_no_call_and_count_none_twice(folder: Any, made: Made) -> None:
    with filled(folder, made) as store:
        rows = ledger.load(store, NOW_MS)
        first, last = (made.day + timedelta(days=step) for step in (-5, 5))
        whole = ledger.days(first, last, made.zone)
        single = [ledger.days(one, one, made.zone) for one in pd.date_range(first, last).date]
        reported = report.totals_report(store, report.Scope(made.zone, first, last), NOW_MS)
    assert [one.start for one in single[1:]] == [one.end for one in single[:-1]]
    parts = [sums(ledger.within(rows, one)) for one in single]
    expected = sums(rows[rows["at"].notna()])
    assert [sum(column) for column in zip(*parts, strict=True)] == pytest.approx(expected)
    assert sums(ledger.within(rows, whole)) == pytest.approx(expected)
    assert reported["total"]["requests"] == expected[2]
    by_day = costs.over_time(rows, "day", None, "cost_usd", made.zone)
    for one, part in zip(single, parts, strict=True):
        assert one.start is not None
        day = pd.Timestamp(one.start.date())
        shown = by_day["cost_usd"].get(day, 0.0) if len(by_day) else 0.0
        assert float(shown) == pytest.approx(part[0])


@given(stores(), st.integers(1, 9))
@settings(max_examples=30)
def test_a_period_and_the_one_before_it_touch(folder: Any, made: Made, length: int) -> None:
    period = ledger.days(made.day, made.day + timedelta(days=length - 1), made.zone)
    assert period.end is not None
    before = period.previous(period.end)
    assert before is not None
    with filled(folder, made) as store:
        rows = ledger.load(store, NOW_MS)
    both = sums(ledger.within(rows, Period(before.start, period.end)))
    parts = [sums(ledger.within(rows, one)) for one in (before, period)]
    assert [sum(column) for column in zip(*parts, strict=True)] == pytest.approx(both)
    assert before.end == period.start
