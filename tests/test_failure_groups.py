"""Failed sessions by error: every one in one group, with what it cost."""

from datetime import UTC
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import failure_groups
from lib.failures import signature
from lib.ledger import Period, ledger
from lib.model import NO_LOCAL_TOKENS
from tests.ledger_rows import sessions_frame, usage_frame

ALL = Period(None, None)


def lost(key: str, message: str | None, day: int = 1, **facts: Any) -> dict[str, Any]:
    told = signature("api", message)
    known = {"key": key, "status": "failed", "error_class": "api", "error_message": message}
    known |= {"error_signature": told.id, "error_text": told.text, "project": "alpha"}
    return {**known, "ended_at": f"2026-03-0{day}T10:00", **facts}


def spent(**usd: float | None) -> pd.DataFrame:
    """One call of each of these sessions; None: one without a known price."""
    groups = [
        {
            "session_key": key,
            "at": "2026-03-01T09:00",
            "cost_usd": amount or 0.0,
            "unpriced_requests": int(amount is None),
        }
        for key, amount in usd.items()
    ]
    return usage_frame(*groups)


def over(sessions: pd.DataFrame, usage: pd.DataFrame | None = None) -> pd.DataFrame:
    calls = ledger(spent() if usage is None else usage, sessions)
    return failure_groups.ended(sessions, calls, ALL)


