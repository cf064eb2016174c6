"""Failed sessions by error: every one in one group, with what it cost."""

from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import failure_groups
from lib.ledger import Period
from tests.ledger_rows import sessions_frame

ALL = Period(None, None)


def lost(key: str, message: str | None, day: int = 1, **facts: Any) -> dict[str, Any]:
    known = {"key": key, "status": "failed", "error_class": "api", "error_message": message}
    known |= {"subagent_cost_usd": 0.0}
    return {**known, "ended_at": f"2026-03-0{day}T10:00", "project": "alpha", **facts}


def test_groups_are_those_computed_by_hand() -> None:
    frame = sessions_frame(
        lost("a", "500 at /x/1", 1, cost_usd=2, duration_ms=1000, subagent_cost_usd=1.0),
        lost("b", "500 at /y/2", 3, cost_usd=None, duration_ms=500, project="beta"),
        lost("c", "other words", 2, cost_usd=4.0, duration_ms=250),
        lost("c/a", "500 at /z/3", 2, parent_key="c"),
        lost("s", "500 at /x/1", sample=True),
        {"key": "a2", "retry_of": "a", "ended_at": "2026-03-02T11:00"},
        {"key": "open", "status": "running"},
    )
    over = failure_groups.ended(frame, ALL)
    assert failure_groups.headline(over) == (3, 0.75, 7.0, 1, 1750.0)
    found = failure_groups.groups(
        failure_groups.failed(over), failure_groups.cured(frame), UTC
    ).to_dict("records")
    first, second = found
    assert (first["text"], first["sessions"], first["cured"]) == ("500 at <path>", 2, 0.5)
    assert (first["cost_usd"], first["unpriced_sessions"], first["lost_ms"]) == (3.0, 1, 1500)
    assert (first["projects"], first["trend"]) == (["alpha", "beta"], [1, 0, 1])
    assert first["example"] == "500 at /y/2"
    assert (first["first_seen"].day, first["last_seen"].day) == (1, 3)
    assert (second["sessions"], second["cost_usd"], second["trend"]) == (1, 4.0, [0, 1, 0])


def test_the_share_is_that_of_all_sessions_that_are_over_also_the_cancelled() -> None:
    statuses = ("failed", "completed", "cancelled", "running")
    rows = [{"key": one, "status": one, "ended_at": "2026-03-01"} for one in statuses]
    assert failure_groups.headline(failure_groups.ended(sessions_frame(*rows), ALL)).share == 1 / 3


def test_what_has_no_price_costs_nobody_knows_what() -> None:
    nothing_known = lost("a", None, subagent_cost_usd=None)
    over = failure_groups.ended(sessions_frame(nothing_known), ALL)
    found = failure_groups.headline(over)
    assert (found.cost_usd, found.unpriced_sessions) == (None, 1)


def test_an_unpriced_call_of_a_subagent_makes_the_cost_of_its_session_incomplete() -> None:
    below = lost("a/1", None, parent_key="a", flags=["unpriced"])
    frame = sessions_frame(lost("a", None, cost_usd=2), below, lost("b", None, cost_usd=3))
    found = failure_groups.headline(failure_groups.ended(frame, ALL))
    assert (found.cost_usd, found.unpriced_sessions) == (5, 1)


def test_without_sessions_there_are_no_groups_and_no_share() -> None:
    over = failure_groups.ended(sessions_frame(), ALL)
    assert failure_groups.headline(over).share is None
    assert failure_groups.groups(failure_groups.failed(over), set(), UTC).empty


@given(st.lists(st.tuples(st.none() | st.text(max_size=9), st.floats(0, 9)), max_size=20))
def test_groups_lose_no_session_and_no_cent(errors: list[tuple[str | None, float]]) -> None:
    rows = [lost(str(n), text, cost_usd=usd) for n, (text, usd) in enumerate(errors)]
    over = failure_groups.ended(sessions_frame(*rows), ALL)
    found = failure_groups.groups(failure_groups.failed(over), set(), UTC)
    assert found["sessions"].sum() == len(errors)
    assert float(found["cost_usd"].sum()) == pytest.approx(sum(usd for _, usd in errors))
