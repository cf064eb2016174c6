"""How an incoming row meets the stored one: one SQL statement a table, the same on every database.

A statement changes a row only where the row would differ afterwards, so that the number of
changed rows tells whether anything is new. Requests merge to the same row in whatever order
their copies arrive, and however often.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    CompoundSelect,
    Dialect,
    Insert,
    Select,
    Table,
    Update,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal_column,
    null,
    or_,
    select,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.dialects import sqlite

from lib.model import DaemonRow, Event, Evidence, FileState, Request, Session, SourceRow
from lib.store_schema import (
    daemon,
    event,
    evidence,
    file,
    request,
    session,
    source,
    store_state,
)
from lib.store_statements import Kind, Replacement, RowStatement, Statements, VersionStatement
from lib.store_types import Json, Whole, Words

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

Excluded = Any
"""The incoming row's columns, by name."""

_NOW: Any = bindparam("now", type_=BigInteger())
"""The version of the transaction."""


def statements(dialect: Dialect) -> Statements:
    """All that a collector writes with, for one database."""
    changed_calls = request.c.version == _NOW
    calls = union_all(
        select(request.c.session_key).where(changed_calls),
        select(request.c.previous_session_key).where(changed_calls),
    )
    claims = select(evidence.c.session_key).where(evidence.c.version == _NOW)
    return Statements(
        files=_file_upsert(dialect),
        sessions=_session_upsert(dialect),
        requests=_request_upsert(dialect),
        evidence=_evidence_upsert(dialect),
        events=_insertion(event, Event, dialect),
        daemon=_replacement(daemon, DaemonRow, dialect),
        source=_replacement(source, SourceRow, dialect),
        mark_sessions_of_requests=_marking(calls, dialect),
        mark_sessions_of_evidence=_marking(claims, dialect),
        set_version=_of_version(update(store_state).values(version=_NOW), dialect),
    )


def _upsert(
    table: Table,
    fields: tuple[str, ...],
    dialect: Dialect,
    new_values: Callable[[Excluded], dict[str, Any]],
    condition: Callable[[Excluded], ColumnElement[bool]],
) -> RowStatement:
    adding = insert_into(table, dialect)
    statement = adding.on_conflict_do_update(
        index_elements=list(table.primary_key),
        set_=new_values(adding.excluded),
        where=condition(adding.excluded),
    )
    names = [*fields, "version"] if "version" in table.c else list(fields)
    return _of_rows(statement, table, fields, names, dialect)


def _insertion(table: Table, kind: type[msgspec.Struct], dialect: Dialect) -> RowStatement:
    fields = kind.__struct_fields__
    # The database gives an event its id.
    names = [name for name in fields if name != "id"]
    return _of_rows(insert(table), table, fields, names, dialect)


def _replacement(table: Table, kind: type[msgspec.Struct], dialect: Dialect) -> Replacement:
    removal = delete(table).where(table.c.machine == bindparam("of_machine"))
    return Replacement(str(removal.compile(dialect=dialect)), _insertion(table, kind, dialect))


def _of_rows(
    statement: Insert, table: Table, fields: tuple[str, ...], names: list[str], dialect: Dialect
) -> RowStatement:
    columns: list[tuple[str, Kind]] = [
        (str(column.name), _kind(column)) for column in table.columns if column.name in names
    ]
    return RowStatement(str(statement.compile(dialect=dialect, column_keys=names)), fields, columns)


def _kind(column: Column[Any]) -> Kind:
    match column.type:
        case Words():
            return "words"
        case Json():
            return "json"
        case Whole():
            return "whole"
        case _:
            return "as_is"


def _marking(keys: Select[Any] | CompoundSelect[Any], dialect: Dialect) -> VersionStatement:
    """Readers look again at the sessions of these keys."""
    older = session.c.version < _NOW
    changed = update(session).where(session.c.key.in_(keys), older).values(version=_NOW)
    return _of_version(changed, dialect)


def _of_version(statement: Update, dialect: Dialect) -> VersionStatement:
    compiled = statement.compile(dialect=dialect)
    names: list[str] = cast(Any, compiled).positiontup
    return VersionStatement(str(compiled), len(names))


def insert_into(table: Table, dialect: Dialect) -> "sqlite.Insert | postgresql.Insert":
    """An INSERT of this database, which can say what is to be done with a row that is there."""
    if dialect.name == "postgresql":
        # Imported here: its drivers are a seventh of what a daemon with a file imports.
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415

        return postgresql.insert(table)
    return sqlite.insert(table)


def _all_but_key(table: Table, excluded: Excluded) -> dict[str, Any]:
    return {
        column.name: excluded[column.name] for column in table.columns if not column.primary_key
    }


