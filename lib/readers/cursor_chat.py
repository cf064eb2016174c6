"""A session of Cursor's command line: one small database, read whole when it changed.

`meta` holds under the key `0` what the session is, as JSON that may be written in hexadecimal;
`blobs` holds the messages as JSON, in the order of their row numbers, between records of the
turn in another encoding. `meta.json` beside has the title. Cursor publishes no format; this is
what readers of it agree on for 2026.06: `{role,content[{type:text|tool-call|tool-result}]}`.
"""

import re
import sqlite3
from collections.abc import Iterator
from hashlib import md5
from pathlib import Path
from typing import Any

from lib.model import NO_LOCAL_TOKENS, FileFacts, FileState, Session
from lib.readers import drift, vocabulary
from lib.readers.databases import DamagedDatabase, reading
from lib.readers.documents import read_beside
from lib.readers.values import (
    TITLE_LENGTH,
    Unreadable,
    as_list,
    as_object,
    as_text,
    as_time,
    as_word,
    decode_object,
    path_name,
)
from lib.readers.wording import call_text

AGENT = "cursor"

_NOT_CURSOR = "not a layout of Cursor's database that is known"
_TOO_LARGE = "record over 4 MiB"
_MAXIMUM_RECORD = 1 << 22
_MAXIMUM_PENDING = 64
_QUERY = re.compile(r"<user_query>(.*?)(?:</user_query>|\Z)", re.DOTALL)
_INJECTED = re.compile(r"\s*<(?:user_info|system_reminder|environment)", re.IGNORECASE)
_WORKSPACE = re.compile(r"^Workspace Path:[ \t]*(\S.*)$", re.MULTILINE)
_NEW = "New Agent"
"""The name of every session before it is given one."""


def read(path: Path, state: FileState) -> FileFacts:
    """Facts of the session.

    Raises DatabaseError (an OSError) where the database can't be read now, DamagedDatabase
    where it won't be until it changes.
    """
    state.records, state.skipped, state.skips, state.unknown = 0, {}, [], {}
    with reading(path) as connection:
        tables = {str(row[0]) for row in connection.execute("SELECT name FROM sqlite_master")}
        if not {"meta", "blobs"} <= tables:
            raise DamagedDatabase(_NOT_CURSOR)
        session = _described(path, _record(connection), state)
        conversation = _Conversation(session)
        for message in _messages(connection, state):
            conversation.take(message)
    state.session_key = session.key
    return FileFacts(state, session, [])


def _described(path: Path, record: dict[str, Any], state: FileState) -> Session:
    own = path_name(path.parent.name)
    beside = read_beside(path.parent / "meta.json")
    title = as_text(beside.get("title"), TITLE_LENGTH) or as_text(record.get("name"), TITLE_LENGTH)
    started = as_time(beside.get("createdAtMs")) or as_time(record.get("createdAt"))
    written = as_time(state.mtime_ns // 1_000_000)
    return Session(
        key=f"{AGENT}:{own}",
        agent=AGENT,
        session_id=own,
        source_path=path_name(path),
        project_path=as_word(record.get("workspacePath")),
        title=None if title == _NEW else title,
        model=as_word(record.get("lastUsedModel")),
        entrypoint="cli",
        started_at=started,
        last_activity_at=as_time(beside.get("updatedAtMs")) or written,
        turn="idle",
        flags=[NO_LOCAL_TOKENS],
    )


def _record(connection: sqlite3.Connection) -> dict[str, Any]:
    """What the session is; empty where that can't be read."""
    row = connection.execute("SELECT value FROM meta WHERE key = '0'").fetchone()
    value = row[0] if row else None
    text = value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")
    try:
        return decode_object(text if text[:1] == b"{" else bytes.fromhex(text.decode("ascii")))
    except (Unreadable, ValueError):
        return {}


def _messages(connection: sqlite3.Connection, state: FileState) -> Iterator[dict[str, Any]]:
    for (data,) in connection.execute(
        "SELECT CASE WHEN length(data) <= ? THEN cast(data AS blob) END FROM blobs "
        "WHERE cast(substr(data, 1, 1) AS blob) = x'7b' ORDER BY rowid",
        (_MAXIMUM_RECORD,),
    ):
        state.records += 1
        try:
            if data is None:
                raise Unreadable(_TOO_LARGE)  # noqa: TRY301 - counted like the others
            message = decode_object(data)
        except Unreadable as error:
            state.skipped[str(error)] = state.skipped.get(str(error), 0) + 1
            continue
        drift.check(state, "role", message.get("role"), vocabulary.CURSOR_ROLES)
        yield message


class _Conversation:
    """The messages of a session, one after the other."""

    def __init__(self, session: Session):
        self._session = session
        self._pending: dict[str, str] = {}

    def take(self, message: dict[str, Any]) -> None:
        """Take one message."""
        session = self._session
        at = as_time(message.get("createdAt"))
        session.last_activity_at = max(session.last_activity_at or 0, at or 0) or None
        content = message.get("content")
        blocks = [as_object(block) for block in as_list(content)]
        texts = [content] if isinstance(content, str) else [block.get("text") for block in blocks]
        text = "\n".join(text for text in texts if isinstance(text, str))
        match message.get("role"):
            case "user":
                self._users(text, at)
            case "assistant":
                self._answer(message, blocks, text)
            case "tool":
                for block in blocks:
                    self._pending.pop(as_word(block.get("toolCallId")) or "", None)
                session.turn = "running"
                session.turn_detail = next(reversed(self._pending.values()), None)
            case _:
                pass

    def _users(self, text: str, at: int | None) -> None:
        session = self._session
        if session.project_path is None:
            session.project_path = _workspace(text, Path(session.source_path))
        query = _QUERY.search(text)
        if query is None and _INJECTED.match(text):
            return
        session.turns += 1
        session.turn, session.turn_detail, session.turn_started_at = "running", None, at
        session.first_prompt = session.first_prompt or as_text(query[1] if query else text)
        self._pending.clear()

    def _answer(self, message: dict[str, Any], blocks: list[dict[str, Any]], text: str) -> None:
        session = self._session
        options = as_object(as_object(message.get("providerOptions")).get("cursor"))
        session.model = as_word(options.get("modelName")) or session.model
        session.last_message = as_text(text) or session.last_message
        self._pending.clear()
        for block in blocks:
            call = as_word(block.get("toolCallId"))
            if block.get("type") == "tool-call" and call and len(self._pending) < _MAXIMUM_PENDING:
                self._pending[call] = call_text(as_word(block.get("toolName")), block.get("args"))
        session.turn = "running" if self._pending else "idle"
        session.turn_detail = next(reversed(self._pending.values()), None)


def _workspace(text: str, path: Path) -> str | None:
    """The working folder that Cursor told the model, if it is the one the chat's folder hashes."""
    found = _WORKSPACE.search(text[:100_000])
    folder = as_word(found[1].rstrip(" \t")) if found else None
    if folder is None:
        return None
    name = md5(folder.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()
    return folder if name == path.parent.parent.name else None
