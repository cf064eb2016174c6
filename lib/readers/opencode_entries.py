"""The entries of an OpenCode session: rows of its database, or files of versions before 1.2.

Of a database only the newest messages of the one session are read.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from lib.entries import CallTokens, Each, Entry, Reading, newest
from lib.plain_file import open_plain
from lib.readers.databases import reading as reading_database
from lib.readers.entry_lines import add, skip
from lib.readers.entry_tools import Calls, as_status, entry, error, retry, said
from lib.readers.opencode_records import tokens_in
from lib.readers.values import (
    Unreadable,
    as_object,
    as_text,
    as_time,
    as_word,
    decode_object,
)

_LARGEST_RECORD = 1 << 22
_TOO_LARGE = "record over 4 MiB"
_REJECTED = "The user rejected"


class _Message(NamedTuple):
    """A message and its parts, as they are stored: JSON, or None for one too large to read."""

    data: bytes | None
    parts: list[bytes | None]


def entries(
    path: Path,
    session_key: str,
    limit: int,
    each: Each | None = None,
) -> Reading:
    """See `EntrySource`: entries of a session. Raises OSError."""
    session_id = session_key.partition(":")[2]
    found = Reading(each=each)
    if path.suffix == ".json":
        _read(*_from_files(path, limit), found)
    else:
        with reading_database(path) as connection:
            _read(*_from_database(connection, session_id, limit), found)
    return newest(found, limit)


def _read(first: int, messages: Iterable[_Message], found: Reading) -> None:
    """Take messages, oldest first; `first` is the number of the first among the session's."""
    calls = Calls()
    found.earlier = first > 1
    for number, message in enumerate(messages, first):
        add(found, number, partial(_entries_of, message, number, calls, found))


def _from_database(
    connection: sqlite3.Connection, session_id: str, limit: int
) -> tuple[int, Iterator[_Message]]:
    query = "SELECT count(*) FROM message WHERE session_id = ?"
    total = int(connection.execute(query, (session_id,)).fetchone()[0])
    content = "CASE WHEN length(data) <= ? THEN cast(data AS blob) END"
    rows = connection.execute(
        f"SELECT id, {content} FROM message WHERE session_id = ? "  # noqa: S608
        "ORDER BY time_created, id LIMIT ? OFFSET ?",
        (_LARGEST_RECORD, session_id, limit, max(0, total - limit)),
    )
    parts = f"SELECT {content} FROM part WHERE message_id = ? ORDER BY id"  # noqa: S608
    messages = (
        _Message(data, [part[0] for part in connection.execute(parts, (_LARGEST_RECORD, message))])
        for message, data in rows
    )
    return max(0, total - limit) + 1, messages


def _from_files(path: Path, limit: int) -> tuple[int, Iterator[_Message]]:
    storage = path.parent.parent.parent
    files = _json_files(storage / "message" / path.stem)
    messages = (
        _Message(
            _content(file), [_content(part) for part in _json_files(storage / "part" / file.stem)]
        )
        for file in files[-limit:]
    )
    return max(0, len(files) - limit) + 1, messages


def _json_files(folder: Path) -> list[Path]:
    try:
        return [folder / name for name in sorted(os.listdir(folder)) if name.endswith(".json")]
    except OSError:
        return []


def _content(path: Path) -> bytes | None:
    try:
        with open_plain(path) as file:
            content = file.read(_LARGEST_RECORD + 1)
    except OSError:
        return b""
    return content if len(content) <= _LARGEST_RECORD else None


def _decoded(content: bytes | None) -> dict[str, Any]:
    if content is None:
        raise Unreadable(_TOO_LARGE)
    return decode_object(content)


def _entries_of(message: _Message, number: int, calls: Calls, found: Reading) -> list[Entry]:
    data = _decoded(message.data)
    at = as_time(as_object(data.get("time")).get("created"))
    of_model = data.get("role") == "assistant"
    taken: list[Entry] = []
    for part in _parts(message, number, found):
        taken += _model_part(part, calls, at) if of_model else _user_part(part, at)
    failure = as_object(data.get("error"))
    if failure:
        text = as_object(failure.get("data")).get("message") or failure.get("message")
        taken.append(error(text, at, as_text(failure.get("name"), 80) or "Error"))
    if of_model and taken:
        for one in taken:
            one.model = None if one.kind == "tool_result" else as_word(data.get("modelID"))
        taken[0].tokens = _tokens(data.get("tokens"))
    return taken


def _parts(message: _Message, number: int, found: Reading) -> Iterator[dict[str, Any]]:
    for content in message.parts:
        try:
            yield _decoded(content)
        except Unreadable as reason:
            skip(found, number, str(reason))


def _user_part(part: dict[str, Any], at: int | None) -> list[Entry]:
    match part.get("type"):
        case "text" if not part.get("synthetic"):
            return said("prompt", _unquoted(part.get("text")), at)
        case "text":
            return said("notice", part.get("text"), at, level="debug", title="The agent adds")
        case "compaction":
            return [entry("notice", "", at, title="The conversation was compacted")]
        case "file":
            name = as_text(part.get("filename"), 200) or "a file"
            return [entry("notice", "", at, level="debug", title=f"Attached {name}")]
        case _:
            return []


def _unquoted(text: object) -> object:
    """What was typed: `opencode run` puts its words in quotes."""
    if isinstance(text, str) and len(text) > 2 and text[0] == text[-1] == '"':
        return text[1:-1].replace('\\"', '"')
    return text


def _model_part(part: dict[str, Any], calls: Calls, at: int | None) -> list[Entry]:
    moment = as_time(as_object(part.get("time")).get("start")) or at
    match part.get("type"):
        case "text":
            return said("answer", part.get("text"), moment)
        case "reasoning":
            return said("reasoning", part.get("text"), moment)
        case "tool":
            return _tool(part, calls, at)
        case "retry":
            text = as_object(as_object(part.get("error")).get("data")).get("message")
            return [retry(text, moment)]
        case _:
            return []


def _tool(part: dict[str, Any], calls: Calls, at: int | None) -> list[Entry]:
    state = as_object(part.get("state"))
    times = as_object(state.get("time"))
    call_id = part.get("callID")
    begun = as_time(times.get("start")) or at
    taken = [calls.call(call_id, part.get("tool"), state.get("input"), begun)]
    status = state.get("status")
    if status in ("completed", "error"):
        ended = as_time(times.get("end")) or begun
        told = state.get("error") if status == "error" else state.get("output")
        code = as_status(as_object(state.get("metadata")).get("exit"))
        failed = status == "error"
        result = calls.result(call_id, told, ended, failed=failed, exit_status=code)
        if failed and str(told).startswith(_REJECTED):
            result.title = f"{result.title}: rejected"
        taken.append(result)
    return taken


def _tokens(told: object) -> CallTokens | None:
    counted = tokens_in(told)
    if not counted.parts:
        return None
    # Versions that kept reasoning inside output show it in the total.
    apart = not counted.total or counted.total != counted.parts - counted.reasoning
    output = counted.output + counted.reasoning if apart else counted.output
    return CallTokens(
        input=counted.input,
        output=output,
        cache_read=counted.cache_read,
        cache_write=counted.cache_write,
        reasoning=counted.reasoning,
    )
