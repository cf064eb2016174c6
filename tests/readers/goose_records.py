"""Goose's database as 1.52 makes it (schema 16), and its files before 1.10, for tests."""

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from tests.readers.json_lines import Json, write

DAY = "20260301"
NOON = 1_772_366_400
OLD = "20250325_200615"

SCHEMA = """
CREATE TABLE sessions (id TEXT PRIMARY KEY, name TEXT NOT NULL DEFAULT '',
  description TEXT NOT NULL DEFAULT '', session_type TEXT NOT NULL DEFAULT 'user',
  working_dir TEXT NOT NULL, created_at TIMESTAMP, updated_at TIMESTAMP,
  extension_data TEXT DEFAULT '{}', total_tokens INTEGER, input_tokens INTEGER,
  accumulated_total_tokens INTEGER, accumulated_input_tokens INTEGER,
  accumulated_output_tokens INTEGER, accumulated_cache_read_tokens INTEGER,
  accumulated_cache_write_tokens INTEGER, accumulated_cost REAL, provider_name TEXT,
  model_config_json TEXT, parent_session_id TEXT);
CREATE TABLE messages (id INTEGER PRIMARY KEY AUTOINCREMENT, message_id TEXT,
  session_id TEXT NOT NULL REFERENCES sessions(id), role TEXT NOT NULL,
  content_json TEXT NOT NULL, created_timestamp INTEGER NOT NULL, metadata_json TEXT);
CREATE INDEX idx_messages_message_id ON messages(message_id);
"""
LEDGER = """
CREATE TABLE usage_ledger (id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL,
  created_timestamp INTEGER NOT NULL, model TEXT, input_tokens INTEGER, output_tokens INTEGER,
  total_tokens INTEGER, cache_read_tokens INTEGER, cache_write_tokens INTEGER, cost REAL,
  cost_source TEXT, is_compaction INTEGER DEFAULT 0);
"""
_MINUTES = "2026-03-01 12:{:02}:{:02}"


def clock(second: float) -> str:
    """SQLite's text for so many seconds after noon."""
    return _MINUTES.format(int(second) // 60, int(second) % 60)


class Database:
    """A database, written by a connection of its own a step."""

    def __init__(self, folder: Path, schema: str = SCHEMA + LEDGER):
        self.path = folder / "sessions" / "sessions.db"
        self.path.parent.mkdir(parents=True)
        self.run(schema)

    def run(self, script: str) -> None:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.executescript(script)

    def add(self, table: str, **values: object) -> None:
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        with closing(sqlite3.connect(self.path)) as connection, connection:
            statement = f"INSERT INTO {table} ({names}) VALUES ({marks})"
            connection.execute(statement, tuple(values.values()))

    def session(self, number: int = 1, second: float = 0, **more: object) -> str:
        """A session; its id."""
        values: Json = {
            "id": f"{DAY}_{number}",
            "name": "CLI Session",
            "working_dir": "/home/dev/alpha",
            "created_at": clock(second),
            "updated_at": clock(second),
            "model_config_json": json.dumps({"model_name": "gpt-5-mini"}),
        }
        self.add("sessions", **(values | more))
        return str((values | more)["id"])

    def touch(self, session: str, second: float, **columns: object) -> None:
        named = {"updated_at": clock(second), **columns}
        wanted = ", ".join(f"{name} = ?" for name in named)
        with closing(sqlite3.connect(self.path)) as connection, connection:
            statement = f"UPDATE sessions SET {wanted} WHERE id = ?"
            connection.execute(statement, (*named.values(), session))

    def say(
        self,
        session: str,
        role: str,
        second: float,
        *blocks: Json,
        name: str | None = None,
        **metadata: object,
    ) -> None:
        """A message."""
        self.add(
            "messages",
            message_id=name,
            session_id=session,
            role=role,
            content_json=json.dumps(blocks),
            created_timestamp=NOON + int(second),
            metadata_json=json.dumps({"userVisible": True, "agentVisible": True} | metadata),
        )
        self.touch(session, second)

    def count(
        self,
        session: str,
        second: float,
        given: object = 100,
        output: object = 10,
        read: object = 40,
        written: object = None,
        **more: object,
    ) -> None:
        """A call in the ledger: `given` with everything cached."""
        total = given + output if isinstance(given, int) and isinstance(output, int) else None
        values: Json = {
            "session_id": session,
            "created_timestamp": NOON + int(second),
            "model": "gpt-5-mini",
            "input_tokens": given,
            "output_tokens": output,
            "total_tokens": total,
            "cache_read_tokens": read,
            "cache_write_tokens": written,
        }
        self.add("usage_ledger", **(values | more))
        self.touch(session, second)


def text(words: str) -> Json:
    return {"type": "text", "text": words}


def tool(name: str = "shell", call: str = "t1", **given: object) -> Json:
    value = {"name": name, "arguments": given}
    return {"type": "toolRequest", "id": call, "toolCall": {"status": "success", "value": value}}


def response(call: str = "t1") -> Json:
    value = {"content": [{"type": "text", "text": "ok"}], "isError": False}
    return {
        "type": "toolResponse",
        "id": call,
        "toolResult": {"status": "success", "value": value},
    }


def header(**more: object) -> Json:
    """The first line of an old file."""
    sums = {f"accumulated_{kind}_tokens": 0 for kind in ("input", "output", "total")}
    return (
        {"description": "Repair", "working_dir": "/home/dev/alpha", "message_count": 2}
        | sums
        | more
    )


def message(role: str, second: float, *blocks: Json) -> Json:
    return {"role": role, "created": NOON + int(second), "content": list(blocks)}


def old_file(folder: Path, records: Iterable[Json | bytes], name: str = OLD) -> Path:
    return write(folder / "sessions" / f"{name}.jsonl", records)
