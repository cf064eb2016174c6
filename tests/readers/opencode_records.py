"""OpenCode's records as CLI 1.18.33 writes them, in a database or in files, for tests."""

import json
import sqlite3
from pathlib import Path
from typing import Any

from lib.model import FileFacts, FileState, Session
from lib.readers import opencode

START = 1_795_360_000_000

SCHEMA = """
CREATE TABLE session (id text PRIMARY KEY, project_id text, parent_id text, slug text,
  directory text, title text, version text, permission text, time_created integer,
  time_updated integer);
CREATE TABLE message (id text PRIMARY KEY, session_id text NOT NULL, time_created integer,
  time_updated integer, data text NOT NULL);
CREATE TABLE part (id text PRIMARY KEY, message_id text NOT NULL, session_id text NOT NULL,
  time_created integer, time_updated integer, data text NOT NULL);
CREATE TABLE todo (session_id text, content text, status text, priority text, position integer,
  PRIMARY KEY (session_id, position));
CREATE INDEX message_session_time_created_id_idx ON message (session_id, time_created, id);
CREATE INDEX part_message_id_id_idx ON part (message_id, id);
"""


def tokens(given: int, output: int, read: int = 0, reasoning: int = 0) -> dict[str, Any]:
    """Counts of one step."""
    return {
        "total": given + output + read + reasoning,
        "input": given,
        "output": output,
        "reasoning": reasoning,
        "cache": {"read": read, "write": 0},
    }


def user(second: float = 0) -> dict[str, Any]:
    """A prompt's record."""
    return {"role": "user", "time": {"created": at(second)}}


def answer(second: float, counted: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """An answer's record; without counts, one that is still made."""
    times = {"created": at(second)}
    record = {
        "role": "assistant",
        "modelID": "m-1",
        "providerID": "fake",
        "tokens": tokens(0, 0) | {"total": 0},
        "time": times,
    }
    if counted is not None:
        times["completed"] = at(second + 1)
        record |= {"tokens": counted, "finish": "stop"}
    return record | more


def text(words: str, **more: Any) -> dict[str, Any]:
    """A part with text."""
    return {"type": "text", "text": words, **more}


def tool(name: str, status: str, **state: Any) -> dict[str, Any]:
    """A part with a tool call."""
    return {"type": "tool", "tool": name, "state": {"status": status, **state}}


def at(second: float) -> int:
    """Milliseconds so many seconds after the start."""
    return START + int(second * 1000)


class Database:
    """A database that is written to like OpenCode's: in WAL mode, one connection kept open."""

    def __init__(self, folder: Path, name: str = "opencode.db", *, wal: bool = True):
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / name
        self.connection = sqlite3.connect(self.path, isolation_level=None)
        if wal:
            self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("PRAGMA synchronous=OFF")
        self.connection.executescript(f"BEGIN; {SCHEMA} COMMIT")
        self._parts = 0

    def session(self, session_id: str, second: float = 0, **more: Any) -> None:
        """Add a session."""
        row = {
            "id": session_id,
            "directory": "/home/dev/alpha",
            "title": "A title",
            "version": "1.18.33",
            "time_created": at(second),
            "time_updated": at(second),
        } | more
        self._insert("session", row)

    def message(
        self, session_id: str, message_id: str, data: object, *parts: dict[str, Any]
    ) -> None:
        """Add a message, or replace its record, and add parts."""
        moment = data["time"]["created"] if isinstance(data, dict) else START  # type: ignore[index]
        row = {
            "id": message_id,
            "session_id": session_id,
            "time_created": moment,
            "time_updated": moment,
            "data": data if isinstance(data, str | bytes) else json.dumps(data),
        }
        self.connection.execute(
            "INSERT INTO message VALUES (:id, :session_id, :time_created, :time_updated, :data) "
            "ON CONFLICT (id) DO UPDATE SET data = excluded.data",
            row,
        )
        for part in parts:
            self.part(session_id, message_id, part)

    def part(self, session_id: str, message_id: str, data: dict[str, Any]) -> str:
        """Add a part."""
        self._parts += 1
        part_id = f"prt_{self._parts:04d}"
        row = {
            "id": part_id,
            "message_id": message_id,
            "session_id": session_id,
            "data": json.dumps(data),
        }
        self._insert("part", row)
        return part_id

    def run(self, statement: str, *values: Any) -> None:
        """Any other change."""
        self.connection.execute(statement, values)

    def close(self) -> None:
        """As when OpenCode ends: the log goes into the database and is removed."""
        self.connection.close()

    def _insert(self, table: str, row: dict[str, Any]) -> None:
        names = ", ".join(row)
        marks = ", ".join("?" for _ in row)
        self.connection.execute(
            f"INSERT INTO {table} ({names}) VALUES ({marks})",
            [json.dumps(v) if isinstance(v, list) else v for v in row.values()],
        )


def read(database: Database, previous: FileState | None = None) -> FileFacts:
    """One reading."""
    return opencode.read(database.path, previous)


def sessions(facts: FileFacts) -> dict[str, Session]:
    """What was told, by session id."""
    told = [facts.session, *facts.more_sessions]
    return {session.session_id: session for session in told if session is not None}


def one(database: Database) -> Session:
    """The only session."""
    (session,) = sessions(read(database)).values()
    return session


def ask(database: Database, *parts: dict[str, Any], **more: Any) -> None:
    """A session whose newest message is an answer of these parts."""
    database.session("s1")
    database.message("s1", "m1", user(1), text("Do it"))
    database.message("s1", "m2", answer(2, **more), *parts)
