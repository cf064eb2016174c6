"""However copies arrive, the same facts come of them."""

from collections.abc import Sequence
from itertools import count
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from lib.model import Evidence, Request, Session, owner_rank
from lib.store import Batch, SessionRow, Store
from lib.store_schema import request

_examples = count(1)

FEW = st.integers(0, 2)
WORD = st.sampled_from([None, "a", "B", "é"])
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "at": st.sampled_from([None, 1, 10**12]),
    "model": WORD,
    "input_tokens": FEW,
    "output_tokens": FEW,
    "cache_read_tokens": FEW,
    "cache_write_5m_tokens": FEW,
    "cache_write_1h_tokens": FEW,
    "reasoning_tokens": FEW,
    "web_search_requests": FEW,
    "service_tier": WORD,
    "speed": WORD,
    "region": WORD,
}


@st.composite
def copies(draw: st.DrawFn) -> list[Request]:
    """Copies of one call in files of a few sessions, most of them alike in most fields."""
    common: dict[str, Any] = {name: draw(values) for name, values in FIELDS.items()}

    def copy() -> Request:
        key = draw(st.sampled_from(["agent:a", "agent:B", "agent:_"]))
        rank = owner_rank(draw(FEW), draw(st.sampled_from([None, 5])), key)
        own = {name: draw(FIELDS[name]) for name in draw(st.sets(st.sampled_from([*FIELDS])))}
        return Request(key="call", session_key=key, owner_rank=rank, **{**common, **own})

    return [copy() for _ in range(draw(st.integers(1, 5)))]


@st.composite
def copies_that_differ_in_one_field(draw: st.DrawFn) -> list[Request]:
    """Two copies in one file, alike but for one field."""
    [one, *_] = draw(copies())
    name = draw(st.sampled_from([*FIELDS]))
    return [one, msgspec.structs.replace(one, **{name: draw(FIELDS[name])})]


def fullness(copy: Request) -> tuple[Any, ...]:
    """The rule, said a second time: what makes one copy's content better than another's."""
    others = (
        copy.input_tokens
        + copy.cache_read_tokens
        + copy.cache_write_5m_tokens
        + copy.cache_write_1h_tokens
    )
    return copy.output_tokens, others


def is_best_content(found: Request, all_copies: Sequence[Request]) -> bool:
    """Whether `found` has the content of a copy that no rule puts behind another."""
    best = max(map(fullness, all_copies))
    full = [copy for copy in all_copies if fullness(copy) == best]
    rank = min(copy.owner_rank for copy in full)
    nearest = [copy for copy in full if copy.owner_rank == rank]
    latest = max(-1 if copy.at is None else copy.at for copy in nearest)
    candidates = [copy for copy in nearest if (-1 if copy.at is None else copy.at) == latest]
    own = msgspec.structs.replace
    return any(
        own(copy, session_key="", owner_rank="") == own(found, session_key="", owner_rank="")
        for copy in candidates
    )


def write_in_order(store: Store, arriving: list[Request], sizes: list[int]) -> Request:
    """Write copies under a new key, in batches of `sizes`; return the row that came of them."""
    key = f"call {next(_examples)}"
    arriving = [msgspec.structs.replace(copy, key=key) for copy in arriving]
    start = 0
    for size in [*sizes, len(arriving)]:
        store.write(Batch(requests=arriving[start : start + size]))
        start += size
    with store._engine.connect() as connection:
        row = connection.execute(select(request).where(request.c.key == key)).mappings().one()
    values: dict[str, Any] = {name: row[name] for name in Request.__struct_fields__}
    values["key"] = "call"
    return Request(**values)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(all_copies=copies() | copies_that_differ_in_one_field(), data=st.data())
def test_copies_make_the_same_call_in_any_order_any_batches_and_any_number(
    store: Store, all_copies: list[Request], data: st.DataObject
) -> None:
    sizes = data.draw(st.lists(st.integers(1, 3), max_size=3))
    once = write_in_order(store, all_copies, sizes)
    again = data.draw(st.permutations(all_copies + data.draw(st.permutations(all_copies))))
    assert write_in_order(store, again, data.draw(st.lists(st.integers(1, 3), max_size=5))) == once


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(all_copies=copies())
def test_a_call_belongs_to_the_smallest_rank_and_tells_what_its_fullest_copy_told(
    store: Store, all_copies: list[Request]
) -> None:
    row = write_in_order(store, all_copies, [1, 1])
    owner = min(all_copies, key=lambda copy: copy.owner_rank)
    assert row.session_key == owner.session_key
    assert row.owner_rank + row.session_key == owner.owner_rank
    assert is_best_content(row, all_copies)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(all_copies=copies(), data=st.data())
def test_copies_that_are_known_move_nothing(
    store: Store, all_copies: list[Request], data: st.DataObject
) -> None:
    key = f"call {next(_examples)}"
    arriving = [msgspec.structs.replace(copy, key=key) for copy in all_copies]
    store.write(Batch(requests=arriving))
    version = store.version()
    assert not store.write(Batch(requests=data.draw(st.permutations(arriving))))
    assert store.version() == version


