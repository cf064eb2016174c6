"""How things stand with a group of failures, from what people decided about it.

The newest decision counts: a group is `open` until somebody resolves or ignores it, and after
somebody reopens it. When a session fails in the same way after the decision, the group has
`returned`: it is shown again, and says so.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

from lib.model_notes import FailureNote, FailureNoteKind

GroupState = Literal["open", "resolved", "ignored", "returned"]

_STATES: dict[FailureNoteKind, GroupState] = {
    "resolve": "resolved",
    "ignore": "ignored",
    "reopen": "open",
}


def by_signature(notes: Iterable[FailureNote]) -> dict[str, list[FailureNote]]:
    """The notes on each group, in their order."""
    found: dict[str, list[FailureNote]] = {}
    for note in notes:
        found.setdefault(note.signature, []).append(note)
    return found


def decision(notes: Iterable[FailureNote]) -> FailureNote | None:
    """The newest of one group's notes that decided anything; `notes` in the order of writing."""
    decisions = [note for note in notes if note.kind in _STATES]
    return decisions[-1] if decisions else None


def state(notes: Iterable[FailureNote], last_failed_at: int | None) -> GroupState:
    """How things stand with one group, whose newest failure was at `last_failed_at` (ms)."""
    newest = decision(notes)
    decided = _STATES[newest.kind] if newest is not None else "open"
    if newest is None or decided == "open" or last_failed_at is None:
        return decided
    return "returned" if last_failed_at > newest.at else decided


def states(
    notes: Iterable[FailureNote], last_failed_at: Mapping[str, int]
) -> dict[str, GroupState]:
    """How things stand with each group that failed, by signature.

    `last_failed_at` is of all sessions, whatever is shown of them.
    """
    known = by_signature(notes)
    return {key: state(known.get(key, ()), at) for key, at in last_failed_at.items()}
