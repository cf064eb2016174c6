"""How an incoming row meets the stored one: one SQL statement a table, the same on every database.

A statement changes a row only where the row would differ afterwards, so that the number of
changed rows tells whether anything is new. Requests merge to the same row in whatever order
their copies arrive, and however often.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import (
    Column,
    ColumnElement,
    Dialect,
    Table,
    and_,
    case,
    func,
    literal_column,
    null,
    or_,
    tuple_,
)
from sqlalchemy.dialects import sqlite

from lib.model import Evidence, FileState, Request, Session
from lib.store_schema import evidence, file, request, session
from lib.store_types import Words, storable_column

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

Excluded = Any
"""The incoming row's columns, by name."""

Conversion = Callable[[Sequence[Any]], Iterable[Any]]
"""From a column's Python values to the database's."""


class Upsert:
    """One table's statement, compiled once, for rows as plain tuples.

    A row is the fields of a struct, and the version where the table has one.
    """

    def __init__(
        self,
        table: Table,
        fields: tuple[str, ...],
        dialect: Dialect,
        new_values: Callable[[Excluded], dict[str, Any]],
        condition: Callable[[Excluded], ColumnElement[bool]],
    ):
        insert = insert_into(table, dialect)
        statement = insert.on_conflict_do_update(
            index_elements=list(table.primary_key),
            set_=new_values(insert.excluded),
            where=condition(insert.excluded),
        )
        self._fields = fields
        names = [*fields, "version"] if "version" in table.c else list(fields)
        self._columns = [
            (column.name, _conversion(column, dialect))
            for column in table.columns
            if column.name in names
        ]
        self.sql = str(statement.compile(dialect=dialect, column_keys=names))

    def rows(
        self, structs: Sequence[msgspec.Struct], **given: Sequence[Any]
    ) -> list[tuple[Any, ...]]:
        """One tuple a struct. `given` columns replace the structs' fields, or are none of them."""
        # By column, not by row: most columns of a hundred thousand rows need no conversion.
        if not structs:
            return []
        fields = zip(*map(msgspec.structs.astuple, structs), strict=True)
        values = {**dict(zip(self._fields, fields, strict=False)), **given}
        columns = [convert(values[name]) for name, convert in self._columns]
        return list(zip(*columns, strict=True))


def insert_into(table: Table, dialect: Dialect) -> "sqlite.Insert | postgresql.Insert":
    """An INSERT of this database, which can say what is to be done with a row that is there."""
    if dialect.name == "postgresql":
        # Imported here: its drivers are a seventh of what a daemon with a file imports.
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415

        return postgresql.insert(table)
    return sqlite.insert(table)


def _conversion(column: Column[Any], dialect: Dialect) -> Conversion:
    if isinstance(column.type, Words):
        return storable_column
    one = column.type.dialect_impl(dialect).bind_processor(dialect)
    return partial(map, one) if one else iter


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


def file_upsert(dialect: Dialect) -> Upsert:
    """The newest state of a file replaces the stored one."""
    return Upsert(
        file,
        FileState.__struct_fields__,
        dialect,
        lambda new: _all_but_key(file, new),
        lambda new: _differs(file, new),
    )


def session_upsert(dialect: Dialect) -> Upsert:
    """Of two files that tell the same session (an archived copy), the one active later counts.

    A file that was read again always replaces what it said before.
    """
    nothing = literal_column("0")
    return Upsert(
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


def evidence_upsert(dialect: Dialect) -> Upsert:
    """A claim that only repeats the stored one leaves it, and when it was first observed, alone."""
    return Upsert(
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


def request_upsert(dialect: Dialect) -> Upsert:
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

    return Upsert(
        request,
        Request.__struct_fields__,
        dialect,
        new_values,
        lambda new: or_(owner_changes(new), content_changes(new)),
    )


def request_rows(
    upsert: Upsert, requests: Sequence[Request], version: int
) -> list[tuple[Any, ...]]:
    """Rows for `request_upsert`.

    A rank ends in the session's key, which stands beside it and decides between equal ranks:
    without it a row is a third smaller.
    """
    ranks = [one.owner_rank.removesuffix(one.session_key) for one in requests]
    return upsert.rows(requests, owner_rank=ranks, version=[version] * len(requests))


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
