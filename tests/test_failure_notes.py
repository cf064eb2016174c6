"""How things stand with a group of failures."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import failure_notes
from lib.model_notes import FailureNote


def notes(*kinds_and_times: tuple[str, int]) -> list[FailureNote]:
    return [
        FailureNote(signature="a", kind=kind, by="me", at=at)  # pyright: ignore[reportArgumentType]
        for kind, at in kinds_and_times
    ]


@pytest.mark.parametrize(
    ("written", "failed_at", "expected"),
    [
        ([], 10, "open"),
        ([("note", 20)], 10, "open"),
        ([("resolve", 20)], 10, "resolved"),
        ([("resolve", 20)], 20, "resolved"),
        ([("resolve", 20)], 21, "returned"),
        ([("resolve", 20), ("note", 30)], 10, "resolved"),
        ([("ignore", 20)], 10, "ignored"),
        ([("ignore", 20)], 25, "returned"),
        ([("resolve", 20), ("reopen", 30)], 25, "open"),
        ([("resolve", 20), ("resolve", 30)], 25, "resolved"),
        ([("resolve", 20), ("ignore", 30)], 25, "ignored"),
        ([("resolve", 20)], None, "resolved"),
    ],
)
def test_the_newest_decision_counts_until_it_fails_again(
    written: list[tuple[str, int]], failed_at: int | None, expected: str
) -> None:
    assert failure_notes.state(notes(*written), failed_at) == expected


def test_each_group_has_its_own_notes() -> None:
    written = [*notes(("resolve", 20)), FailureNote(signature="b", kind="ignore", by="me", at=30)]
    failed_at = {"a": 10, "b": 10, "c": 10}
    assert failure_notes.states(written, failed_at) == {
        "a": "resolved",
        "b": "ignored",
        "c": "open",
    }


@given(
    st.lists(st.tuples(st.sampled_from(["resolve", "ignore", "reopen", "note"]), st.integers(0, 9)))
)
def test_what_failed_after_everything_was_decided_is_never_hidden(
    written: list[tuple[str, int]],
) -> None:
    assert failure_notes.state(notes(*written), 10) in ("open", "returned")