def _differs(table: Table, excluded: Excluded, *ignored: str) -> ColumnElement[bool]:
    return or_(
        *(
            column.is_distinct_from(excluded[column.name])
            for column in table.columns
            if not column.primary_key and column.name not in ignored
        )
    )


def _file_upsert(dialect: Dialect) -> RowStatement:
    """The newest state of a file replaces the stored one."""
    return _upsert(
        file,
        FileState.__struct_fields__,
        dialect,
        lambda new: _all_but_key(file, new),
        lambda new: _differs(file, new),
    )


def _session_upsert(dialect: Dialect) -> RowStatement:
    """Of two files that tell the same session (an archived copy), the one active later counts.

    A file that was read again always replaces what it said before.
    """
    nothing = literal_column("0")
    return _upsert(
        session,
        Session.__struct_fields__,
        dialect,
        lambda new: _all_but_key(session, new),
        lambda new: and_(
            or_(
                func.coalesce(new.last_activity_at, nothing)
                >= func.coalesce(session.c.last_activity_at, nothing),
                and_(
                    new.source_path == session.c.source_path,
                    new.machine == session.c.machine,
                ),
            ),
            _differs(session, new, "version"),
        ),
    )


def _evidence_upsert(dialect: Dialect) -> RowStatement:
    """A claim that only repeats the stored one leaves it, and when it was first observed, alone."""
    return _upsert(
        evidence,
        Evidence.__struct_fields__,
        dialect,
        lambda new: _all_but_key(evidence, new),
        lambda new: _differs(evidence, new, "version", "observed_at"),
    )


_OWNER = ("owner_rank", "session_key")
_CONTENT = (
    "at",
    "model",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
    "web_search_requests",
    "service_tier",
    "speed",
    "region",
    "reported_cost_usd",
    "attribution",
    "provider_total",
)


def _request_upsert(dialect: Dialect) -> RowStatement:
    """Copies of one call become one row: its owner by rank, its content from the fullest copy.

    The two are chosen apart: the smallest rank owns the call, and the copy with the most
    output, then the most input of all kinds, tells what it was (a streamed call is recorded
    several times as it grows, in files that may be copies of each other). Content is taken
    whole. Every column takes part in the order, so that no two different copies are equal.
    """
    old = request.c
    old_owner = tuple_(old.owner_rank, old.session_key)
    old_source = {
        "content_rank": func.coalesce(old.content_rank, old.owner_rank),
        "content_session_key": func.coalesce(old.content_session_key, old.session_key),
    }

    def owner_changes(new: Excluded) -> ColumnElement[bool]:
        return tuple_(new.owner_rank, new.session_key) < old_owner

    def content_changes(new: Excluded) -> ColumnElement[bool]:
        # The smaller claim wins, so the two claims stand on each other's side.
        return tuple_(*_fullness(new), *old_source.values(), *_remainder(new)) > tuple_(
            *_fullness(old), new.owner_rank, new.session_key, *_remainder(old)
        )

    def new_values(new: Excluded) -> dict[str, Any]:
        owner, content = owner_changes(new), content_changes(new)
        new_source = {"content_rank": new.owner_rank, "content_session_key": new.session_key}
        from_owner = and_(content, tuple_(new.owner_rank, new.session_key) <= old_owner)
        return {
            **{name: case((owner, new[name]), else_=old[name]) for name in _OWNER},
            **{name: case((content, new[name]), else_=old[name]) for name in _CONTENT},
            **{
                name: case((from_owner, null()), (content, new_source[name]), else_=before)
                for name, before in old_source.items()
            },
            # Several copies may come in one transaction; readers knew the owner before it.
            "previous_session_key": case(
                (old.version == new.version, old.previous_session_key), else_=old.session_key
            ),
            "version": new.version,
        }

    return _upsert(
        request,
        Request.__struct_fields__,
        dialect,
        new_values,
        lambda new: or_(owner_changes(new), content_changes(new)),
    )


def _fullness(row: Excluded) -> list[ColumnElement[Any]]:
    return [
        row.output_tokens,
        row.input_tokens
        + row.cache_read_tokens
        + row.cache_write_5m_tokens
        + row.cache_write_1h_tokens,
    ]


def _remainder(row: Excluded) -> list[ColumnElement[Any]]:
    unknown_number, unknown_word = literal_column("-1"), literal_column("''")
    return [
        func.coalesce(row.at, unknown_number),
        row.reasoning_tokens,
        row.web_search_requests,
        row.input_tokens,
        row.cache_read_tokens,
        row.cache_write_5m_tokens,
        func.coalesce(row.reported_cost_usd, unknown_number),
        func.coalesce(row.provider_total, unknown_number),
        *(
            func.coalesce(word, unknown_word)
            for word in (row.model, row.service_tier, row.speed, row.region, row.attribution)
        ),
    ]
