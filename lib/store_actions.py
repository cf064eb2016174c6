"""The actions in the store: asked for by a page, carried out by a machine's daemon, kept for good.

An action's id is made by whoever asks; asking again with the same id changes nothing. A daemon
claims a request before it acts, in one statement, so that no request is carried out twice.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    Subquery,
    func,
    insert,
    or_,
    select,
    update,
)

from lib.model import Action, ActionKind, ActionState
from lib.store_engine import next_version, objects, reading, set_version, writing
from lib.store_kept import Kept
from lib.store_schema import action, session

OPEN: tuple[ActionState, ...] = ("requested", "running")
_DAY_MS = 24 * 60 * 60 * 1000
UNDER_WAY = "It was asked for already, and is under way."
INTERRUPTED = "The daemon was interrupted; see the session's own state."


class ActionFilter(NamedTuple):
    """Which actions of the log are wanted. What is empty leaves all."""

    kinds: Sequence[ActionKind] = ()
    states: Sequence[ActionState] = ()
    target: str = ""
    """Words of the target, of who asked or of the outcome, in whatever case."""


class Actions:
    """All actions of one store. Threads may share it. Every method may raise StoreError."""

    def __init__(self, engine: Engine, kept: Kept):
        self._engine = engine
        self._kept = kept

    def request(self, asked: Action) -> bool:
        """Note an action, or one that was refused at once; return whether its id is new.

        Two viewers may ask in the same instant: where the last thing asked of the session is the
        same, and not done yet, what is noted is a refusal.
        """
        with writing(self._engine) as connection:
            version = next_version(connection)
            known = select(action.c.id).where(action.c.id == asked.id)
            if connection.execute(known).first() is not None:
                return False
            if asked.state in OPEN and _is_under_way(connection, asked):
                asked = msgspec.structs.replace(asked, state="refused", outcome=UNDER_WAY)
            connection.execute(insert(action), [msgspec.structs.asdict(asked)])
            _mark(connection, [asked.session_key, asked.result_key], version)
        return True

    def find(self, action_id: str) -> Action | None:
        """One action as it is now."""
        return next(iter(self._read(select(action).where(action.c.id == action_id))), None)

    def requested(self, machine: str) -> list[Action]:
        """What one machine's daemon has yet to do, in the order in which it was asked for."""
        return self._kept.get(f"requested of {machine}", lambda: self._requested(machine))

    def _requested(self, machine: str) -> list[Action]:
        waiting = select(action).where(action.c.machine == machine, action.c.state == "requested")
        return self._read(waiting.order_by(action.c.at, action.c.id))

    def claim(self, action_id: str, now: int) -> bool:
        """Take a request to carry it out; False when it was taken before."""
        return self._change(
            [action.c.id == action_id, action.c.state == "requested"],
            state="running",
            updated_at=now,
        )

    def finish(
        self,
        action_id: str,
        state: ActionState,
        outcome: str | None,
        result_key: str | None,
        now: int,
    ) -> None:
        """Write what became of a claimed action."""
        self._change(
            [action.c.id == action_id, action.c.state == "running"],
            state=state,
            outcome=outcome,
            result_key=result_key,
            updated_at=now,
        )

    def interrupted(self, machine: str, now: int) -> bool:
        """Mark what a daemon that is no more had claimed; return whether there was any."""
        return self._change(
            [action.c.machine == machine, action.c.state == "running"],
            state="unverified",
            outcome=INTERRUPTED,
            updated_at=now,
        )

    def recent(self, since: int) -> list[Action]:
        """Those that are under way or changed after `since` (ms), in the order of asking.

        Whatever was asked for more than a day before `since` is history.
        """
        found = select(action).where(
            action.c.at > since - _DAY_MS,
            or_(action.c.state.in_(OPEN), action.c.updated_at > since),
        )
        return self._read(found.order_by(action.c.at, action.c.id))

    def listed(self, wanted: ActionFilter, limit: int, offset: int = 0) -> list[Action]:
        """A page of the log, newest first."""
        found = select(action).where(*_conditions(wanted))
        in_order = found.order_by(action.c.at.desc(), action.c.id.desc())
        return self._read(in_order.limit(limit).offset(offset))

    def count(self, wanted: ActionFilter) -> int:
        """How many actions the log holds of those wanted."""
        number = select(func.count()).select_from(action).where(*_conditions(wanted))
        with reading(self._engine) as connection:
            return connection.execute(number).scalar_one()

    def _read(self, statement: Select[Any]) -> list[Action]:
        with reading(self._engine) as connection:
            return objects(Action, connection.execute(statement))

    def _change(self, where: list[ColumnElement[bool]], **values: Any) -> bool:
        with writing(self._engine) as connection:
            version = next_version(connection)
            changed = update(action).where(*where).values(**values)
            rows = connection.execute(
                changed.returning(action.c.session_key, action.c.result_key)
            ).all()
            if rows:
                _mark(connection, [key for row in rows for key in row], version)
        return bool(rows)


def retried() -> Subquery:
    """`key` of every session that a retry made, with `retry_of`, the key of the retried one."""
    made = select(
        action.c.result_key.label("key"), func.min(action.c.session_key).label("retry_of")
    )
    return made.where(action.c.kind == "retry").group_by(action.c.result_key).subquery()


def _mark(connection: Connection, keys: Iterable[str | None], version: int) -> None:
    """Make readers look again at the sessions that an action is about."""
    sessions = session.c.key.in_([key for key in keys if key is not None])
    connection.execute(update(session).where(sessions).values(version=version))
    set_version(connection, version)


def _conditions(wanted: ActionFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.kinds:
        found.append(action.c.kind.in_(wanted.kinds))
    if wanted.states:
        found.append(action.c.state.in_(wanted.states))
    if words := wanted.target.strip():
        columns = (action.c.target, action.c.session_key, action.c.by, action.c.outcome)
        found.append(or_(*(column.icontains(words, autoescape=True) for column in columns)))
    return found


def _is_under_way(connection: Connection, asked: Action) -> bool:
    """Whether the last thing that was asked of the session, and is not done, is the same."""
    if asked.session_key is None:
        return False
    open_ones = select(action.c.kind).where(
        action.c.session_key == asked.session_key, action.c.state.in_(OPEN)
    )
    newest = open_ones.order_by(action.c.at.desc(), action.c.id.desc()).limit(1)
    return connection.execute(newest).scalar() == asked.kind
