"""Tool calls and analyses in the store, on every database."""

from itertools import permutations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.model import Session
from lib.model_analysis import ToolCall
from lib.store import Batch, Store
from lib.store_tools import CallFilter, ExitStatus, Finding
from tests.tool_rows import a_store_with, call, found

A, B, C = "claude-code:a", "claude-code:b", "claude-code:c"


def counted(store: Store, wanted: CallFilter | None = None) -> dict[str, int]:
    sums = store.tool_calls.sums(wanted or CallFilter())
    return {one.tool: one.calls for one in sums}


def test_what_was_read_comes_back(store: Store) -> None:
    a_store_with(store, A)
    full = call(
        "k",
        mcp_server="db",
        model="m",
        outcome="failed",
        exit_status=3,
        input_hash="ff",
        result_characters=12,
        duration_ms=7,
    )
    told = found(A, full, problem="It is \x00 odd", repeats=4, repeated_tool="Bash", rate_limits=2)
    store.tool_calls.replace([told])
    assert store.tool_calls.of_session(A) == [full]
    assert store.analyses.since() == [told.analysis] == store.analyses.problems()
    assert store.analyses.marks() == {A: "1"}


def test_a_later_reading_takes_the_place_of_an_earlier_one(store: Store) -> None:
    a_store_with(store, A)
    store.tool_calls.replace([found(A, call("k", outcome="pending"), call("gone"))])
    version = store.analyses.version()
    store.tool_calls.replace([found(A, call("k"), call("new"), mark="2")])
    assert {one.key: one.outcome for one in store.tool_calls.of_session(A)} == {
        "k": "ok",
        "new": "ok",
    }
    assert store.analyses.marks() == {A: "2"}
    assert store.version() == store.analyses.version() > version
    assert [one.mark for one in store.analyses.since(version)] == ["2"]


def test_what_can_not_be_read_any_more_keeps_its_calls(store: Store) -> None:
    a_store_with(store, A)
    store.tool_calls.replace([found(A, call("k"))])
    store.tool_calls.replace([found(A, problem="no")._replace(calls=None)])
    assert counted(store) == {"Bash": 1}
    assert [one.problem for one in store.analyses.problems()] == ["no"]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_copied_call_counts_once_whatever_was_read_first(
    order: tuple[int, ...], file_store: Store
) -> None:
    a_store_with(file_store, A, B, C)
    readings = [
        found(A, call("k", A, 1, outcome="pending", tool="A")),
        found(B, call("k", B, 2, tool="B"), call("own", B, 2, tool="B")),
        found(C, call("k", C, 3, tool="C")),
    ]
    for place in order:
        file_store.tool_calls.replace([readings[place]])
    # The smallest rank of those with a result.
    assert counted(file_store) == {"B": 2}
    file_store.tool_calls.replace([found(A, call("k", A, 1, tool="A"))])
    assert counted(file_store) == {"A": 1, "B": 1}
    file_store.tool_calls.replace([found(A)])
    file_store.tool_calls.replace([found(B)])
    assert counted(file_store) == {"C": 1}


def test_sessions_that_are_not_there_leave_nothing(store: Store) -> None:
    a_store_with(store, A)
    store.tool_calls.replace([found("claude-code:gone", call("k", "claude-code:gone"))])
    store.tool_calls.replace([])
    assert (counted(store), store.analyses.since()) == ({}, [])


def test_a_removed_machine_leaves_its_copies_elsewhere_to_count(store: Store) -> None:
    ours = Session(key=A, agent="claude-code", session_id="a", machine="here")
    theirs = Session(key=B, agent="claude-code", session_id="b", machine="there")
    store.write(Batch(sessions=[ours, theirs]))
    store.tool_calls.replace([found(A, call("k", A, 1)), found(B, call("k", B, 2, tool="Copy"))])
    assert counted(store) == {"Bash": 1}
    store.remove_machine("here")
    assert counted(store) == {"Copy": 1}
    assert set(store.analyses.marks()) == {B}


def test_sums_tell_outcomes_characters_and_how_long_calls_took(store: Store) -> None:
    a_store_with(store, A)
    outcomes = ["ok", "ok", "failed", "failed", "failed", "denied", "unknown", "pending"]
    took = [1, 2, 3, 4, 5, 6, 7, None]
    calls = [
        call(
            f"k{number}",
            outcome=outcome,
            duration_ms=duration,
            result_characters=10,
            exit_status={2: 1, 3: 2, 4: 2, 0: 0}.get(number),
        )
        for number, (outcome, duration) in enumerate(zip(outcomes, took, strict=True))
    ]
    other = call("o", tool="mcp__db__q", mcp_server="db", duration_ms=10)
    even = call("p", tool="mcp__db__q", mcp_server="db", duration_ms=21)
    store.tool_calls.replace([found(A, *calls, other, even)])
    bash, query = sorted(store.tool_calls.sums())
    assert bash == ("Bash", None, 8, 3, 1, 1, 1, 80, 4, 7)
    assert query == ("mcp__db__q", "db", 2, 0, 0, 0, 0, 0, 15.5, 21)
    statuses = sorted(store.tool_calls.exit_statuses())
    assert statuses == [ExitStatus("Bash", None, 1, 1), ExitStatus("Bash", None, 2, 2)]


def test_filters_leave_what_is_wanted(store: Store) -> None:
    odd = "claude-code:\ud800'odd"
    a_store_with(store, A, odd)
    early = call("1", at=1_000, model="m", tool="early")
    late = call("2", at=2_000, tool="late")
    store.tool_calls.replace([found(A, early, late, call("3", at=None, tool="never"))])
    store.tool_calls.replace([found(odd, call("4", odd, at=3_000, tool="other"))])
    assert len(counted(store)) == 4
    assert set(counted(store, CallFilter(start=2_000))) == {"late", "other"}
    assert set(counted(store, CallFilter(start=1_000, end=2_000))) == {"early"}
    assert set(counted(store, CallFilter(models=["m"]))) == {"early"}
    assert set(counted(store, CallFilter(session_keys=[odd]))) == {"other"}
    assert set(counted(store, CallFilter(session_keys=[]))) == set()
    many = [f"x{number}" for number in range(40_000)]
    assert set(counted(store, CallFilter(session_keys=[*many, odd]))) == {"other"}


CLAIMS = st.lists(
    st.tuples(
        st.sampled_from([A, B, C]),
        st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from(["ok", "pending"]))),
    ),
    max_size=8,
)


@given(CLAIMS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_call_counts_exactly_once_after_any_readings(
    file_store: Store, readings: list[tuple[str, list[tuple[str, str]]]]
) -> None:
    a_store_with(file_store, A, B, C)
    file_store.tool_calls.replace([found(key) for key in (A, B, C)])
    ranks = {A: 1, B: 2, C: 3}
    newest: dict[str, dict[str, ToolCall]] = {}
    for key, told in readings:
        calls = {name: call(name, key, ranks[key], outcome=outcome) for name, outcome in told}
        newest[key] = calls
        file_store.tool_calls.replace([Finding(found(key).analysis, list(calls.values()))])
    names = {name for calls in newest.values() for name in calls}
    assert sum(counted(file_store).values()) == len(names)
