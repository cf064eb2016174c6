"""What a collector writes, as statements of one database and rows as plain tuples.

The statements are made from the tables by `lib.store_merge`, once for each database.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from lib.model import DaemonRow, Request, SourceRow
from lib.storable import storable_column
from lib.store_rows import Batch

Kind = Literal["as_is", "words", "json", "whole"]
"""What a column's values must become: see the types of `lib.store_types`."""

Send = Callable[[str, Sequence[Sequence[Any]]], int]
"""Runs a statement for each row, in the transaction under way; tells how many rows changed."""


def _json_column(values: Sequence[Any]) -> Iterable[str]:
    return (msgspec.json.encode(value).decode() for value in values)


def _whole_column(values: Sequence[int | None]) -> Iterable[str | None]:
    return (None if value is None else str(value) for value in values)


_CONVERSIONS: Mapping[Kind, Callable[[Sequence[Any]], Iterable[Any]]] = {
    "as_is": iter,
    "words": storable_column,
    "json": _json_column,
    "whole": _whole_column,
}


class RowStatement(msgspec.Struct):
    """A statement for rows of one table, made from structs.

    A row is the fields of a struct, and the version where the table has one.
    """

    sql: str
    fields: tuple[str, ...]
    """Of the struct, in its order."""
    columns: list[tuple[str, Kind]]
    """What the statement takes, in its order."""

    def rows(
        self, structs: Sequence[msgspec.Struct], **given: Sequence[Any]
    ) -> list[tuple[Any, ...]]:
        """One tuple a struct. `given` columns replace the structs' fields, or are none of them."""
        # By column, not by row: most columns of a hundred thousand rows need no conversion.
        if not structs:
            return []
        fields = zip(*map(msgspec.structs.astuple, structs), strict=True)
        values = {**dict(zip(self.fields, fields, strict=True)), **given}
        columns = [_CONVERSIONS[kind](values[name]) for name, kind in self.columns]
        return list(zip(*columns, strict=True))


class VersionStatement(msgspec.Struct):
    """A statement whose parameters are all the version of the transaction."""

    sql: str
    parameters: int

    def row(self, version: int) -> tuple[int, ...]:
        """Its parameters."""
        return (version,) * self.parameters


class Replacement(msgspec.Struct):
    """How all rows of some machines in one table are replaced."""

    delete: str
    """Takes one machine."""
    insert: RowStatement


class Statements(msgspec.Struct):
    """All that a collector writes with."""

    files: RowStatement
    sessions: RowStatement
    requests: RowStatement
    evidence: RowStatement
    events: RowStatement
    daemon: Replacement
    source: Replacement
    mark_sessions_of_requests: VersionStatement
    mark_sessions_of_evidence: VersionStatement
    set_version: VersionStatement


def write_batch(send: Send, statements: Statements, batch: Batch, version: int) -> bool:
    """Write all of `batch` as of `version`; return whether anything was new."""

    def sent(statement: RowStatement, rows: list[tuple[Any, ...]]) -> bool:
        return bool(rows) and send(statement.sql, rows) > 0

    def mark(statement: VersionStatement) -> None:
        send(statement.sql, [statement.row(version)])

    files = sent(statements.files, statements.files.rows(batch.files))
    versions = [version] * len(batch.sessions)
    visible = sent(statements.sessions, statements.sessions.rows(batch.sessions, version=versions))
    if sent(statements.requests, _request_rows(statements.requests, batch.requests, version)):
        mark(statements.mark_sessions_of_requests)
        visible = True
    versions = [version] * len(batch.evidence)
    if sent(statements.evidence, statements.evidence.rows(batch.evidence, version=versions)):
        mark(statements.mark_sessions_of_evidence)
        visible = True
    if batch.events:
        send(statements.events.sql, statements.events.rows(batch.events))
        visible = True
    if visible:
        mark(statements.set_version)
    return files or visible


def replace_rows(
    send: Send, replacement: Replacement, rows: Sequence[DaemonRow | SourceRow]
) -> None:
    """Put `rows` in the place of all rows of their machines."""
    if rows:
        send(replacement.delete, [(machine,) for machine in {row.machine for row in rows}])
        send(replacement.insert.sql, replacement.insert.rows(rows))


def _request_rows(
    statement: RowStatement, requests: Sequence[Request], version: int
) -> list[tuple[Any, ...]]:
    """A rank ends in the session's key, which stands beside it and decides between equal ranks:
    without it a row is a third smaller.
    """
    ranks = [one.owner_rank.removesuffix(one.session_key) for one in requests]
    return statement.rows(requests, owner_rank=ranks, version=[version] * len(requests))
