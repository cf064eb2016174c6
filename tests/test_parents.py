"""Every session is found on the way down from one that has no parent."""

from hypothesis import given
from hypothesis import strategies as st

from lib.parents import known_parent

names = st.sampled_from("abcdef")


def test_a_parent_that_is_not_known_is_none() -> None:
    parents = {"a": None, "a/b": "a", "gone/c": "gone"}
    found = {key: known_parent(key, parents) for key in parents}
    assert found == {"a": None, "a/b": "a", "gone/c": None}


def test_a_ring_has_no_parents() -> None:
    parents: dict[str, str | None] = {"a": "a", "b": "c", "c": "b", "d": "c"}
    found = {key: known_parent(key, parents) for key in parents}
    assert found == {"a": None, "b": None, "c": None, "d": "c"}


@given(st.dictionaries(names, st.none() | names | st.just("unknown")))
def test_every_way_up_ends_at_a_session_without_a_parent(parents: dict[str, str | None]) -> None:
    found = {key: known_parent(key, parents) for key in parents}
    for key in parents:
        above: str | None = key
        for _ in parents:
            above = found[above] if above is not None else None
        assert above is None
