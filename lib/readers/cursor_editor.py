"""Sessions of Cursor's editor in `state.vscdb`: those that changed since the last reading.

A table of keys and JSON values, gigabytes after a year: `composerData:<session>` is a session,
`bubbleId:<session>:<bubble>` a message or a tool's call. Writing a key removes its row and adds
one behind all others, so that what changed has the greatest row numbers. A call is written when
it begins, as `loading`; while it asks the user, its `additionalData` says so. Cursor publishes no
format; this is what readers of it agree on (`_v` 10 and later, December 2025 to July 2026).
"""

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from lib.model import NO_LOCAL_TOKENS, FileFacts, FileState, Session
from lib.readers import drift, vocabulary
from lib.readers.cursor_chat import AGENT
from lib.readers.databases import DamagedDatabase, reading
from lib.readers.values import (
    TITLE_LENGTH,
    Unreadable,
    as_count,
    as_folder,
    as_list,
    as_object,
    as_text,
    as_time,
    as_word,
    decode_object,
    path_name,
)
from lib.readers.wording import call_text, error_class, one_line

NO_LIFE = "editor_unknown"

_NOT_CURSOR = "not a layout of Cursor's database that is known"
_TOO_LARGE = "record over 16 MiB"
_MAXIMUM_RECORD = 1 << 24
_SESSION = "composerData:"
_BUBBLE = "bubbleId:"
_NEWEST = 12
"""So many of a session's newest bubbles tell what it does."""
_USER = 1


class Kept(msgspec.Struct, omit_defaults=True):
    """How far the database was read."""

    schema: int = -1
    row: int = 0
    """Greatest row number."""


