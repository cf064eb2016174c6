"""The Failures page's every figure and chart, against a store that was worked out by hand."""

import pandas as pd
import pytest

from lib import failure_groups
from lib.frame import load_sessions
from lib.ledger import Period, load, preset
from lib.store import Store
from tests import golden
from tests.golden import BERLIN, NOW, NOW_MS, key_of

ALL = Period(None, None)
MINUTE = 60_000


@pytest.fixture
def calls(golden_store: Store) -> pd.DataFrame:
    return load(golden_store, NOW_MS)


@pytest.fixture
def sessions(golden_store: Store) -> pd.DataFrame:
    return load_sessions(golden_store, NOW_MS)


def test_the_headline_of_all_time(sessions: pd.DataFrame, calls: pd.DataFrame) -> None:
    found = failure_groups.headline(failure_groups.ended(sessions, calls, ALL))
    # Over are all ten but `open`; failed: limit (1.62, 10 min), partly (0.15 and a call without
    # a price, 45 min), slow (no price at all, 2.5 min).
    assert (found.failed, found.share) == (3, pytest.approx(3 / 9))
    assert (found.cost_usd, found.unpriced_sessions) == (pytest.approx(1.77), 2)
    assert found.lost_ms == 57.5 * MINUTE


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("today", (1, 1, None, 1, 2.5 * MINUTE)),  # slow
        ("yesterday", (2, 2 / 3, 1.77, 1, 55 * MINUTE)),  # limit, partly, and again is done
        ("last-month", (0, 0, 0, 0, 0)),  # gone
    ],
)
def test_the_headline_of_a_period(
    sessions: pd.DataFrame, calls: pd.DataFrame, name: str, expected: tuple[float | None, ...]
) -> None:
    over = failure_groups.ended(sessions, calls, preset(name, BERLIN, NOW))
    assert failure_groups.headline(over) == pytest.approx(expected)


def test_the_groups(sessions: pd.DataFrame, calls: pd.DataFrame) -> None:
    lost = failure_groups.failed(failure_groups.ended(sessions, calls, ALL))
    retried = failure_groups.cured(sessions)
    assert retried == {key_of("limit")}
    limit, slow = failure_groups.groups(lost, retried, BERLIN).to_dict("records")
    assert limit["text"] == "429 Too many requests (request <id>, try again in <n> seconds)"
    assert (limit["class"], limit["sessions"], limit["cured"]) == ("rate_limit", 2, 0.5)
    assert (limit["cost_usd"], limit["unpriced_sessions"]) == (pytest.approx(1.77), 1)
    assert (limit["lost_ms"], limit["trend"]) == (55 * MINUTE, [2, 0])
    assert (limit["projects"], limit["tools"]) == (["api"], ["Claude Code"])
    assert limit["models"] == [golden.HAIKU, golden.SONNET]
    assert limit["first_seen"] == pd.Timestamp("2026-03-30T07:05Z")
    assert limit["last_seen"] == pd.Timestamp("2026-03-30T20:45Z")
    assert limit["example"] == golden.LIMIT_ERROR_LATER
    assert slow["text"] == "The request timed out after <n> s"
    assert (slow["class"], slow["sessions"], slow["cured"]) == ("timeout", 1, 0)
    assert (slow["unpriced_sessions"], slow["trend"]) == (1, [0, 1])
    assert pd.isna(slow["cost_usd"])
    assert (slow["projects"], slow["models"]) == (["–"], [golden.HOUSE])


def test_a_running_session_is_stuck_a_quarter_of_an_hour_after_it_did_something(
    golden_store: Store,
) -> None:
    # `open` did something last at 11:55 UTC. Its project has three sessions that ended: too few
    # for an average.
    for at, expected in (("2026-03-31T12:09", []), ("2026-03-31T12:10", ["stuck"])):
        rows = load_sessions(golden_store, golden.milliseconds(at)).set_index("key")
        concerns = rows["concerns"].to_dict()
        assert concerns.pop(key_of("open")) == expected
        assert not any(concerns.values())
