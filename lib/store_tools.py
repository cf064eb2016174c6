"""Tool calls, and what each transcript comes to, in the store.

What one reading of a transcript found replaces, in one transaction, what an earlier one did.
Every session's claim to a call is kept and one of them counts, so that the order of readings
never matters: of the copies with a result that of the smallest rank.
"""

from collections.abc import Collection, Iterable, Sequence
from itertools import groupby
from typing import Any, NamedTuple, TypeVar

import msgspec
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Engine,
    Select,
    Text,
    bindparam,
    case,
    cast,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)

from lib.model import Session
from lib.model_analysis import Analysis, ToolCall, ToolOutcome
from lib.storable import storable
from lib.store_engine import next_version, objects, reading, set_version, writing
from lib.store_schema import analysis, session, tool_call

_T = TypeVar("_T")

_MANY = 500
"""Values in one statement; databases take so many, and not many more."""
_OWN = [column for column in tool_call.c if column.name != "is_copy"]
_OUTCOMES: tuple[ToolOutcome, ...] = ("failed", "denied", "unknown", "pending")
_TELLING = (
    "key",
    "agent",
    "session_id",
    "parent_key",
    "forked_from",
    "machine",
    "source_path",
    "model",
    "started_at",
    "last_activity_at",
    "turn",
    "turn_detail",
    "turns",
    "turn_requests",
    "context_tokens",
)
_FACTS = [column for column in analysis.c if column.name != "version"]


class Finding(NamedTuple):
    """What one reading of a session's transcript found."""

    analysis: Analysis
    calls: Sequence[ToolCall] | None
    """All its tool calls; None where the transcript can't be read, so that the known ones stay."""


class CallFilter(NamedTuple):
    """Which tool calls are wanted. What is None leaves all."""

    start: int | None = None
    """Milliseconds; calls without a time are in no span but the whole."""
    end: int | None = None
    """Excluded."""
    models: Collection[str] | None = None
    session_keys: Collection[str] | None = None


EVERY_CALL = CallFilter()


class ToolSum(NamedTuple):
    """The calls of one tool."""

    tool: str
    mcp_server: str | None
    calls: int
    failed: int
    denied: int
    unknown: int
    """Of these the records don't tell what they came to."""
    pending: int
    """These have no result (yet)."""
    result_characters: int
    median_ms: float | None
    """None where no record tells how long a call took."""
    p90_ms: float | None
    """Nine of ten calls took at most so long."""


class ExitStatus(NamedTuple):
    """How many calls of a tool ended with a status."""

    tool: str
    mcp_server: str | None
    exit_status: int
    calls: int


class ToolCalls:
    """All tool calls of one store. Threads may share it. Every method may raise StoreError."""

    def __init__(self, engine: Engine):
        self._engine = engine

    def replace(self, found: Sequence[Finding]) -> None:
        """Put what readings found in the place of what is known of their sessions.

        Sessions that the store does not know (any more) are left out.
        """
        if not found:
            return
        with writing(self._engine) as connection:
            version = next_version(connection)
            keys = [one.analysis.session_key for one in found]
            known = _present(connection, keys)
            wanted = [one for one in found if one.analysis.session_key in known]
            moved: set[str] = set()
            for one in wanted:
                if one.calls is not None:
                    moved |= _replace_calls(connection, one.analysis.session_key, one.calls)
            mark_copies(connection, moved)
            _replace_analyses(connection, [one.analysis for one in wanted], version)
            set_version(connection, version)

    def of_session(self, key: str) -> list[ToolCall]:
        """The calls in one session's transcript, copies of other sessions' calls included."""
        with reading(self._engine) as connection:
            return list(_known_calls(connection, key).values())

    def sums(self, wanted: CallFilter = EVERY_CALL) -> list[ToolSum]:
        """What the calls of each tool came to; each call once."""
        column = tool_call.c
        outcomes = [func.count().filter(column.outcome == name) for name in _OUTCOMES]
        statement = select(
            column.tool,
            column.mcp_server,
            func.count(),
            *outcomes,
            cast(func.coalesce(func.sum(column.result_characters), 0), BigInteger),
            func.count(column.duration_ms),
        ).group_by(column.tool, column.mcp_server)
        which = _conditions(wanted, self._engine.dialect.name)
        with reading(self._engine) as connection:
            return [
                ToolSum._make([*sums, *_percentiles(connection, which, sums[0], sums[1], timed)])
                for *sums, timed in connection.execute(statement.where(*which)).all()
            ]

    def exit_statuses(self, wanted: CallFilter = EVERY_CALL) -> list[ExitStatus]:
        """How often the calls of each tool ended with which status other than 0."""
        column = tool_call.c
        groups = (column.tool, column.mcp_server, column.exit_status)
        which = _conditions(wanted, self._engine.dialect.name)
        statement = select(*groups, func.count()).where(*which, column.exit_status != 0)
        with reading(self._engine) as connection:
            return list(map(ExitStatus._make, connection.execute(statement.group_by(*groups))))