def test_groups_are_those_computed_by_hand() -> None:
    frame = sessions_frame(
        lost("a", "500 at /x/1", 1, duration_ms=1000),
        lost("a1", "500 at /z/3", 2, parent_key="a"),
        lost("a1x", "500 at /z/3", 2, parent_key="a1"),
        lost("b", "500 at /y/2", 3, duration_ms=500, project="beta"),
        lost("c", "other words", 2, duration_ms=250),
        lost("s", "500 at /x/1", sample=True),
        {"key": "a2", "retry_of": "a", "ended_at": "2026-03-02T11:00"},
        {"key": "open", "status": "running"},
    )
    ended = over(frame, spent(a=2, a1=0.75, a1x=0.25, b=None, c=4, a2=9))
    assert failure_groups.headline(ended) == (3, 0.75, 7.0, 1, 1750.0)
    found = failure_groups.groups(
        failure_groups.failed(ended), failure_groups.cured(frame), UTC
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
    assert failure_groups.headline(over(sessions_frame(*rows))).share == 1 / 3


def test_what_has_no_price_costs_nobody_knows_what() -> None:
    found = failure_groups.headline(over(sessions_frame(lost("a", None)), spent(a=None)))
    assert (found.cost_usd, found.unpriced_sessions) == (None, 1)


def test_a_session_without_calls_cost_nothing() -> None:
    found = failure_groups.headline(over(sessions_frame(lost("a", None))))
    assert (found.cost_usd, found.unpriced_sessions) == (0, 0)


def test_calls_that_no_file_tells_are_no_zero_also_those_of_a_subagent() -> None:
    below = {"key": "b/1", "parent_key": "b", "flags": [NO_LOCAL_TOKENS]}
    frame = sessions_frame(
        lost("a", None, flags=[NO_LOCAL_TOKENS]), lost("b", None), below, lost("c", None)
    )
    found = over(frame, spent(c=3))
    assert list(found["unpriced"]) == [True, True, False]
    assert list(found["whole_cost_usd"].isna()) == [True, True, False]


def test_an_unpriced_call_of_a_subagent_makes_the_cost_of_its_session_incomplete() -> None:
    below = {"key": "a/1", "parent_key": "a"}
    frame = sessions_frame(lost("a", None), below, lost("b", None))
    usage = spent(a=2, b=3)
    unpriced = spent(**{"a/1": None})
    found = failure_groups.headline(over(frame, pd.concat([usage, unpriced])))
    assert (found.cost_usd, found.unpriced_sessions) == (5, 1)


def test_durations_that_nobody_knows_come_to_no_zero() -> None:
    ended = over(sessions_frame(lost("a", "boom", duration_ms=None)))
    assert failure_groups.headline(ended).lost_ms is None
    found = failure_groups.groups(failure_groups.failed(ended), set(), UTC)
    assert found["lost_ms"].isna().all()


def test_without_sessions_there_are_no_groups_and_no_share() -> None:
    nothing = over(sessions_frame())
    assert failure_groups.headline(nothing).share is None
    assert failure_groups.groups(failure_groups.failed(nothing), set(), UTC).empty
    assert failure_groups.cured(sessions_frame()) == set()
    assert failure_groups.last_failed(sessions_frame()) == {}


def a_try(key: str, status: str, started: int, **facts: Any) -> dict[str, Any]:
    """A session of one hour that begins at hour `started`."""
    day = "2026-03-01T"
    return {
        "key": key,
        "status": status,
        "started_at": f"{day}{started:02}:00",
        "ended_at": f"{day}{started + 1:02}:00",
        "last_activity_at": pd.Timestamp(f"{day}{started + 1:02}:00", tz=UTC),
        "project_path": "/w/alpha",
        "first_prompt": "Fix it",
        **facts,
    }


@pytest.mark.parametrize(
    ("then", "is_cured"),
    [
        ([], False),
        ([a_try("b", "completed", 3, retry_of="a", first_prompt=None)], True),
        ([a_try("b", "failed", 3, retry_of="a")], False),
        (
            [
                a_try("b", "failed", 3, retry_of="a", first_prompt=None),
                a_try("c", "completed", 5, retry_of="b", first_prompt=None),
            ],
            True,
        ),
        ([a_try("b", "completed", 3)], True),
        ([a_try("b", "completed", 2)], True),
        ([a_try("b", "completed", 3, agent="codex")], True),
        ([a_try("b", "completed", 1)], False),
        ([a_try("b", "cancelled", 3)], False),
        ([a_try("b", "completed", 3, first_prompt="Fix that")], False),
        ([a_try("b", "completed", 3, project_path="/w/beta")], False),
        ([a_try("b", "completed", 3, parent_key="a")], False),
        ([a_try("b", "completed", 3, sample=True)], False),
    ],
)
def test_a_failure_is_cured_by_a_retry_or_the_same_task_done_later(
    then: list[dict[str, Any]], is_cured: bool
) -> None:
    frame = sessions_frame(a_try("a", "failed", 1), *then)
    assert ("a" in failure_groups.cured(frame)) is is_cured


def test_what_has_no_prompt_or_no_project_is_the_same_task_as_nothing_else() -> None:
    for missing in ({"first_prompt": None}, {"first_prompt": " "}, {"project_path": None}):
        pair = (a_try("a", "failed", 1, **missing), a_try("b", "completed", 3, **missing))
        assert failure_groups.cured(sessions_frame(*pair)) == set()


def test_retries_in_a_ring_come_to_an_end() -> None:
    ring = (
        a_try("a", "failed", 1, retry_of="b", first_prompt=None),
        a_try("b", "completed", 2, retry_of="a", first_prompt=None),
    )
    assert failure_groups.cured(sessions_frame(*ring)) == {"a"}


def test_a_group_failed_last_when_the_newest_of_its_sessions_did() -> None:
    frame = sessions_frame(
        lost("a", "boom 1", 1), lost("b", "boom 2", 3), lost("c", "boom 3", 5, sample=True)
    )
    moment = int(pd.Timestamp("2026-03-03T10:00", tz=UTC).timestamp() * 1000)
    assert failure_groups.last_failed(frame) == {signature("api", "boom 1").id: moment}


def test_a_failure_without_a_time_is_on_no_day_and_counts() -> None:
    frame = sessions_frame(lost("a", "boom", ended_at=None), lost("b", "other", 2))
    found = failure_groups.groups(failure_groups.failed(over(frame)), set(), UTC)
    rows = {row["text"]: row for row in found.to_dict("records")}
    assert (rows["boom"]["sessions"], rows["boom"]["trend"]) == (1, [0])
    assert pd.isna(rows["boom"]["last_seen"])
    alone = failure_groups.groups(
        failure_groups.failed(over(sessions_frame(lost("a", "boom", ended_at=None)))), set(), UTC
    )
    assert alone["trend"].tolist() == [[]]


@given(st.lists(st.tuples(st.none() | st.text(max_size=9), st.floats(0, 9)), max_size=20))
def test_groups_lose_no_session_and_no_cent(errors: list[tuple[str | None, float]]) -> None:
    rows = [lost(str(n), text) for n, (text, _) in enumerate(errors)]
    usage = spent(**{str(n): usd for n, (_, usd) in enumerate(errors)})
    found = failure_groups.groups(
        failure_groups.failed(over(sessions_frame(*rows), usage)), set(), UTC
    )
    assert found["sessions"].sum() == len(errors)
    assert float(found["cost_usd"].sum()) == pytest.approx(sum(usd for _, usd in errors))
