"""OpenCode's sessions in `opencode.db` (since 1.2): those that changed since the last reading.

One file holds all sessions, and gigabytes after a year. Neither messages nor parts have an index
on their time, so what changed is found by other marks: new rows have greater row numbers, a
session's own time moves with each prompt, and until a turn has ended its session is read again.
A VACUUM numbers rows anew, and shows in the schema's version.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from lib.model import FileFacts, FileState, Request, Session
from lib.readers.databases import DamagedDatabase, reading
from lib.readers.opencode_records import (
    AGENT,
    Message,
    Part,
    SessionRecord,
    decode_data,
    decode_part,
    note_new,
)
from lib.readers.opencode_session import UNKNOWN_LAYOUT, Told, tell
from lib.readers.values import Unreadable, as_word

_MAXIMUM_RECORD = 1 << 24
_MAXIMUM_PART = 1 << 22
_TOO_LARGE = "record over 16 MiB"
_NOT_OPENCODE = "not a layout of OpenCode's database that is known"
_FRESH_MS = 600_000
"""A title or a summary may come without a sign for so long after a session's last one."""
_OPEN_MS = 86_400_000
"""A turn without any sign for so long is looked at again only when new rows come."""
_MAXIMUM_UNCOUNTED = 1_000
_NEEDED = {"session": {"id"}, "message": {"id", "session_id", "data"}}
_NEWER = "session_message"
"""A table that 1.18 makes and leaves empty: where messages of a later version may be."""
_SESSION_COLUMNS = SessionRecord.__struct_fields__


class Kept(msgspec.Struct, omit_defaults=True):
    """How far the database was read."""

    schema: int = -1
    messages: int = 0
    """Greatest row number of a message that was read."""
    newest: str = ""
    """The id of that message: another one there is in another database, or in one made anew."""
    parts: int = 0
    updated: int = 0
    """Greatest time of a session, as the database has it."""
    open: list[str] = []
    """Sessions whose turn goes on."""
    uncounted: list[str] = []
    """Messages that may still get their usage."""


class _Row(msgspec.Struct):
    number: int
    updated: int
    message: Message


