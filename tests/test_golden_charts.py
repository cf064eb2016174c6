"""Windows, caches, contexts, plans and unpriced calls of the golden store, worked out by hand."""

import pandas as pd
import pytest

from lib import costs, ledger, plans, windows
from lib.frame import load_requests
from lib.model_notes import Plan
from lib.store import Store
from lib.windows import Projection, Window
from tests.golden import BERLIN, NOW, NOW_MS, SESSIONS, key_of

# Begin (UTC), cost, calls, those without a price, tokens and sessions; the newest first. Codex,
# Copilot and Gemini have none, and a call without a time is in none.
WINDOWS = [
    # open, twice 0.09: 22k and 14k tokens.
    ("2026-03-31T11:00", 0.18, 2, 0, 36_000, 1),
    # partly: 1,500 tokens without a price, and 110k.
    ("2026-03-30T20:00", 0.15, 2, 1, 111_500, 1),
    # limit 1.62 for 304k, again 0.45 for 110k.
    ("2026-03-30T07:00", 2.07, 2, 0, 414_000, 2),
    # night 0.81 for 170k and 0.275 for 170k, its helper 0.10 for 60k: of one session.
    ("2026-03-27T22:00", 1.185, 3, 0, 400_000, 1),
    ("2026-03-18T09:00", 0.60, 1, 0, 200_000, 1),
]


@pytest.fixture(scope="module")
def rows(golden_store: Store) -> pd.DataFrame:
    return ledger.load(golden_store, NOW_MS)


def test_the_five_hour_windows(rows: pd.DataFrame) -> None:
    found = windows.windows(rows, windows.starts(rows))
    columns = ["start", "cost_usd", "requests", "unpriced_requests", "total_tokens", "sessions"]
    told = found[columns].itertuples(index=False, name=None)
    for row, (start, usd, *counts) in zip(told, WINDOWS, strict=True):
        assert row == (pd.Timestamp(start, tz="UTC"), pytest.approx(usd), *counts)
    assert set(found["end"] - found["start"]) == {pd.Timedelta(hours=5)}


def test_the_active_window_and_its_end(rows: pd.DataFrame) -> None:
    window = windows.active(windows.starts(rows), NOW)
    assert window == Window(*(pd.Timestamp(f"2026-03-31T{hour}:00Z") for hour in (11, 16)))
    assert window is not None
    # Half an hour since 11:30 of the four and a half until 16:00: nine times 0.18 and 36k.
    found = windows.projection(rows, window, NOW)
    assert found == pytest.approx(Projection(1.62, 324_000))


def test_what_caches_did_by_week(rows: pd.DataFrame) -> None:
    found = costs.cache_over_time(rows, "week", BERLIN)
    expected = {
        "2026-02-23": (0.0, 0.0),
        "2026-03-02": (None, 0.0),
        "2026-03-09": (0.0, 0.0),
        "2026-03-16": (0.0, 0.0),
        # Of 150k, 50k and 160k of night and 240k and 40k of clocks, 150k and 160k were cached.
        "2026-03-23": (310 / 640, -0.06 + 0.405 + 0.18),
        # Of 300k, 100k, 101k, 2k and 30k, 50k of limit.
        "2026-03-30": (50 / 533, 0.27),
    }
    assert [f"{at:%Y-%m-%d}" for at in found.index] == list(expected)
    for (share, saved), (known, dollars) in zip(
        found.itertuples(index=False, name=None), expected.values(), strict=True
    ):
        assert (None if pd.isna(share) else share) == pytest.approx(known)
        assert saved == pytest.approx(dollars)


def test_how_contexts_grew(golden_store: Store) -> None:
    expected = {
        "night": [150_000, 160_000],  # what is written to a cache counts; its helper is apart
        "clocks": [240_000, 40_000],
        "long": [300_000, 80_000],
        "broken-off": [200_000],  # and one at a time that nobody knows
    }
    titles = {key_of(name): SESSIONS[name].title for name in expected}
    found = costs.context_growth(load_requests(golden_store, list(titles)), titles)
    for name, tokens in expected.items():
        assert found[SESSIONS[name].title].dropna().tolist() == tokens
    assert list(found.index) == [1, 2]


def test_plans_by_month(rows: pd.DataFrame) -> None:
    prices = {
        "claude-code": (20.0, "2026-02"),
        "codex": (0.2, "2026-02"),
        "copilot": (10, "2026-03"),
    }
    listed = [
        Plan(id=agent, agent=agent, name=agent, price_usd=price, since=since, by="me", at=0)
        for agent, (price, since) in prices.items()
    ]
    expected = [
        # night 1.185, limit 1.62, again 0.45, partly 0.15, broken-off 0.60, open 0.18.
        ("2026-03", "Claude Code", 4.185, 20, 0.20925, 10, 1),
        ("2026-03", "Codex", 0.40, 0.2, 2, 2, 0),
        ("2026-03", "Copilot CLI", None, 10, None, 1, 1),  # slow has no price
        ("2026-02", "Claude Code", 0, 20, 0, 0, 0),
        ("2026-02", "Codex", 0.10, 0.2, 0.5, 1, 0),  # gone, half an hour before March
    ]
    found = plans.by_month(rows, listed, BERLIN, NOW)
    table = found.astype(object).where(found.notna(), None)
    for row, (month, tool, *figures) in zip(
        table.itertuples(index=False, name=None), expected, strict=True
    ):
        assert row[:2] == (month, tool)
        assert list(row[2:]) == pytest.approx(figures)


def test_calls_without_a_price_stand_beside_the_bar_that_they_are_not_in(
    rows: pd.DataFrame,
) -> None:
    by_tool = costs.over_time(rows, "day", "agent_label", "cost_usd", BERLIN)
    found = costs.unpriced_over_time(rows, by_tool, "day", "agent_label", BERLIN)
    cells = {
        (f"{at:%d}", name): count
        for name, column in found.to_dict().items()
        for at, count in column.items()
        if count
    }
    assert cells == {("30", "Claude Code"): 1, ("31", "Copilot CLI"): 1}
    assert found.shape == by_tool.shape
    # Of two parts the second is all others.
    few = costs.over_time(rows, "day", "agent_label", "cost_usd", BERLIN, 2)
    rest = costs.unpriced_over_time(rows, few, "day", "agent_label", BERLIN)
    assert rest.sum().to_dict() == {"Claude Code": 1, "Other": 1}
    whole = costs.over_time(rows, "month", None, "cost_usd", BERLIN)
    assert costs.unpriced_over_time(rows, whole, "month", None, BERLIN)["cost_usd"].tolist() == [
        0,
        2,
    ]


def test_sessions_without_any_price_are_counted(rows: pd.DataFrame) -> None:
    assert costs.without_price(rows) == 1  # slow; of partly one call has a price
