"""What may be asked of a session, and what was asked lately: under way, or not come to pass."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

from lib import status
from lib.cards import title
from lib.model import Action, ActionKind, ActionState, Session
from lib.store_actions import OPEN, UNDER_WAY

SHOWN_MS = 10 * 60 * 1000
"""How long a card shows why something did not come to pass, if nothing else is asked for."""
PATIENCE_MS = 20_000
"""After so long without the daemon's taking it up, a request is said to hang."""

_WORDS: dict[ActionState, str] = {
    "refused": "{} refused: {}",
    "failed": "{} failed: {}",
    "unverified": "{} requested. {}",
}


class Asked(NamedTuple):
    """What a card shows of its session's actions."""

    under_way: list[ActionKind]
    note: str | None = None
    """Why something did not come to pass."""
    due: int | None = None
    """When (ms) this changes by itself."""


def asked(actions: Sequence[Action], now: int) -> Asked:
    """`actions`: those of one session that are under way or changed lately, in their order."""
    waiting = [one for one in actions if one.state in OPEN]
    kinds: list[ActionKind] = list(dict.fromkeys(one.kind for one in waiting))
    late = next((one for one in waiting if one.state == "requested"), None)
    if late is not None and now - late.at >= PATIENCE_MS:
        words = (
            f"{late.kind.capitalize()} requested. The daemon of {late.machine} has not taken it up."
        )
        return Asked(kinds, words)
    due = [late.at + PATIENCE_MS] if late is not None else []
    over = [one for one in actions if one.state not in OPEN]
    newest = max(over, key=lambda one: one.updated_at, default=None)
    note = None
    if newest is not None and newest.state in _WORDS and now - newest.updated_at < SHOWN_MS:
        note = _WORDS[newest.state].format(newest.kind.capitalize(), newest.outcome or "")
        due.append(newest.updated_at + SHOWN_MS)
    return Asked(kinds, note, min(due, default=None))


def control(
    session: Session, state: status.Status, lately: Asked, is_silent: bool
) -> dict[str, Any]:
    """The columns of a session's row that tell what can be done with it.

    `is_silent`: no daemon looks at its machine, and so nothing would be carried out.
    """
    return {
        "permitted": [] if is_silent else list(status.permitted(session, state)),
        "under_way": lately.under_way,
        "note": lately.note,
        "retry_of": session.retry_of,
    }


def request(
    action_id: str, kind: ActionKind, row: Mapping[Hashable, Any], by: str, now: int
) -> Action:
    """An action on the session of a row, refused at once where the row does not permit it, or
    where the same is under way: two viewers who retry a session mean one new session.
    """
    action = Action(
        id=action_id,
        at=now,
        kind=kind,
        by=by,
        machine=row["machine"],
        session_key=row["key"],
        target=f"#{row['short_id']} {title(row)}",
        updated_at=now,
    )
    if kind in row["under_way"]:
        action.state = "refused"
        action.outcome = UNDER_WAY
    elif kind not in row["permitted"]:
        action.state = "refused"
        action.outcome = f"It is {row['status']}, which does not allow it."
    return action
