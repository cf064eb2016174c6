"""Every session is found on the way down from one that has no parent."""

from hypothesis import given
from hypothesis import strategies as st

from lib.parents import DEEPEST, Family, known_parent

names = st.sampled_from("abcdef")


def test_a_parent_that_is_not_known_is_none() -> None:
    parents = {"a": None, "a/b": "a", "gone/c": "gone"}
    found = {key: known_parent(key, parents) for key in parents}
    assert found == {"a": None, "a/b": "a", "gone/c": None}


def test_a_ring_has_no_parents() -> None:
    parents: dict[str, str | None] = {"a": "a", "b": "c", "c": "b", "d": "c"}
    found = {key: known_parent(key, parents) for key in parents}
    assert found == dict.fromkeys(parents)


def test_what_stands_too_deep_stands_for_itself() -> None:
    parents = {str(level): str(level - 1) if level else None for level in range(DEEPEST + 3)}
    tops = [key for key in parents if known_parent(key, parents) is None]
    assert tops == ["0", str(DEEPEST + 1), str(DEEPEST + 2)]


def test_a_session_whose_parent_becomes_known_or_another_moves() -> None:
    family = Family()
    family.note("a/b", "a")
    assert family.relatives("a/b") == set()
    family.note("a", None)
    assert set(family.below("a")) == {"a/b"}
    family.note("c", None)
    family.note("a/b", "c")
    assert (set(family.below("a")), set(family.below("c"))) == (set(), {"a/b"})
    family.clear()
    assert set(family.below("c")) == set()


@given(st.dictionaries(names, st.none() | names | st.just("unknown")))
def test_every_way_up_ends_at_a_session_without_a_parent(parents: dict[str, str | None]) -> None:
    found = {key: known_parent(key, parents) for key in parents}
    for key in parents:
        above: str | None = key
        for _ in parents:
            above = found[above] if above is not None else None
        assert above is None


@given(st.dictionaries(names, st.none() | names | st.just("unknown")))
def test_what_is_below_is_what_leads_up(parents: dict[str, str | None]) -> None:
    family = Family()
    for key, parent in parents.items():
        family.note(key, parent)
    found = {key: known_parent(key, parents) for key in parents}
    for key in parents:
        below = list(family.below(key))
        assert len(below) == len(set(below))
        leads_up: set[str] = set()
        for one in parents:
            above = found[one]
            while above is not None:
                if above == key:
                    leads_up.add(one)
                above = found[above]
        assert set(below) == leads_up
