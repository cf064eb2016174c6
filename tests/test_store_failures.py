"""Notes on failures are kept as they were written, on each database."""

from lib.model_notes import FailureNote
from lib.store import Store


def a_note(signature: str = "0123456789ab", at: int = 1_000) -> FailureNote:
    return FailureNote(
        signature=signature, kind="resolve", text="nul \x00 ☃ \ud800", by="me@here", at=at
    )


def test_a_note_comes_back_as_it_was_written(store: Store) -> None:
    store.failure_notes.add(a_note())
    (found,) = store.failure_notes.listed()
    assert found.id == 1
    found.id = 0
    assert found == a_note()


def test_notes_are_listed_in_the_order_of_writing_whatever_their_clocks_say(store: Store) -> None:
    for signature, at in (("b", 2_000), ("a", 1_000), ("b", 500)):
        store.failure_notes.add(a_note(signature, at))
    listed = [(one.id, one.signature) for one in store.failure_notes.listed()]
    assert listed == [(1, "b"), (2, "a"), (3, "b")]
    assert [one.id for one in store.failure_notes.of("b")] == [1, 3]


def test_a_note_makes_nobody_load_the_sessions_again(store: Store) -> None:
    before = store.version()
    store.failure_notes.add(a_note())
    assert store.version() == before
