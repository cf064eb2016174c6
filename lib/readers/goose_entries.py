"""The entries of a Goose session: rows of its database, or a file before 1.10. Messages:
`goose_session`. Neither tells which call's tokens belong to which message.
"""

import re
import sqlite3
from functools import partial
from pathlib import Path
from typing import Any

from lib.entries import Each, Entry, Reading, newest
from lib.readers.databases import reading as reading_database
from lib.readers.entry_lines import add, read_lines
from lib.readers.entry_tools import Calls, error, notice, said, texts_in
from lib.readers.goose_session import content_of
from lib.readers.values import (
    Unreadable,
    as_object,
    as_text,
    as_time,
    as_word,
    decode_object,
)

_MADE = re.compile(r"([0-9]{8}_[0-9]{1,5})-[0-9]+")
"""What a key makes of an id that counts the sessions of a day, see `goose_session.key_of`."""
_LARGEST_RECORD = 1 << 22
_TOO_LARGE = "record over 4 MiB"


def entries(
    path: Path,
    session_key: str,
    limit: int,
    each: Each | None = None,
) -> Reading:
    """See `EntrySource`: entries of a session. Raises OSError."""
    if path.suffix == ".jsonl":
        return read_lines(path, lambda: partial(_entries_of, Calls()), limit, each)
    session_id = session_key.partition(":")[2]
    numbered = _MADE.fullmatch(session_id)
    found = Reading(each=each)
    with reading_database(path) as connection:
        _read_rows(connection, numbered[1] if numbered else session_id, limit, found)
    return newest(found, limit)


def _read_rows(connection: sqlite3.Connection, session_id: str, limit: int, found: Reading) -> None:
    query = "SELECT count(*) FROM messages WHERE session_id = ?"
    total = int(connection.execute(query, (session_id,)).fetchone()[0])
    skipped = max(0, total - limit)
    columns = {str(row[1]) for row in connection.execute("PRAGMA table_info(messages)")}
    metadata = "metadata_json" if "metadata_json" in columns else "null"
    rows = connection.execute(
        f"SELECT role, created_timestamp, {metadata}, "  # noqa: S608
        "CASE WHEN length(content_json) <= ? THEN cast(content_json AS blob) END "
        "FROM messages WHERE session_id = ? ORDER BY created_timestamp, id LIMIT ? OFFSET ?",
        (_LARGEST_RECORD, session_id, limit, skipped),
    )
    found.earlier = skipped > 0
    calls = Calls()
    for number, row in enumerate(rows, skipped + 1):
        add(found, number, partial(_row, calls, *row))


def _row(calls: Calls, role: object, at: object, shown: object, content: object) -> list[Entry]:
    if not isinstance(content, bytes):
        raise Unreadable(_TOO_LARGE)
    record = decode_object(b'{"content":' + content + b"}")
    if isinstance(shown, str):
        record["metadata"] = decode_object(shown.encode("utf-8", "replace"))
    return _entries_of(calls, record | {"role": role, "created": at})


def _entries_of(calls: Calls, record: dict[str, Any]) -> list[Entry]:
    at = as_time(record.get("created"))
    of_model = record.get("role") == "assistant"
    found: list[Entry] = []
    for block in map(as_object, content_of(record) if "role" in record else ()):
        match block.get("type"):
            case "text":
                found += said("answer" if of_model else "prompt", block.get("text"), at)
            case "thinking" | "reasoning":
                found += said("reasoning", block.get("thinking") or block.get("text"), at)
            case "toolRequest" | "frontendToolRequest":
                call = as_object(as_object(block.get("toolCall")).get("value"))
                name = as_word(call.get("name")) or ""
                # Every extension of Goose is an MCP server: `developer__shell`.
                server = name.partition("__")[0] if "__" in name else None
                told = (block.get("id"), name, call.get("arguments"), at)
                found.append(calls.call(*told, mcp_server=server))
            case "toolResponse":
                found.append(_result(calls, block, at))
            case "error":
                found.append(error(block.get("message") or block.get("kind"), at))
            case "systemNotification":
                told = as_text(block.get("msg"), 2_000)
                found += [notice("Goose", at, told, level="debug")] if told else []
            case _:
                pass
    return found


def _result(calls: Calls, block: dict[str, Any], at: int | None) -> Entry:
    result = as_object(block.get("toolResult"))
    value = result.get("value")
    fields = as_object(value)
    text = texts_in(fields.get("content") if fields else value)
    refused = result.get("status") == "error"
    failed = refused or fields.get("isError") is True
    return calls.result(block.get("id"), text or result.get("error"), at, failed=failed)
