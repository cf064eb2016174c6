"""How long sessions waited, on each database."""

from itertools import count, pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.model import Event
from lib.store import Batch, Store


def events(*told: tuple[str, str, int]) -> Batch:
    return Batch(events=[Event(session_key=key, kind=kind, at=at) for key, kind, at in told])


def test_a_wait_ends_with_the_next_event_of_the_same_session(store: Store) -> None:
    store.write(
        events(
            ("a", "running", 1_000),
            ("a", "waiting", 2_000),
            ("b", "running", 2_500),
            ("a", "running", 5_000),
            ("a", "waiting", 6_000),
            ("a", "waiting", 6_500),
            ("a", "completed", 7_000),
            ("b", "failed", 9_000),
        )
    )
    assert store.waited() == {"a": 4_000, "b": 0}


def test_a_wait_whose_end_nobody_saw_is_not_known(store: Store) -> None:
    store.write(events(("a", "running", 1_000), ("a", "waiting", 2_000), ("b", "completed", 1)))
    assert store.waited() == {"b": 0}


def test_a_clock_that_was_set_back_makes_no_wait_shorter_than_none(store: Store) -> None:
    store.write(events(("a", "waiting", 5_000), ("a", "running", 1_000)))
    assert store.waited() == {"a": 0}


NUMBERS = count()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["waiting", "running"]))))
def test_waits_are_those_counted_by_hand(file_store: Store, told: list[tuple[str, str]]) -> None:
    key_of = {name: f"{name}{next(NUMBERS)}" for name in "ab"}
    file_store.write(
        events(*((key_of[name], kind, at * 1000) for at, (name, kind) in enumerate(told)))
    )
    found = file_store.waited()
    for name, key in key_of.items():
        own = [(at * 1000, kind) for at, (who, kind) in enumerate(told) if who == name]
        pairs = pairwise(own)
        waits = sum(then - at for (at, kind), (then, _) in pairs if kind == "waiting")
        known = bool(own) and own[-1][1] != "waiting"
        assert found.get(key) == (waits if known else None)
