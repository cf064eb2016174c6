"""The same totals wherever one asks: reports, board, cards, Costs, Data quality, for all agents."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib import costs, frame, quality, samples
from lib.ledger import DIMENSIONS, FIGURES, Period, days, grouped, load, within
from lib.readers import READERS
from lib.report import Scope, grouped_report, totals_report, why_report
from lib.sections import top_level
from lib.store import Store
from tests.agent_trees import MAKERS, Call, Maker, Sums
from tests.collecting import NOW, collect
from tests.traps import UTC, figures

MODELS = ["claude-sonnet-4-5", "gpt-5.4", "nobody-knows-it"]
DAYS = [date(2026, 3, 1), date(2026, 11, 22)]
"""Of the calls of every maker."""


@contextmanager
def filled(home: Path) -> Generator[Store]:
    store = Store.open(f"sqlite:///{home / 'store.db'}")
    collect(store, home)
    yield store
    store.close()


@st.composite
def made_calls(draw: st.DrawFn) -> list[Call]:
    """Up to three, of different figures: some agents' files tell equal calls apart by nothing."""
    counts = st.integers(0, 300_000)
    drawn = draw(st.lists(st.tuples(counts, counts, st.integers(1, 9_000)), max_size=3))
    reasoning = [draw(st.integers(0, output)) for _, _, output in drawn]
    return [Call(*one, part) for one, part in zip(drawn, reasoning, strict=True)]


trees = st.lists(
    st.tuples(st.sampled_from(MAKERS), st.sampled_from(MODELS), made_calls()), max_size=6
)


def grow(home: Path, tree: list[tuple[Maker, str, list[Call]]]) -> Sums:
    """Write the sessions of `tree`; what should come of them."""
    sums, numbers = Sums(), dict[Maker, int]()
    for make, model, calls in tree:
        number = numbers.setdefault(make, 0)
        numbers[make] += 1
        sums = sums.plus(make(home, number, model, calls))
    return sums


def in_the_order_of_figures(sums: Sums) -> tuple[int, int, int, int, int]:
    return sums.requests, sums.fresh, sums.output, 0, sums.read


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_each_call_of_an_agent_counts_once_whole_and_in_its_kinds(
    tmp_path: Path, make: Maker
) -> None:
    calls = [Call(100, 1_000, 20, 5), Call(200, 0, 30), Call(7, 3, 9, 9)]
    sums = make(tmp_path, 0, MODELS[0], calls).plus(make(tmp_path, 1, MODELS[0], calls[:2]))
    with filled(tmp_path) as store:
        assert figures(store)[:5] == in_the_order_of_figures(sums)
        assert sum(account_of(store).skipped.values()) == 0
        assert account_of(store).mismatched == 0


def test_there_is_a_tree_of_every_agent() -> None:
    assert {make.__name__.replace("_", "-") for make in MAKERS} == {one.AGENT for one in READERS}


def account_of(store: Store) -> quality.Account:
    sessions, usage = frame.load_sessions(store, NOW), frame.load_usage(store, NOW)
    return quality.account(store.files(), usage, sessions)


def unpriced(rows: pd.DataFrame) -> int:
    return int(rows["unpriced_requests"].sum())


@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(trees, st.booleans())
def test_one_number_everywhere(
    tree: list[tuple[Maker, str, list[Call]]], with_samples: bool
) -> None:
    with TemporaryDirectory() as folder:
        expected = grow(Path(folder), tree)
        with filled(Path(folder)) as store:
            sums = figures(store)
            if with_samples:
                samples.write(store, NOW)
            assert sums[:5] == in_the_order_of_figures(expected)
            everywhere(store, sums)
            today(store)


def everywhere(store: Store, sums: tuple[Any, ...]) -> None:
    """Cards, Costs and accounts of `store` come to `sums`."""
    rows, sessions = load(store, NOW), frame.load_sessions(store, NOW)
    total = totals_report(store, Scope(UTC), NOW)
    headline = costs.headline(rows)
    missing = total["total"]["unpriced_requests"]
    assert (headline.requests, headline.input_tokens, headline.output_tokens) == sums[:3]
    assert (headline.cost_usd or 0) == pytest.approx(sums[-1] or 0)
    assert headline.unpriced_requests == missing == unpriced(rows)
    for column in DIMENSIONS.values():
        table = grouped(rows, [column])
        assert tuple(table[FIGURES[0:2]].sum()) == sums[:2]
        assert unpriced(table) == missing
        assert table["cost_usd"].sum() == pytest.approx(sums[-1] or 0)
    cards = top_level(sessions)
    cards = cards[~cards["sample"]]
    tokens = int(cards["total_tokens"].sum() + cards["subagent_tokens"].sum())
    assert tokens == int(rows["total_tokens"].sum()) == sum(sums[1:5])
    money = float(cards["cost_usd"].sum() + cards["subagent_cost_usd"].sum())
    assert money == pytest.approx(sums[-1] or 0)
    whole = why_report(store, None, NOW)
    assert (whole["records"]["requests"], whole["total"]) == (sums[0], total["total"])
    assert sum(whole["records"]["unpriced"].values()) == missing
    assert whole["records"]["records"] == total["records"]["read"]
    single = [why_report(store, key, NOW) for key in cards["key"]]
    assert sum(one["total"]["requests"] for one in single) == sums[0]
    one_by_one = frame.load_requests(store)
    assert (len(one_by_one), int(one_by_one["input_tokens"].sum())) == sums[:2]
    assert float(one_by_one["cost_usd"].sum()) == pytest.approx(sums[-1] or 0)


def today(store: Store) -> None:
    """The board's header of each day is what Costs and the report say of that day."""
    for day in DAYS:
        evening = pd.Timestamp(day).tz_localize(UTC) + pd.Timedelta(hours=20)
        header = frame.today_totals(store, UTC, int(evening.timestamp() * 1000))
        span: Period = days(day, day, UTC)
        shown = costs.headline(within(load(store, NOW), span))
        report = grouped_report(store, "daily", Scope(UTC, day, day), NOW)["total"]
        assert header.requests == shown.requests == report["requests"]
        assert header.total_tokens == shown.total_tokens
        assert header.unpriced_requests == shown.unpriced_requests == report["unpriced_requests"]
        assert header.cost_usd == pytest.approx(shown.cost_usd or 0)
        assert header.cost_usd == pytest.approx(report["cost_usd"] or 0)