class Database:
    """One reading of the database: what changed, and of that, everything."""

    def __init__(self, connection: sqlite3.Connection, state: FileState, kept: Kept):
        self._connection = connection
        self._state = state
        self._before = kept
        self._columns = {
            table: {str(row[1]) for row in connection.execute(f"PRAGMA table_info({table})")}
            for table in ("session", "message", "part", "todo", _NEWER)
        }
        if any(not needed <= self._columns[table] for table, needed in _NEEDED.items()):
            raise DamagedDatabase(_NOT_OPENCODE)
        schema = int(connection.execute("PRAGMA schema_version").fetchone()[0])
        messages, parts = self._last_row("message"), self._last_row("part")
        is_shorter = messages < kept.messages or parts < kept.parts
        if schema != kept.schema or is_shorter or self._id_at(kept.messages) != kept.newest:
            self._before = Kept(schema)
        self.is_first = self._before.messages == 0
        self.kept = Kept(
            schema,
            messages,
            self._id_at(messages),
            parts,
            self._greatest_time(),
            uncounted=self._before.uncounted,
        )

    def changed(self) -> Iterator[SessionRecord]:
        """Sessions to read, the whole of each."""
        columns = [
            f"cast({name} as text)" if name in ("id", "permission") else name
            for name in _SESSION_COLUMNS
        ]
        wanted = ", ".join(
            column if name in self._columns["session"] else "null"
            for name, column in zip(_SESSION_COLUMNS, columns, strict=True)
        )
        rows = self._connection.execute(f"SELECT {wanted} FROM session")  # noqa: S608
        chosen = None if self.is_first else self._touched()
        for row in rows.fetchall():
            record = SessionRecord(**dict(zip(_SESSION_COLUMNS, row, strict=True)))
            if as_word(record.id) != record.id:
                continue  # Nothing that OpenCode makes, and no database could hold it as a key.
            if chosen is None or record.id in chosen or self._is_fresh(record):
                with suppress(msgspec.DecodeError, RecursionError):
                    record.permission = msgspec.json.decode(str(record.permission))
                yield record

    def _touched(self) -> set[str]:
        touched = set(self._before.open)
        for table, mark in (("message", self._before.messages), ("part", self._before.parts)):
            if "session_id" in self._columns[table]:
                query = f"SELECT DISTINCT session_id FROM {table} WHERE rowid > ?"  # noqa: S608
                touched.update(str(row[0]) for row in self._connection.execute(query, (mark,)))
        return touched

    def _is_fresh(self, record: SessionRecord) -> bool:
        updated = record.time_updated
        return isinstance(updated, int) and updated >= self._before.updated - _FRESH_MS

    def messages(self, session_id: str) -> list[_Row]:
        """The messages of a session. Unreadable ones are counted, once."""
        columns = self._columns["message"]
        created = "time_created" if "time_created" in columns else "null"
        updated = "time_updated" if "time_updated" in columns else "null"
        found: list[_Row] = []
        for number, message_id, at, changed_at, data in self._connection.execute(
            f"SELECT rowid, cast(id as text), {created}, {updated}, "  # noqa: S608
            "CASE WHEN length(data) <= ? THEN cast(data AS blob) END "
            "FROM message WHERE session_id = ?",
            (_MAXIMUM_RECORD, session_id),
        ):
            is_new = number > self._before.messages
            self._state.records += is_new
            try:
                message = Message(str(message_id), at, decode_data(data or b""))
            except Unreadable as error:
                if is_new:
                    self.skip(str(error) if data is not None else _TOO_LARGE)
                continue
            moment = changed_at if isinstance(changed_at, int) else self.kept.updated
            found.append(_Row(number, moment, message))
        return found

    def skip(self, reason: str) -> None:
        """Count a record that could not be read."""
        self._state.skipped[reason] = self._state.skipped.get(reason, 0) + 1

    def count(self, rows: list[_Row], facts: Told) -> list[Request]:
        """Count the usage that is new, and choose the requests to tell: new ones and changed."""
        told: list[Request] = []
        since = self._before.updated - _FRESH_MS
        for row in rows:
            message = row.message
            request = facts.requests.get(message.id)
            awaited = message.id in self.kept.uncounted
            is_new = row.number > self._before.messages
            if is_new or awaited:
                note_new(self._state, message)
            if is_new and message.id in facts.skipped:
                self.skip(facts.skipped[message.id])
            if request is not None and (is_new or awaited):
                self._state.usage_records += 1
            if awaited and (request is not None or not message.is_open):
                self.kept.uncounted.remove(message.id)
            elif is_new and request is None and message.is_open:
                self.kept.uncounted = [*self.kept.uncounted, message.id][-_MAXIMUM_UNCOUNTED:]
            if request is not None and (is_new or awaited or row.updated >= since):
                told.append(request)
        return told

    def parts(self, message_id: str) -> list[Part]:
        """The parts of a message, in order; without the largest, which are files."""
        if not {"id", "message_id", "data"} <= self._columns["part"]:
            return []
        rows = self._connection.execute(
            "SELECT cast(data AS blob) FROM part WHERE message_id = ? AND length(data) <= ? "
            "ORDER BY id",
            (message_id, _MAXIMUM_PART),
        )
        found = (decode_part(message_id, row[0] or b"") for row in rows.fetchall())
        return [part for part in found if part is not None]

    def todos(self, session_id: str) -> list[object]:
        """The status of every to-do of a session."""
        if not {"session_id", "status"} <= self._columns["todo"]:
            return []
        query = "SELECT status FROM todo WHERE session_id = ?"
        return [row[0] for row in self._connection.execute(query, (session_id,))]

    def is_elsewhere(self, session_id: str) -> bool:
        """Whether the messages of a session without any are in the table of a later version."""
        if "session_id" not in self._columns[_NEWER]:
            return False
        query = f"SELECT 1 FROM {_NEWER} WHERE session_id = ? LIMIT 1"  # noqa: S608
        return self._connection.execute(query, (session_id,)).fetchone() is not None

    def origin_of(self, record: SessionRecord, messages: list[Message]) -> str | None:
        """The session that a fork was made of: the oldest that has the first copied message too."""
        if not {"time_created", "session_id"} <= self._columns["message"]:
            return None
        created = record.time_created
        copied = [m for m in messages if m.created and isinstance(created, int)]
        first = min(copied, key=lambda message: message.order, default=None)
        if first is None or not isinstance(created, int) or (first.created or 0) >= created:
            return None
        row = self._connection.execute(
            "SELECT session_id FROM message JOIN session ON session.id = session_id "
            "WHERE message.time_created = ? AND session.time_created < ? "
            "ORDER BY session.time_created LIMIT 1",
            (first.created, created),
        ).fetchone()
        return f"{AGENT}:{row[0]}" if row else None

    def _last_row(self, table: str) -> int:
        if not self._columns[table]:
            return 0
        row = self._connection.execute(f"SELECT max(rowid) FROM {table}").fetchone()  # noqa: S608
        return int(row[0] or 0)

    def _id_at(self, number: int) -> str:
        query = "SELECT cast(id as text) FROM message WHERE rowid = ?"
        row = self._connection.execute(query, (number,)).fetchone()
        return str(row[0]) if row else ""

    def _greatest_time(self) -> int:
        if "time_updated" not in self._columns["session"]:
            return 0
        greatest = self._connection.execute("SELECT max(time_updated) FROM session").fetchone()[0]
        return greatest if isinstance(greatest, int) else 0


def read(path: Path, state: FileState, now: int) -> FileFacts:
    """Facts of every session that changed; `state` is moved on.

    Raises DatabaseError (an OSError) where the database can't be read now, DamagedDatabase
    where it won't be until it changes.
    """
    kept = Kept()
    if state.reader_state:
        with suppress(msgspec.DecodeError):
            kept = msgspec.msgpack.decode(state.reader_state, type=Kept)
    sessions: list[Session] = []
    requests: list[Request] = []
    with reading(path) as connection:
        database = Database(connection, state, kept)
        if database.is_first:
            state.records = state.usage_records = 0
            state.skipped, state.skips, state.unknown = {}, [], {}
        for record in database.changed():
            rows = database.messages(record.id)
            messages = [row.message for row in rows]
            told = tell(record, messages, database, state.path, now)
            told.session.forked_from = database.origin_of(record, messages)
            if not messages and database.is_elsewhere(record.id):
                told.session.flags.append(UNKNOWN_LAYOUT)
            sessions.append(told.session)
            requests += database.count(rows, told)
            active = told.session.last_activity_at or 0
            if told.judgement.is_open and now - active < _OPEN_MS:
                database.kept.open.append(record.id)
            if told.judgement.is_unsettled:
                state.mtime_ns = 0  # Fits no file, so that the next look reads it again.
    state.reader_state = msgspec.msgpack.encode(database.kept)
    first = sessions[0] if sessions else None
    return FileFacts(state, first, requests, sessions[1:])