def test_a_call_names_the_session_of_its_content_only_when_it_is_another(store: Store) -> None:
    def named() -> str | None:
        with store._engine.connect() as connection:
            return connection.execute(select(request.c.content_session_key)).scalar_one()

    store.write(Batch(requests=[call("agent:b", 1), call("agent:b", 1, output=2)]))
    assert named() is None
    store.write(Batch(requests=[call("agent:a", 0)]))
    assert named() == "agent:b"
    store.write(Batch(requests=[call("agent:a", 0, output=2)]))
    assert named() is None


def call(session_key: str, rank: int, output: int = 1) -> Request:
    return Request(
        key="agent:call",
        session_key=session_key,
        owner_rank=owner_rank(rank, 1, session_key),
        at=1,
        model="m",
        output_tokens=output,
    )


def session(session_id: str, **values: Any) -> Session:
    return Session(
        key=f"agent:{session_id}",
        agent="agent",
        session_id=session_id,
        machine="here",
        **values,
    )


def keys(rows: list[SessionRow]) -> set[str]:
    return {row.key for row in rows}


def test_a_session_that_loses_a_call_is_read_again_like_the_one_that_wins_it(
    store: Store,
) -> None:
    store.write(Batch(sessions=[session("a"), session("b"), session("c"), session("d")]))
    store.write(Batch(requests=[call("agent:c", 3)]))
    version = store.version()
    store.write(Batch(requests=[call("agent:b", 2)]))
    assert keys(store.sessions(version)) == {"agent:b", "agent:c"}
    store.write(Batch(requests=[call("agent:a", 1)]))
    assert keys(store.sessions(version)) == {"agent:a", "agent:b", "agent:c"}
    assert {(row.session_key, row.requests) for row in store.usage(version)} == {("agent:a", 1)}


def test_a_call_that_changes_hands_twice_in_one_batch_is_taken_from_its_first_owner(
    store: Store,
) -> None:
    everyone = [session("a"), session("b"), session("c")]
    store.write(Batch(sessions=everyone, requests=[call("agent:c", 3)]))
    version = store.version()
    moves = [call("agent:c", 3, output=5), call("agent:b", 2), call("agent:a", 1)]
    store.write(Batch(requests=moves))
    assert keys(store.sessions(version)) >= {"agent:a", "agent:c"}


def test_a_fuller_copy_in_another_session_reaches_the_owner(store: Store) -> None:
    store.write(Batch(sessions=[session("a"), session("b")], requests=[call("agent:a", 0)]))
    version = store.version()
    store.write(Batch(requests=[call("agent:b", 2, output=9)]))
    assert keys(store.sessions(version)) == {"agent:a"}
    [row] = store.usage(version)
    assert (row.session_key, row.output_tokens) == ("agent:a", 9)


def test_the_smaller_rank_is_smaller_by_code_points_on_every_database(store: Store) -> None:
    upper, lower = "agent:B", "agent:a"
    store.write(Batch(requests=[call(lower, 0), call(upper, 0)]))
    assert {row.session_key for row in store.usage()} == {upper}


@pytest.mark.parametrize(
    ("path", "activity", "title"),
    [
        ("other", 1, "first"),
        ("other", None, "first"),
        ("other", 5, "second"),
        ("other", 6, "second"),
        ("same", 1, "second"),
        ("same", None, "second"),
    ],
)
def test_a_session_is_told_by_the_file_with_the_latest_activity(
    store: Store, path: str, activity: int | None, title: str
) -> None:
    first = session("a", source_path="same", last_activity_at=5, title="first")
    store.write(Batch(sessions=[first]))
    second = session("a", source_path=path, last_activity_at=activity, title="second")
    changed = store.write(Batch(sessions=[second]))
    assert [row.title for row in store.sessions()] == [title]
    assert changed == (title == "second")


def test_an_equal_path_on_another_machine_is_another_file(store: Store) -> None:
    first = session("a", source_path="path", last_activity_at=5, title="first")
    copy = msgspec.structs.replace(first, machine="there", last_activity_at=1, title="stale")
    store.write(Batch(sessions=[first]))
    assert not store.write(Batch(sessions=[copy]))


def claim(**values: Any) -> Evidence:
    return Evidence(
        session_key="agent:a",
        source="process-table",
        agent="agent",
        session_id="a",
        machine="here",
        **values,
    )


def test_a_repeated_claim_moves_nothing_and_keeps_when_it_was_first_observed(
    store: Store,
) -> None:
    store.write(Batch(sessions=[session("a")], evidence=[claim(observed_at=1, process="alive")]))
    version = store.version()
    assert not store.write(Batch(evidence=[claim(observed_at=2, process="alive")]))
    assert store.version() == version
    assert [row.observed_at for row in store.evidence()] == [1]


def test_a_changed_claim_makes_its_session_change_too(store: Store) -> None:
    store.write(Batch(sessions=[session("a")], evidence=[claim(observed_at=1, process="alive")]))
    version = store.version()
    assert store.write(Batch(evidence=[claim(observed_at=2, process="dead")]))
    assert [row.process for row in store.evidence(version)] == ["dead"]
    assert keys(store.sessions(version)) == {"agent:a"}
