"""Goose's sessions in `sessions.db` (since 1.10): those that changed since the last reading.

Since schema 15 every call has a row in `usage_ledger`; before, and for what an older version had
counted, a session has sums only. A row `carried_forward` is such a sum too. Of the rows and
the sums, what the sums have more is what the rows lack.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from lib.model import FileFacts, FileState, Request, Session
from lib.readers import drift, vocabulary
from lib.readers.databases import DamagedDatabase, reading
from lib.readers.goose_session import (
    AGENT,
    AGGREGATE,
    HIDDEN_REQUESTS,
    NO_RUNNING_TOOL,
    Conversation,
    Counts,
    content_of,
    count_todos,
    key_of,
    note_new,
    request_of,
    title_of,
)
from lib.readers.values import (
    Unreadable,
    as_count,
    as_money,
    as_time,
    as_tokens,
    as_word,
    decode_object,
    path_name,
)

_NOT_GOOSE = "not a layout of Goose's database that is known"
_TOO_LARGE = "record over 4 MiB"
_MAXIMUM_RECORD = 1 << 22
_FRESH_MS = 10_000
"""A session's time is written in seconds, and a name may come in the same one."""
_CARRIED = "carried_forward"
_NEEDED = {"sessions": {"id"}, "messages": {"id", "session_id", "role", "content_json"}}
_SUMS = ("input", "output", "total", "cache_read", "cache_write")
_SESSION_COLUMNS = (
    "id", "name", "description", "session_type", "working_dir", "created_at", "updated_at",
    "extension_data", "input_tokens", "model_config_json", "parent_session_id",
    *(f"accumulated_{kind}_tokens" for kind in _SUMS), "accumulated_cost",
)  # fmt: skip
_LEDGER_COLUMNS = (
    "id", "created_timestamp", "model",
    *(f"{kind}_tokens" for kind in _SUMS), "cost", "cost_source",
)  # fmt: skip


class Kept(msgspec.Struct, omit_defaults=True):
    """How far the database was read."""

    schema: int = -1
    messages: int = 0
    """Greatest number of a message that was read."""
    newest: str = ""
    """What that message is: another one there is in another database, or in one made anew."""
    ledger: int = 0
    updated: int = 0
    """Greatest time of a session."""


class _Message(NamedTuple):
    role: object
    at: int | None
    content: list[Any]


