"""The entries of a Cursor session: a chat of its command line, or a conversation of its editor.

Neither tells tokens. Records: see `cursor_chat` and `cursor_editor`.
"""

import re
import sqlite3
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from lib.entries import Each, Entry, Reading, newest
from lib.readers.databases import reading as reading_database
from lib.readers.entry_lines import add
from lib.readers.entry_tools import Calls, decoded, error, said, told_value
from lib.readers.values import (
    Unreadable,
    as_list,
    as_object,
    as_time,
    as_word,
    decode_object,
)

_LARGEST_RECORD = 1 << 22
_TOO_LARGE = "record over 4 MiB"
_QUERY = re.compile(r"<user_query>(.*?)(?:</user_query>|\Z)", re.DOTALL)
_USER = 1


def entries(path: Path, session_key: str, limit: int, each: Each | None = None) -> Reading:
    """See `EntrySource`: entries of a session. Raises OSError."""
    found = Reading(each=each)
    calls = Calls()
    with reading_database(path) as connection:
        if path.name == "store.db":
            for number, data in enumerate(_messages(connection), 1):
                add(found, number, partial(_message, data, calls))
        else:
            bubbles = _bubbles(connection, session_key.partition(":")[2])
            for number, data in enumerate(bubbles, 1):
                add(found, number, partial(_bubble, data, calls))
    return newest(found, limit)


def _messages(connection: sqlite3.Connection) -> Iterator[bytes | None]:
    rows = connection.execute(
        "SELECT CASE WHEN length(data) <= ? THEN cast(data AS blob) END FROM blobs "
        "WHERE cast(substr(data, 1, 1) AS blob) = x'7b' ORDER BY rowid",
        (_LARGEST_RECORD,),
    )
    return (data for (data,) in rows)


def _bubbles(connection: sqlite3.Connection, session_id: str) -> Iterator[bytes | None]:
    """The messages and calls of an editor's session, in their order; none where it is not told."""
    query = (
        "SELECT CASE WHEN length(value) <= ? THEN cast(value AS blob) END "
        "FROM cursorDiskKV WHERE key = ? AND value IS NOT NULL"
    )
    row = connection.execute(query, (_LARGEST_RECORD, f"composerData:{session_id}")).fetchone()
    if row is None or row[0] is None:
        return
    try:
        headers = as_list(decode_object(row[0]).get("fullConversationHeadersOnly"))
    except Unreadable:
        return
    for header in map(as_object, headers):
        key = f"bubbleId:{session_id}:{header.get('bubbleId')}"
        found = connection.execute(query, (_LARGEST_RECORD, key)).fetchone()
        if found is not None:
            yield found[0]


def _decoded(data: bytes | None) -> dict[str, Any]:
    if data is None:
        raise Unreadable(_TOO_LARGE)
    return decode_object(data)


def _message(data: bytes | None, calls: Calls) -> list[Entry]:
    message = _decoded(data)
    at = as_time(message.get("createdAt"))
    content = message.get("content")
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else as_list(content)
    of_model = message.get("role") == "assistant"
    options = as_object(as_object(message.get("providerOptions")).get("cursor"))
    found: list[Entry] = []
    for block in map(as_object, blocks):
        match block.get("type"):
            case "tool-call":
                call = (block.get("toolCallId"), block.get("toolName"), block.get("args"), at)
                found.append(calls.call(*call))
            case "tool-result":
                text = told_value(block.get("result") or "")
                found.append(calls.result(block.get("toolCallId"), text, at, failed=None))
            case "reasoning":
                found += said("reasoning", block.get("text"), at)
            case _ if of_model:
                found += said("answer", block.get("text"), at)
            case _:
                found += _typed(block.get("text"), at, is_user=message.get("role") == "user")
    for one in found if of_model else ():
        one.model = as_word(options.get("modelName"))
    return found


def _typed(text: object, at: int | None, *, is_user: bool) -> list[Entry]:
    query = _QUERY.search(text) if isinstance(text, str) else None
    if query is not None:
        return said("prompt", query[1], at)
    if is_user and isinstance(text, str) and not text.lstrip().startswith("<"):
        return said("prompt", text, at)
    return said("notice", text, at, level="debug", title="Cursor adds")


def _bubble(data: bytes | None, calls: Calls) -> list[Entry]:
    bubble = _decoded(data)
    at = as_time(bubble.get("createdAt"))
    if bubble.get("type") == _USER:
        return said("prompt", bubble.get("text"), at)
    found = [
        *said("reasoning", as_object(bubble.get("thinking")).get("text"), at),
        *said("answer", bubble.get("text"), at),
    ]
    tool = as_object(bubble.get("toolFormerData"))
    if tool:
        found += _tool(tool, calls, at)
    message = as_object(bubble.get("errorDetails")).get("message")
    return [*found, error(message, at)] if isinstance(message, str) else found


def _tool(tool: dict[str, Any], calls: Calls, at: int | None) -> list[Entry]:
    """A call, and its result where it has ended: the record tells one time for both."""
    arguments = decoded(tool.get("rawArgs") or tool.get("params"))
    found = [calls.call(tool.get("toolCallId"), tool.get("name"), arguments, at)]
    status = tool.get("status")
    if status in ("completed", "error", "cancelled"):
        found.append(
            calls.result(
                tool.get("toolCallId"),
                told_value(tool.get("result") or ""),
                None,
                failed=status != "completed",
                denied=tool.get("userDecision") == "rejected",
            )
        )
    return found