class Analyses:
    """What all transcripts come to. Threads may share it. Every method may raise StoreError."""

    def __init__(self, engine: Engine):
        self._engine = engine

    def version(self) -> int:
        """Moves with every change of analyses and tool calls."""
        newest = select(func.coalesce(func.max(analysis.c.version), 0))
        with reading(self._engine) as connection:
            return connection.execute(newest).scalar_one()

    def since(self, version: int = 0) -> list[Analysis]:
        """Those that changed after a version of the store."""
        return self._found(select(*_FACTS).where(analysis.c.version > version))

    def problems(self) -> list[Analysis]:
        """Those of transcripts that can't be read."""
        return self._found(select(*_FACTS).where(analysis.c.problem.is_not(None)))

    def readable(self, machine: str, since: int = 0) -> list[Session]:
        """The sessions of a machine's own files that changed after a version of the store.

        Of each only what tells where its transcript is and whether it moved on.
        """
        columns = [session.c[name] for name in _TELLING]
        own = (session.c.machine == machine, session.c.server.is_(None))
        statement = select(*columns).where(*own, session.c.source_path != "")
        with reading(self._engine) as connection:
            rows = connection.execute(statement.where(session.c.version > since))
            return objects(Session, rows)

    def marks(self) -> dict[str, str]:
        """How far each session's transcript was read, by the session's key."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(analysis.c.session_key, analysis.c.mark))
            return {row.session_key: row.mark for row in rows}

    def _found(self, statement: Select[Any]) -> list[Analysis]:
        with reading(self._engine) as connection:
            rows = connection.execute(statement.order_by(analysis.c.session_key))
            return objects(Analysis, rows)


def forget(connection: Connection, session_keys: Select[Any]) -> None:
    """Delete what is known of sessions; copies of their calls count from then on."""
    keys = select(tool_call.c.key).where(tool_call.c.session_key.in_(session_keys))
    shared = select(tool_call.c.key).where(tool_call.c.key.in_(keys), tool_call.c.is_copy)
    moved = set(connection.execute(shared).scalars())
    for table in (tool_call, analysis):
        connection.execute(delete(table).where(table.c.session_key.in_(session_keys)))
    mark_copies(connection, moved)


def mark_copies(connection: Connection, keys: Iterable[str]) -> None:
    """Of each call in `keys`, let one claim count."""
    column = tool_call.c
    waits = case((column.outcome == "pending", 1), else_=0)
    names = (column.key, column.session_key, column.is_copy)
    order = (column.key, waits, column.owner_rank, column.session_key)
    changed: list[dict[str, Any]] = []
    for some in _pieces(sorted(keys)):
        rows = connection.execute(select(*names).where(column.key.in_(some)).order_by(*order))
        for _, claims in groupby(rows, key=lambda row: row.key):
            changed += [
                {"one": row.key, "of": row.session_key, "flag": place > 0}
                for place, row in enumerate(claims)
                if row.is_copy != (place > 0)
            ]
    if changed:
        which = (column.key == bindparam("one"), column.session_key == bindparam("of"))
        connection.execute(
            update(tool_call).where(*which).values(is_copy=bindparam("flag")), changed
        )


def _present(connection: Connection, keys: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for some in _pieces(keys):
        found |= set(
            connection.execute(select(session.c.key).where(session.c.key.in_(some))).scalars()
        )
    return found


def _known_calls(connection: Connection, session_key: str) -> dict[str, ToolCall]:
    statement = select(*_OWN).where(tool_call.c.session_key == session_key)
    rows = connection.execute(statement.order_by(tool_call.c.at, tool_call.c.key)).mappings()
    return {
        row["key"]: ToolCall(**{**row, "owner_rank": row["owner_rank"] + session_key})
        for row in rows
    }


def _replace_calls(connection: Connection, session_key: str, calls: Sequence[ToolCall]) -> set[str]:
    """Write what differs from the known calls of a session; return the keys of it."""
    known = _known_calls(connection, session_key)
    told = {call.key: call for call in calls}
    new = [call for key, call in told.items() if known.get(key) != call]
    moved = {call.key for call in new}
    old = (known.keys() - told.keys()) | (known.keys() & moved)
    if old:
        which = (tool_call.c.key == bindparam("one"), tool_call.c.session_key == session_key)
        connection.execute(delete(tool_call).where(*which), [{"one": key} for key in old])
    if new:
        rows = [
            msgspec.structs.asdict(call)
            | {"owner_rank": call.owner_rank.removesuffix(session_key), "is_copy": False}
            for call in new
        ]
        connection.execute(insert(tool_call), rows)
    return moved | old


def _replace_analyses(connection: Connection, found: Sequence[Analysis], version: int) -> None:
    for some in _pieces(found):
        keys = [one.session_key for one in some]
        connection.execute(delete(analysis).where(analysis.c.session_key.in_(keys)))
        rows = [msgspec.structs.asdict(one) | {"version": version} for one in some]
        connection.execute(insert(analysis), rows)


def _pieces(values: Sequence[_T]) -> Iterable[Sequence[_T]]:
    return (values[start : start + _MANY] for start in range(0, len(values), _MANY))


def _percentiles(
    connection: Connection,
    which: list[ColumnElement[bool]],
    tool: str,
    mcp_server: str | None,
    timed: int,
) -> tuple[float | None, float | None]:
    """Median and 90th percentile (nearest rank) of how long `timed` calls of a tool took.

    Taken from an index in their order: to sort a million calls takes seconds.
    """
    if not timed:
        return None, None
    column = tool_call.c
    same = (column.tool == tool, column.mcp_server.is_not_distinct_from(mcp_server))
    took = select(column.duration_ms).where(*same, column.duration_ms.is_not(None), *which)
    in_order = took.order_by(column.duration_ms)

    def at(place: int, count: int = 1) -> float:
        some = connection.execute(in_order.limit(count).offset(place)).scalars().all()
        return sum(some) / len(some)

    return at((timed - 1) // 2, 2 - timed % 2), at(-(-timed * 9 // 10) - 1)


def _conditions(wanted: CallFilter, dialect: str) -> list[ColumnElement[bool]]:
    column = tool_call.c
    found: list[ColumnElement[bool]] = [column.is_copy.is_(False)]
    if wanted.start is not None:
        found.append(column.at >= wanted.start)
    if wanted.end is not None:
        found.append(column.at < wanted.end)
    for value, values in ((column.model, wanted.models), (column.session_key, wanted.session_keys)):
        if values is not None:
            found.append(value.in_(_listed(values, dialect)))
    return found


def _listed(values: Collection[str], dialect: str) -> Select[Any]:
    """Any number of words as one parameter."""
    words = literal(msgspec.json.encode([storable(value) for value in values]).decode(), Text())
    if dialect == "sqlite":
        return select(func.json_each(words).table_valued("value").c.value)
    # Imported here: a store in a file has no use for it.
    from sqlalchemy.dialects.postgresql import JSONB  # noqa: PLC0415

    return select(func.jsonb_array_elements_text(cast(words, JSONB)).column_valued("value"))