class _Database:
    """One reading of the database: what changed, and of that, everything."""

    def __init__(self, connection: sqlite3.Connection, state: FileState, before: Kept):
        self._connection = connection
        self._state = state
        columns = {str(row[1]) for row in connection.execute("PRAGMA table_info(cursorDiskKV)")}
        if not {"key", "value"} <= columns:
            raise DamagedDatabase(_NOT_CURSOR)
        schema = int(connection.execute("PRAGMA schema_version").fetchone()[0])
        row = int(connection.execute("SELECT max(rowid) FROM cursorDiskKV").fetchone()[0] or 0)
        self.kept = Kept(schema, row)
        self.is_first = schema != before.schema or row < before.row
        self._since = 0 if self.is_first else before.row

    def changed(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Ids and records of the sessions to read."""
        for session_id in sorted(self._touched()):
            record = self._value(f"{_SESSION}{session_id}", count=True)
            if record is not None and (_headers(record) or record.get("conversation")):
                yield session_id, record

    def _touched(self) -> set[str]:
        if self.is_first:
            rows = self._keys(_SESSION)
        else:
            # The row that was the last may have been written anew under its old number.
            rows = self._connection.execute(
                "SELECT key FROM cursorDiskKV WHERE rowid >= ?", (self._since,)
            )
        keys = [key for (key,) in rows if isinstance(key, str)]
        found = {key.removeprefix(_SESSION) for key in keys if key.startswith(_SESSION)}
        found |= {key.split(":")[1] for key in keys if key.startswith(_BUBBLE)}
        return {name for name in found if as_word(name) == name and ":" not in name}

    def bubble(self, session_id: str, bubble_id: object) -> dict[str, Any]:
        """A bubble; empty where it can't be read."""
        return self._value(f"{_BUBBLE}{session_id}:{bubble_id}") or {}

    def newest(self, session_id: str) -> list[dict[str, Any]]:
        """The bubbles that were written last, the newest first."""
        rows = self._keys(f"{_BUBBLE}{session_id}:", f" ORDER BY rowid DESC LIMIT {_NEWEST}")
        values = [self._value(key) for (key,) in rows.fetchall() if isinstance(key, str)]
        return [value for value in values if value is not None]

    def _keys(self, prefix: str, more: str = "") -> sqlite3.Cursor:
        query = f"SELECT key FROM cursorDiskKV WHERE key >= ? AND key < ?{more}"  # noqa: S608
        # The character behind a colon, so that the index answers.
        return self._connection.execute(query, (prefix, f"{prefix[:-1]};"))

    def _value(self, key: str, *, count: bool = False) -> dict[str, Any] | None:
        row = self._connection.execute(
            "SELECT CASE WHEN length(value) <= ? THEN cast(value AS blob) END, value IS NULL "
            "FROM cursorDiskKV WHERE key = ?",
            (_MAXIMUM_RECORD, key),
        ).fetchone()
        if row is None or row[1]:
            return None
        self._state.records += count
        try:
            if row[0] is None:
                raise Unreadable(_TOO_LARGE)  # noqa: TRY301 - counted like the others
            return decode_object(row[0])
        except Unreadable as error:
            if count:
                skipped = self._state.skipped
                skipped[str(error)] = skipped.get(str(error), 0) + 1
            return None


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
    with reading(path) as connection:
        database = _Database(connection, state, before)
        if database.is_first:
            state.records, state.skipped, state.skips, state.unknown = 0, {}, [], {}
        for session_id, record in database.changed():
            drift.check(state, "status", record.get("status"), vocabulary.CURSOR_STATUSES)
            sessions.append(_tell(path, session_id, record, database))
    state.reader_state = msgspec.msgpack.encode(database.kept)
    return FileFacts(state, sessions[0] if sessions else None, [], sessions[1:])


def _tell(path: Path, session_id: str, record: dict[str, Any], database: _Database) -> Session:
    prompts = [header for header in _headers(record) if header.get("type") == _USER]
    first = database.bubble(session_id, prompts[0].get("bubbleId")) if prompts else {}
    last = database.bubble(session_id, prompts[-1].get("bubbleId")) if prompts[1:] else first
    session = _described(path, session_id, record)
    session.project_path = session.project_path or as_folder(
        next(iter(as_list(first.get("workspaceUris"))), None)
    )
    session.turns = len(prompts)
    session.first_prompt = as_text(first.get("text"))
    session.turn_started_at = as_time(last.get("createdAt"))
    newest = database.newest(session_id)
    texts = (as_text(one.get("text")) for one in newest if one.get("type") != _USER)
    session.last_message = next((text for text in texts if text), None)
    moments = [session.last_activity_at, *(as_time(one.get("createdAt")) for one in newest)]
    session.last_activity_at = max((at for at in moments if at is not None), default=None)
    _judge(session, record.get("status"), newest)
    return session


def _described(path: Path, session_id: str, record: dict[str, Any]) -> Session:
    parent = as_word(as_object(record.get("subagentInfo")).get("parentComposerId"))
    workspace = as_object(as_object(record.get("workspaceIdentifier")).get("uri"))
    model = as_word(as_object(record.get("modelConfig")).get("modelName"))
    states = [as_object(todo).get("status") for todo in as_list(record.get("todos"))]
    started = as_time(record.get("createdAt"))
    return Session(
        key=f"{AGENT}:{session_id}",
        agent=AGENT,
        session_id=session_id,
        parent_key=f"{AGENT}:{parent}" if parent and parent != session_id else None,
        source_path=path_name(path),
        project_path=as_word(workspace.get("fsPath")) or as_word(workspace.get("path")),
        branch=as_word(record.get("createdOnBranch")),
        title=as_text(record.get("name"), TITLE_LENGTH),
        model=None if model == "default" else model,
        entrypoint="editor",
        started_at=started,
        last_activity_at=as_time(record.get("lastUpdatedAt")) or started,
        todo_done=states.count("completed"),
        todo_total=len(states),
        context_tokens=as_count(record.get("contextTokensUsed")),
        context_window=as_count(record.get("contextTokenLimit")),
        flags=[NO_LOCAL_TOKENS],
    )


def _judge(session: Session, status: object, newest: list[dict[str, Any]]) -> None:
    """Set the turn: how it ended, or what it was at when the editor wrote last."""
    tool = as_object(newest[0].get("toolFormerData")) if newest else {}
    match status:
        case "completed" | "none" | None:
            session.turn = "idle"
        case "aborted" | "cancelled":
            session.turn = "stopped"
        case "error":
            session.turn = "failed"
            details = (as_object(one.get("errorDetails")) for one in newest)
            session.error_message = next(
                (text for one in details if (text := as_text(one.get("message")))), None
            )
            session.error_class = error_class(session.error_message)
        case _:
            session.turn = "unknown"
            session.flags.append(NO_LIFE)
    if tool.get("status") == "loading" and session.turn in ("idle", "unknown"):
        session.turn, session.turn_detail = "unknown", _call(tool)
        session.flags = sorted({*session.flags, NO_LIFE})


def _call(tool: dict[str, Any]) -> str:
    """What a call does, or asks."""
    given: dict[str, Any] = {}
    for name in ("params", "rawArgs"):
        text = tool.get(name)
        if not given and isinstance(text, str):
            with suppress(Unreadable):
                given = decode_object(text.encode("utf-8", "replace"))
    question = as_object(next(iter(as_list(given.get("questions"))), None)).get("prompt")
    return one_line(question) or call_text(as_word(tool.get("name")), given)


def _headers(record: dict[str, Any]) -> list[dict[str, Any]]:
    """The bubbles of a session, in order; of older versions, the messages themselves."""
    headers = as_list(record.get("fullConversationHeadersOnly"))
    return [as_object(one) for one in headers or as_list(record.get("conversation"))]