class _Database:
    """One reading of the database: what changed, and of that, everything."""

    def __init__(self, path: Path, connection: sqlite3.Connection, state: FileState, before: Kept):
        self._path = path
        self._connection = connection
        self._state = state
        self._columns = {
            table: {str(row[1]) for row in connection.execute(f"PRAGMA table_info({table})")}
            for table in ("sessions", "messages", "usage_ledger")
        }
        if any(not needed <= self._columns[table] for table, needed in _NEEDED.items()):
            raise DamagedDatabase(_NOT_GOOSE)
        schema = int(connection.execute("PRAGMA schema_version").fetchone()[0])
        messages, ledger = self._last("messages"), self._last("usage_ledger")
        is_shorter = messages < before.messages or ledger < before.ledger
        if schema != before.schema or is_shorter or self._at(before.messages) != before.newest:
            before = Kept(schema)
        self._before = before
        self.is_first = before.messages == before.ledger == before.updated == 0
        self._rows = {row["id"]: row for row in self._all_sessions()}
        moments = (as_time(row["updated_at"]) or 0 for row in self._rows.values())
        newest = self._at(messages)
        self.kept = Kept(schema, messages, newest, ledger, max(moments, default=0))

    def _at(self, number: int) -> str:
        query = "SELECT session_id, length(content_json) FROM messages WHERE id = ?"
        row = self._connection.execute(query, (number,)).fetchone()
        return repr(row) if row else ""

    def changed(self) -> Iterator[dict[str, Any]]:
        """Rows of sessions to read, the whole of each."""
        touched: set[object] = set()
        for table, mark in (
            ("messages", self._before.messages),
            ("usage_ledger", self._before.ledger),
        ):
            if "session_id" in self._columns[table]:
                query = f"SELECT DISTINCT session_id FROM {table} WHERE id > ?"  # noqa: S608
                touched.update(row[0] for row in self._connection.execute(query, (mark,)))
        since = self._before.updated - _FRESH_MS
        for session_id, row in self._rows.items():
            is_fresh = (as_time(row["updated_at"]) or 0) >= since
            if self.is_first or is_fresh or session_id in touched:
                yield row

    def tell(self, row: dict[str, Any]) -> tuple[Session, list[Request]]:
        """Everything about a session."""
        session = self._described(row)
        session.turn = "idle"
        conversation = Conversation(session)
        for message in self._messages(session.session_id):
            conversation.take(message.role, message.content, message.at)
        session.forked_from = self._origin(row)
        requests = self._calls(session, row)
        session.flags = sorted(set(session.flags))
        return session, requests

    def _described(self, row: dict[str, Any]) -> Session:
        parent = self._rows.get(row["parent_session_id"])
        config = _decoded(row["model_config_json"])
        session = Session(
            key=self._key(row),
            agent=AGENT,
            session_id=row["id"],
            parent_key=self._key(parent) if parent else None,
            source_path=path_name(self._path),
            project_path=as_word(row["working_dir"]),
            title=title_of(row["name"]) or title_of(row["description"]),
            model=as_word(config.get("model_name")),
            entrypoint=as_word(row["session_type"]),
            started_at=as_time(row["created_at"]),
            last_activity_at=as_time(row["created_at"]),
            context_tokens=as_count(row["input_tokens"]),
            context_window=as_count(config.get("context_limit")),
            flags=[NO_RUNNING_TOOL] if parent else [NO_RUNNING_TOOL, HIDDEN_REQUESTS],
        )
        count_todos(session, _decoded(row["extension_data"]))
        return session

    def _key(self, row: dict[str, Any]) -> str:
        return key_of(row["id"], as_time(row["created_at"]))

    def _all_sessions(self) -> list[dict[str, Any]]:
        wanted = ", ".join(
            name if name in self._columns["sessions"] else "null" for name in _SESSION_COLUMNS
        )
        rows = self._connection.execute(f"SELECT {wanted} FROM sessions")  # noqa: S608
        named = (dict(zip(_SESSION_COLUMNS, row, strict=True)) for row in rows)
        # Any other id Goose does not make, and no database could hold it as a key.
        return [row for row in named if row["id"] and as_word(row["id"]) == row["id"]]

    def _messages(self, session_id: str) -> Iterator[_Message]:
        """What people see of a session, in order. Unreadable messages are counted, once."""
        metadata = "metadata_json" if "metadata_json" in self._columns["messages"] else "null"
        for number, role, at, shown, content in self._connection.execute(
            f"SELECT id, role, {self._created()}, {metadata}, "  # noqa: S608
            "CASE WHEN length(content_json) <= ? THEN cast(content_json AS blob) END "
            "FROM messages WHERE session_id = ? AND id IS NOT NULL "
            f"ORDER BY {self._created()}, id",
            (_MAXIMUM_RECORD, session_id),
        ):
            is_new = number > self._before.messages
            self._state.records += is_new
            try:
                if content is None:
                    raise Unreadable(_TOO_LARGE)  # noqa: TRY301 - counted like the others
                record = decode_object(b'{"content":' + content + b"}")
            except Unreadable as error:
                if is_new:
                    self._skip(str(error))
                continue
            blocks = content_of(record | {"metadata": _decoded(shown)})
            if is_new:
                note_new(self._state, role, blocks)
            if blocks:
                yield _Message(role, as_time(at), blocks)

    def _created(self) -> str:
        has_time = "created_timestamp" in self._columns["messages"]
        return "created_timestamp" if has_time else "null"

    def _origin(self, row: dict[str, Any]) -> str | None:
        """The session this one was copied from: the oldest that has its first message too."""
        if "message_id" not in self._columns["messages"]:
            return None
        found = self._connection.execute(
            "SELECT session_id FROM messages WHERE message_id = ("
            "SELECT message_id FROM messages WHERE session_id = ? ORDER BY id LIMIT 1)",
            (row["id"],),
        )
        having = {session_id for (session_id,) in found}
        holders = [one for one in self._rows.values() if one["id"] in having]
        first = min(holders, key=lambda one: as_time(one["created_at"]) or 0, default=row)
        return None if first is row else self._key(first)

    def _calls(self, session: Session, row: dict[str, Any]) -> list[Request]:
        told: list[Request] = []
        counted = [0] * len(_SUMS)
        begun = session.turn_started_at or 0
        for entry in self._ledger(row["id"]):
            if entry["cost_source"] == _CARRIED:
                continue
            counts = Counts(*(entry[f"{kind}_tokens"] for kind in _SUMS))
            at, is_new = as_time(entry["created_timestamp"]), entry["id"] > self._before.ledger
            try:
                model = as_word(entry["model"]) or session.model
                request = request_of(session, f"{entry['id']}-{at}", counts, at, model)
                counted = [
                    so_far + as_tokens(count) for so_far, count in zip(counted, counts, strict=True)
                ]
            except Unreadable as error:
                if is_new:
                    self._skip(str(error))
                continue
            if request is None:
                continue
            session.model = model or session.model
            session.turn_requests += (at or 0) >= begun
            session.last_activity_at = max(session.last_activity_at or 0, at or 0) or None
            if is_new:
                source = entry["cost_source"]
                drift.check(self._state, "cost source", source, vocabulary.GOOSE_COST_SOURCES)
                self._state.usage_records += 1
                request.reported_cost_usd = as_money(entry["cost"])
                told.append(request)
        rest = self._rest(session, row, counted)
        return told if rest is None else [*told, rest]

    def _rest(self, session: Session, row: dict[str, Any], counted: list[int]) -> Request | None:
        """What was counted before there was a row for each call, as one."""
        try:
            sums = [as_tokens(row[f"accumulated_{kind}_tokens"]) for kind in _SUMS]
            left = [max(0, whole - part) for whole, part in zip(sums, counted, strict=True)]
            # A total that is more than its parts names no kind, and so no price.
            left[2] = 0
            rest = request_of(session, "sum", Counts(*left), session.started_at, session.model)
        except Unreadable as error:
            if self.is_first:
                self._skip(str(error))
            return None
        if rest is not None:
            session.flags.append(AGGREGATE)
            self._state.usage_records += self.is_first
        return rest

    def _ledger(self, session_id: str) -> list[dict[str, Any]]:
        columns = self._columns["usage_ledger"]
        if not {"id", "session_id"} <= columns:
            return []
        wanted = ", ".join(name if name in columns else "null" for name in _LEDGER_COLUMNS)
        rows = self._connection.execute(
            f"SELECT {wanted} FROM usage_ledger "  # noqa: S608
            "WHERE session_id = ? AND id IS NOT NULL ORDER BY id",
            (session_id,),
        )
        return [dict(zip(_LEDGER_COLUMNS, row, strict=True)) for row in rows]

    def _last(self, table: str) -> int:
        if "id" not in self._columns[table]:
            return 0
        last = self._connection.execute(f"SELECT max(id) FROM {table}").fetchone()[0]  # noqa: S608
        if last is not None and not isinstance(last, int):
            raise DamagedDatabase(_NOT_GOOSE)
        return last or 0

    def _skip(self, reason: str) -> None:
        self._state.skipped[reason] = self._state.skipped.get(reason, 0) + 1


def read(path: Path, state: FileState) -> FileFacts:
    """Facts of every session that changed; `state` is moved on.

    Raises DatabaseError (an OSError) where the database can't be read now, DamagedDatabase
    where it won't be until it changes.
    """
    before = Kept()
    if state.reader_state:
        with suppress(msgspec.DecodeError):
            before = msgspec.msgpack.decode(state.reader_state, type=Kept)
    sessions: list[Session] = []
    requests: list[Request] = []
    with reading(path) as connection:
        database = _Database(path, connection, state, before)
        if database.is_first:
            state.records = state.usage_records = 0
            state.skipped, state.skips, state.unknown = {}, [], {}
        for row in database.changed():
            session, calls = database.tell(row)
            sessions.append(session)
            requests += calls
    state.reader_state = msgspec.msgpack.encode(database.kept)
    return FileFacts(state, sessions[0] if sessions else None, requests, sessions[1:])


def _decoded(text: object) -> dict[str, Any]:
    try:
        return decode_object(text.encode("utf-8", "replace")) if isinstance(text, str) else {}
    except Unreadable:
        return {}
